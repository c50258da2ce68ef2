//! Conventions of the repository that neither the compiler nor clippy checks.
//!
//! `SWITCHBOARD_ROOT` names another checkout to look at. The graphs of files, for a person:
//! `cargo test -p switchboard --test conventions -- --ignored --nocapture print_module_graphs`.
#![expect(clippy::panic, reason = "helpers of tests fail tests")]

mod bench;
mod cycles;
mod graph;
mod imports;
mod modules;
mod names;
mod repository;
mod resolve;
mod rules;
