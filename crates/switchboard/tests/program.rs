//! The program as a shell sees it: exit codes, and what goes where.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail tests")]

use std::{
    fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Command, Output, Stdio},
};

/// An empty directory to run the program in.
struct TempDir(PathBuf);

impl TempDir {
    fn new(test: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
        _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn with_file(self, file: &str, text: &str) -> Self {
        fs::write(self.0.join(file), text).unwrap();
        self
    }

    fn run(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
        command.args(arguments).current_dir(&self.0).env_clear().envs(variables.iter().copied());
        command.output().unwrap()
    }
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

#[test]
fn a_valid_configuration_exits_with_0() {
    let directory = TempDir::new("valid");
    let output = directory.run(&["config", "check"], &[]);
    assert_eq!(stdout(&output), "environment (no switchboard.toml): OK\n");
    assert_eq!(output.status.code(), Some(0));

    let directory =
        directory.with_file("switchboard.toml", "[redis]\nurl = \"memory:\"\n").with_file("other.toml", "");
    assert_eq!(stdout(&directory.run(&["config", "check"], &[])), "switchboard.toml: OK\n");
    let output = directory.run(&["config", "check", "--config", "other.toml"], &[]);
    assert_eq!(stdout(&output), "other.toml: OK\n");
    let output = directory.run(&["config", "check"], &[("SWITCHBOARD_CONFIG", "other.toml")]);
    assert_eq!(stdout(&output), "other.toml: OK\n");
}

#[test]
fn an_invalid_configuration_lists_all_problems_and_exits_with_1() {
    let directory = TempDir::new("invalid")
        .with_file("switchboard.toml", "[redis]\nurl = \"x\"\n[retry]\nmax_attempts = 0\n");
    let output = directory.run(&["config", "check"], &[]);
    assert_eq!(output.status.code(), Some(1));
    let lines: Vec<_> = stdout(&output).lines().collect();
    assert!(lines[0].starts_with("switchboard.toml:2: redis.url is an invalid Redis URL"), "{lines:?}");
    assert_eq!(lines[1], "switchboard.toml:4: retry.max_attempts is 0, expected a whole number, at least 1");
    assert_eq!(lines.len(), 2);

    let output = directory.run(&["config", "check", "--json"], &[]);
    assert_eq!(output.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!((&report["valid"], &report["problems"][1]["line"]), (&false.into(), &4.into()));

    let output = directory.run(&["config", "print"], &[]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(1), ""));
    assert!(stderr(&output).starts_with("error: switchboard.toml:2: "), "{}", stderr(&output));
}

#[test]
fn a_warning_is_no_failure() {
    let text = "[routes.gpt-5]\nmodels = [\"openai:gpt-5\"]\n";
    let directory = TempDir::new("warning").with_file("switchboard.toml", text);
    let key = &[("OPENAI_API_KEY", "k")];
    let output = directory.run(&["config", "check"], key);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let lines: Vec<_> = stdout(&output).lines().collect();
    assert!(
        lines[0].starts_with("switchboard.toml:1: warning: [routes.gpt-5] is named like the model"),
        "{lines:?}"
    );
    assert_eq!(lines[1..], ["switchboard.toml: OK, 1 warning"]);
    let output = directory.run(&["config", "check", "--json"], key);
    let report: serde_json::Value = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!((&report["valid"], &report["warnings"][0]["line"]), (&true.into(), &1.into()));
}

#[test]
fn warnings_are_logged_at_the_start() {
    let text = "server.listen = \"127.0.0.1:0\"\n[routes.claude-sonnet-5]\nmodels = [\"openai:gpt-5\"]\n";
    let directory = TempDir::new("warning-at-start").with_file("switchboard.toml", text);
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    command.arg("serve").current_dir(&directory.0).env_clear().stderr(Stdio::piped());
    let mut program = command.env("REDIS_URL", "memory:").env("OPENAI_API_KEY", "k").spawn().unwrap();
    let lines = BufReader::new(program.stderr.take().unwrap()).lines().map(Result::unwrap);
    let before: Vec<_> = lines.take_while(|line| !line.contains("listening")).collect();
    program.kill().unwrap();
    program.wait().unwrap();
    let expected = "WARN switchboard.toml:2: [routes.claude-sonnet-5] is named like the model \
                    anthropic:claude-sonnet-5: ";
    assert!(before.iter().any(|line| line.contains(expected)), "{before:?}");
}

#[test]
fn a_named_file_must_exist() {
    let directory = TempDir::new("missing");
    let output = directory.run(&["config", "check", "--config", "no.toml"], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).starts_with("no.toml: cannot be read: "), "{}", stdout(&output));
}

#[test]
fn dotenv_is_read_and_the_process_wins_over_it() {
    let directory =
        TempDir::new("dotenv").with_file(".env", "REDIS_URL=redis://dotenv\nOPENAI_API_KEY=hush\n");
    let printed = |variables| {
        let output = directory.run(&["config", "print"], variables);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        stdout(&output).to_owned()
    };
    let config = printed(&[]);
    assert!(config.contains("url = \"redis://dotenv\"") && config.contains("[providers.openai]"), "{config}");
    assert!(config.contains("api_key = \"***\"") && !config.contains("hush"), "{config}");
    assert!(printed(&[("REDIS_URL", "redis://process")]).contains("url = \"redis://process\""));
}

#[test]
fn a_dotenv_of_others_stops_no_command() {
    let text =
        "\u{feff}APP_NAME=Open SWE agent\nPEM=\"never closed\nexport OPENAI_API_KEY='k'\nDSN=${NOT_SET}\n";
    let directory = TempDir::new("foreign").with_file(".env", text);
    let output = directory.run(&["config", "print"], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("[providers.openai]"), "{}", stdout(&output));
    // Unless the configuration uses what it has no value for.
    let directory = directory.with_file("switchboard.toml", "server.api_keys = [\"${DSN}\"]\n");
    let output = directory.run(&["config", "check"], &[]);
    let expected =
        "server.api_keys[0] uses ${DSN}, which has no value: .env:4: DSN uses ${NOT_SET}, which is not set";
    assert!(stdout(&output).contains(expected), "{}", stdout(&output));
}

#[test]
fn a_directory_named_dotenv_is_none() {
    let directory = TempDir::new("venv").with_file("switchboard.toml", "");
    std::fs::create_dir_all(directory.0.join(".env")).unwrap();
    let output = directory.run(&["config", "check"], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn json_is_printed_for_scripts() {
    let output = TempDir::new("json").run(&["config", "print", "--json"], &[]);
    let config: serde_json::Value = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!(config["breaker"]["open_duration"], "5s");
}

#[test]
fn wrong_usage_exits_with_2() {
    let directory = TempDir::new("usage");
    for arguments in
        [&[][..], &["frobnicate"], &["config"], &["serve", "--listen", "here"], &["circuits", "show"]]
    {
        let output = directory.run(arguments, &[]);
        assert_eq!((output.status.code(), stdout(&output)), (Some(2), ""), "{arguments:?}");
    }
    assert_eq!(directory.run(&["--help"], &[]).status.code(), Some(0));
}
