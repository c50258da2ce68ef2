//! The version that `switchboard --version` prints: in a release build with the commit and its date, where git knows them.

use std::{env, process::Command};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=SWITCHBOARD_COMMIT");
    let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    // Elsewhere each commit would build this crate and its tests anew.
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let commit = env::var("SWITCHBOARD_COMMIT").ok().filter(|commit| !commit.trim().is_empty());
    let commit = commit.or_else(|| is_release.then(commit_of_git).flatten());
    let version = commit.map_or_else(|| version.clone(), |commit| format!("{version} ({})", commit.trim()));
    println!("cargo::rustc-env=SWITCHBOARD_VERSION={version}");
}

/// The short name of the commit and its date, such as `d559326 2026-11-28`.
fn commit_of_git() -> Option<String> {
    if let Some(log) = git(&["rev-parse", "--path-format=absolute", "--git-path", "logs/HEAD"]) {
        println!("cargo::rerun-if-changed={log}");
    }
    git(&["log", "-1", "--format=%h %cs"])
}

fn git(arguments: &[&str]) -> Option<String> {
    let output =
        Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}
