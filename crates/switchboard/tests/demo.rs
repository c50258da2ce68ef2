//! The demo as a user sees it: the real binary, from the first line to the exit code.

#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail tests")]

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

/// Starts it next to a configuration, a Redis and a proxy that would break it if it used any of them.
fn start_demo(test: &str, arguments: &[&str]) -> Child {
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
fn printed_count(stdout: &str, name: &str) -> usize {
    let line = stdout.lines().rev().find_map(|line| line.trim_start().strip_prefix(name)?.strip_prefix(": "));
    let line = line.unwrap_or_else(|| panic!("no count {name:?} in:\n{stdout}"));
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// The README's picture shows what is printed today; its numbers are those of another run.
fn assert_is_in_the_moving_picture(stdout: &str) {
    let without_numbers = |line: &str| {
        let parts =
            line.trim_end().split(|letter: char| letter.is_ascii_digit()).filter(|part| !part.is_empty());
        parts.collect::<Vec<_>>().join("#")
    };
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/images/demo-light.svg");
    let svg = fs::read_to_string(file).unwrap();
    let shown: Vec<_> = svg
        .lines()
        .filter_map(|line| {
            line.strip_suffix("</text>")?.split_once('>').map(|(_, text)| without_numbers(text))
        })
        .collect();
    for event in ["healthy", "outage", "OPEN", "HALF_OPEN", "recovery", "CLOSED"] {
        let mut printed = stdout.lines().filter(|line| line.split_whitespace().nth(2) == Some(event));
        assert!(
            printed.any(|line| shown.contains(&without_numbers(line))),
            "{event}: cargo test -p switchboard --test dashboard -- --ignored pictures"
        );
    }
}

#[test]
fn the_whole_story_is_printed_in_order_and_no_request_fails() {
    let output = start_demo("demo-story", &["--for", "18s"]).wait_with_output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{stdout}\n{log}");
    assert!(!log.contains("ERROR") && !log.contains("panicked"), "{log}");

    let mut rest = stdout.as_str();
    for line in [
        "dashboard  http://127.0.0.1:",
        "/dashboard\n",
        "curl http://127.0.0.1:",
        "healthy    primary:gpt-5 answers",
        "answered by primary:gpt-5, 0 failed",
        "outage     primary:gpt-5 fails",
        "circuit open for ",
        "; failing over to backup:gpt-5-mini\n",
        " consecutive failures, last HTTP 503",
        "answered by backup:gpt-5-mini, 0 failed",
        "HALF_OPEN  sending one probe to primary:gpt-5",
        "OPEN       probe failed",
        "recovery   primary:gpt-5 is healthy again",
        "HALF_OPEN  ",
        "CLOSED     probe succeeded",
        "answered by primary:gpt-5, 0 failed",
        "Summary",
        "failed requests: 0",
    ] {
        let (_, after) =
            rest.split_once(line).unwrap_or_else(|| panic!("no {line:?} in order in:\n{stdout}"));
        rest = after;
    }
    let widest = stdout.lines().map(|line| line.chars().count()).max();
    assert!(widest.is_some_and(|widest| widest < 78), "{stdout}");
    assert_eq!(printed_count(&stdout, "probes"), 2, "{stdout}");
    // The first failures may all be of one request: then it opens for that one first (B12).
    assert!((5..=7).contains(&printed_count(&stdout, "transitions")), "{stdout}");
    let (primary, backup) = (
        printed_count(&stdout, "answered by primary:gpt-5"),
        printed_count(&stdout, "answered by backup:gpt-5-mini"),
    );
    assert_eq!(primary + backup, printed_count(&stdout, "requests"), "{stdout}");
    assert!(primary > 0 && backup > 0, "{stdout}");
    assert_is_in_the_moving_picture(&stdout);
    let reached = printed_count(&stdout, "requests sent to primary:gpt-5 during the outage");
    // Those that open it, a few in flight at that time, and one probe.
    assert!((4..=8).contains(&reached), "{stdout}");
}

#[test]
fn interrupted_it_ends_with_the_counts_so_far() {
    let mut demo = start_demo("demo-interrupted", &[]);
    let mut lines = BufReader::new(demo.stdout.take().unwrap());
    let mut stdout = String::new();
    while !stdout.contains("0 failed") {
        assert_ne!(lines.read_line(&mut stdout).unwrap(), 0, "ended by itself:\n{stdout}");
    }
    let signalled = Command::new("kill").args(["-INT", &demo.id().to_string()]).status().unwrap();
    assert!(signalled.success());
    lines.read_to_string(&mut stdout).unwrap();
    assert_eq!(demo.wait().unwrap().code(), Some(0), "{stdout}");
    assert!(printed_count(&stdout, "requests") > 0 && !stdout.contains("OPEN"), "{stdout}");
    assert_eq!(
        (printed_count(&stdout, "failed requests"), printed_count(&stdout, "transitions")),
        (0, 0),
        "{stdout}"
    );
}
