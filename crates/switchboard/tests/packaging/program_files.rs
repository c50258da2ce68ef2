//! What packages install beside the program, made by the program.

use std::process::Command;

use super::run;

fn print(arguments: &[&str]) -> String {
    let output = run(Command::new(env!("CARGO_BIN_EXE_switchboard")).args(arguments).env_clear());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn completions_know_the_commands() {
    for (shell, mark) in [
        ("bash", "complete -F _switchboard"),
        ("zsh", "#compdef switchboard"),
        ("fish", "complete -c switchboard"),
    ] {
        let script = print(&["completions", shell]);
        assert!(script.contains(mark), "{shell}");
        for command in ["serve", "circuits", "doctor", "history"] {
            assert!(script.contains(command), "{shell}: {command}");
        }
    }
    // bash reads it without an error.
    let script = print(&["completions", "bash"]);
    run(Command::new("bash").args(["-n", "-c", &script]));
}

#[test]
fn the_manual_page_has_every_command() {
    let page = print(&["man"]);
    assert!(page.contains(".TH switchboard 1"), "{page}");
    for section in [".SH SWITCHBOARD SERVE", ".SH SWITCHBOARD CIRCUITS OPEN", ".SH SWITCHBOARD CONFIG CHECK"]
    {
        assert!(page.contains(section), "{section}");
    }
    let quoted =
        page.lines().filter(|line| line.starts_with('.')).map(|line| line.split(' ').next().unwrap());
    let unknown: Vec<_> = quoted
        .filter(|name| ![".SH", ".SS", ".TH", ".TP", ".br", ".ie", ".el", ".RS", ".RE", ".IP"].contains(name))
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}
