//! What an operator looks at: metrics through a real Prometheus, traces at a collector, the live table on a terminal.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    dead_code,
    reason = "helpers of tests, some of them shared with other test programs"
)]

mod collector;
mod metrics;
#[path = "../support/program.rs"]
mod program;
#[path = "../fleet/support.rs"]
mod support;
mod traces;
mod watch;

/// Where a directory is.
fn path_of(directory: &program::TempDir) -> std::path::PathBuf {
    let command = directory.command(&[], &[]);
    command.as_std().get_current_dir().expect("it is run there").to_owned()
}
