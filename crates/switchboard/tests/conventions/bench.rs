//! What compares the counts of `bench/instructions` compares rightly.

use std::process::Command;

use crate::repository;

#[test]
fn comparison_of_counts_keeps_its_table() {
    let mut python = Command::new("python3");
    python.args(["-m", "unittest", "common.test_accepted"]).current_dir(repository::root().join("bench"));
    let output = python.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
