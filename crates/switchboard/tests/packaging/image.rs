//! The container image: no engine is needed to take the steps of its Dockerfile.

use std::{fs, path::Path, process::Command};

use testbed::{Program, free_port};

use super::{Directory, root, run};

/// What it copies is enough to compile the program, and the program starts in an empty directory.
///
/// The steps that need Debian's package manager are left out, and the program is checked instead of built: its profile takes
/// minutes, and its place in `target` is the one of the program that the tests use.
#[tokio::test]
async fn what_it_copies_is_enough_and_the_program_serves_in_an_empty_directory() {
    let dockerfile = fs::read_to_string(root().join("Dockerfile")).unwrap();
    let builder = dockerfile.split("\nFROM ").nth(1).unwrap();
    let work = Directory::new();
    let folder = work.0.join("build");
    fs::create_dir(&folder).unwrap();
    for line in builder.lines() {
        if let Some(files) = line.strip_prefix("COPY ") {
            let mut files: Vec<_> = files.split(' ').collect();
            let to = folder.join(files.pop().unwrap().trim_end_matches('/'));
            for file in files {
                run(Command::new("cp").arg("-r").arg(root().join(file)).arg(&to));
            }
        }
    }
    let build = builder.lines().find_map(|line| line.strip_prefix("RUN cargo build ")).unwrap();
    let target = Path::new(env!("CARGO_BIN_EXE_switchboard")).ancestors().nth(2).unwrap();
    let arguments = build.split(' ').map(|word| if word == "dist" { "dev" } else { word });
    let mut cargo = Command::new(env!("CARGO"));
    cargo.arg("check").args(arguments).arg("--offline");
    run(cargo.current_dir(&folder).env("CARGO_TARGET_DIR", target));

    let empty = work.0.join("etc");
    fs::create_dir(&empty).unwrap();
    let listen = format!("127.0.0.1:{}", free_port());
    let variables = [("REDIS_URL", "memory:"), ("SWITCHBOARD_LISTEN", listen.as_str())];
    let mut gateway = Program::start_in(&empty, env!("CARGO_BIN_EXE_switchboard"), &["serve"], variables);
    gateway.wait_for_line("listening").await;
    gateway.signal("TERM");
    assert_eq!(gateway.wait_for_exit().await, Some(0));
}
