//! What the system allows is used: a stream takes two sockets, and many shells give 1,024 files.

use std::fs;

use testbed::Program;

#[tokio::test]
async fn the_limit_of_open_files_is_raised_as_far_as_it_goes() {
    let arguments =
        ["-c", "ulimit -Sn 64 && exec \"$0\" serve --listen 127.0.0.1:0", env!("CARGO_BIN_EXE_switchboard")];
    let program = Program::start("/bin/sh", &arguments, [("REDIS_URL", "memory:")]);
    program.wait_for_line("listening").await;
    let limits = fs::read_to_string(format!("/proc/{}/limits", program.pid())).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let mut words = line.split_whitespace();
    let (soft, hard) = (words.next().unwrap(), words.next().unwrap());
    assert_eq!(soft, hard, "{line}");
}
