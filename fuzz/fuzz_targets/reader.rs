//! The target that `FUZZ_TARGET` names, for libFuzzer. See `crates/fuzz`.
#![no_main]

use std::sync::LazyLock;

use fuzz::{TARGETS, Target};
use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<&'static Target> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
    let target = TARGETS.iter().find(|target| target.name == name);
    target.unwrap_or_else(|| panic!("FUZZ_TARGET is {name:?}, expected one of {names:?}"))
});

fuzz_target!(|input: &[u8]| {
    if let Err(violation) = fuzz::run_once(&TARGET, input) {
        panic!("{violation}");
    }
});
