//! The demonstration, as a newcomer sees it.

use std::process::Command;

#[test]
fn an_outage_is_told_and_nothing_is_lost() {
    let output = Command::new(env!("CARGO_BIN_EXE_switchboard"))
        .args(["demo", "--for", "24s"])
        .env_clear()
        .current_dir(std::env::temp_dir())
        .output()
        .unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    let story = [
        "All is well",
        "The first provider fails",
        "3 failures in a row",
        "HALF_OPEN",
        "the probe failed",
        "is well again",
        "the probe succeeded. CLOSED",
        "lost:                         0",
        "calls that reached a dead model:",
    ];
    let mut rest = told.as_str();
    for part in story {
        let Some((_, after)) = rest.split_once(part) else {
            panic!("{part:?} is missing or out of turn:\n{told}")
        };
        rest = after;
    }
}
