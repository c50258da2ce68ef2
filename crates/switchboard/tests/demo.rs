//! The demonstration as a person sees it: the real binary, from the first line to the exit code.

#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail tests")]

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

/// Starts it where a configuration, a Redis and a proxy would be in its way, if it heeded any of them.
fn start(test: &str, arguments: &[&str]) -> Child {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("switchboard.toml"), "nonsense = true\n").unwrap();
    fs::write(directory.join(".env"), "REDIS_URL=redis://127.0.0.1:1\nHTTP_PROXY=http://127.0.0.1:1\n")
        .unwrap();
    Command::new(env!("CARGO_BIN_EXE_switchboard"))
        .arg("demo")
        .args(arguments)
        .env_clear()
        .env("HTTP_PROXY", "http://127.0.0.1:1")
        .env("OPENAI_BASE_URL", "http://127.0.0.1:1")
        .current_dir(directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The count of this name at the end.
fn count(told: &str, name: &str) -> usize {
    let line = told.lines().rev().find_map(|line| line.trim_start().strip_prefix(name)?.strip_prefix(": "));
    let line = line.unwrap_or_else(|| panic!("no count {name:?} in:\n{told}"));
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn the_whole_story_is_told_in_order_and_no_call_is_lost() {
    let output = start("demo-story", &["--for", "18s"]).wait_with_output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{told}\n{log}");
    assert!(!log.contains("ERROR") && !log.contains("panicked"), "{log}");

    let mut rest = told.as_str();
    for line in [
        "page     http://127.0.0.1:",
        "/dashboard\n",
        "curl http://127.0.0.1:",
        "all well   primary:gpt-5 answers",
        "answered by primary:gpt-5, none lost",
        "outage     primary:gpt-5 fails",
        " failures in a row, last HTTP 503",
        "answered by backup:gpt-5-mini, none lost",
        "HALF_OPEN  ",
        "OPEN       the probe failed",
        "recovery   ",
        "HALF_OPEN  ",
        "CLOSED     the probe succeeded",
        "answered by primary:gpt-5, none lost",
        "in all",
        "lost: 0",
    ] {
        let (_, after) =
            rest.split_once(line).unwrap_or_else(|| panic!("no {line:?} in its place in:\n{told}"));
        rest = after;
    }
    assert_eq!((count(&told, "probes"), count(&told, "transitions")), (2, 5), "{told}");
    let (primary, backup) =
        (count(&told, "answered by primary:gpt-5"), count(&told, "answered by backup:gpt-5-mini"));
    assert_eq!(primary + backup, count(&told, "calls"), "{told}");
    assert!(primary > 0 && backup > 0, "{told}");
    let reached = count(&told, "calls that reached primary:gpt-5 while it was dead");
    // Those that open it, a few that were under way by then, and one probe.
    assert!((4..=8).contains(&reached), "{told}");
}

#[test]
fn interrupted_it_ends_with_the_counts_so_far() {
    let mut demo = start("demo-interrupted", &[]);
    let mut lines = BufReader::new(demo.stdout.take().unwrap());
    let mut told = String::new();
    while !told.contains("none lost") {
        assert_ne!(lines.read_line(&mut told).unwrap(), 0, "ended by itself:\n{told}");
    }
    let signalled = Command::new("kill").args(["-INT", &demo.id().to_string()]).status().unwrap();
    assert!(signalled.success());
    lines.read_to_string(&mut told).unwrap();
    assert_eq!(demo.wait().unwrap().code(), Some(0), "{told}");
    assert!(count(&told, "calls") > 0 && !told.contains("OPEN"), "{told}");
    assert_eq!((count(&told, "lost"), count(&told, "transitions")), (0, 0), "{told}");
}
