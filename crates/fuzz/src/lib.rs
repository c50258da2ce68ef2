//! Fuzz targets for everything that is read from outside: never breaking, whatever comes.
//!
//! Clients, providers, Redis, configuration files and the environment are read by code that must not panic, must not take
//! more memory or time than its input is worth, and must write what others can read. Laws about well-formed requests and
//! answers are tested where their readers are (`translate::laws`, `tests/properties.rs` of `breaker`); the targets here begin with
//! recorded traffic and break it.
//!
//! ```text
//!   tests/readers.rs   one test per target                     ../../fuzz   the same targets for libFuzzer
//!        │
//!   runner ──▶ mutate ──▶ mutate_json ──▶ dictionary           makes inputs, keeps those that show something new
//!     │  └───▶ minimize                                        makes an input that fails short
//!   execution                                                  runs a target once: panics, memory, time
//!   repetitions                                            inputs with very many of something
//!   targets ──▶ targets/*                                      the table; one file per kind of reader
//!     │           └──▶ recordings   cuts   json_law
//!   target ──▶ features                                        a target; what distinguishes two executions
//! ```
//!
//! A [`Target`] is a function over bytes that asserts, and that names what it saw: which error, which fields were written
//! ([`Features`]). An input with a new feature is kept and mutated further. That is coarser than the coverage of a compiler, needs
//! none, and finds its way through stable Rust at the speed of the tests. What holds for all targets:
//!
//! - no panic; arithmetic that overflows is one;
//! - at most [`Memory::bound`] bytes allocated at one time;
//! - processor time in proportion to the input: an input that repeats a piece of another may take three times its share;
//! - pieces of any length give the same as the whole, for what arrives in pieces;
//! - what is written as JSON parses, and what is written in an API format is read by that format's reader without a fault;
//! - what is accepted as a record, an entry, a key or an address is the same when written and read again;
//! - no password is shown.
//!
//! # Running
//!
//! As a part of the suite, every target has ten seconds. By hand, with a variable or two:
//!
//! ```sh
//! # An hour for each target, in a build that is fast and has all checks.
//! FUZZ_SECONDS=3600 cargo test --profile fuzz -p fuzz --test readers
//! # One target, one core, the inputs of an earlier run.
//! FUZZ_SEED=42 FUZZ_SECONDS=600 cargo test --profile fuzz -p fuzz --test readers -- stream --test-threads 1
//! # One input.
//! FUZZ_INPUT=target/tmp/stream.input cargo test -p fuzz --test readers -- stream
//! # More recordings, in the form of crates/translate/tests/recordings.
//! FUZZ_RECORDINGS=folder cargo test -p fuzz --test readers
//! ```
//!
//! A fault is minimized and printed as a byte string, with the seed of the run; the input is also written to `target/tmp`. It
//! becomes a test of the reader's own crate, beside its reader.
//!
//! libFuzzer, which follows the coverage of the compiler, runs the same targets, where there is a nightly toolchain:
//!
//! ```sh
//! FUZZ_EXPORT=$PWD/fuzz/corpus cargo test -p fuzz --test readers    # the seeds as files
//! FUZZ_TARGET=stream cargo +nightly fuzz run --sanitizer none reader fuzz/corpus/stream -- -max_total_time=3600
//! ```
//!
//! # Adding a target
//!
//! 1. A function `fn(&[u8], &mut Features)` in a file of `targets/`, which reads the bytes and asserts; and one that gives seeds. A
//!    reader that is private to its crate is made callable in that crate's `fuzzing` module, which is hidden from its documentation.
//! 2. A row in [`TARGETS`]. Its memory is a bound that the runs stay below by half; `cargo test … -- NAME` prints what they took.
//! 3. Nothing else: the test, libFuzzer and the export take the table. With more than 16 targets of ten seconds, the suite on two cores
//!    takes longer than it should: give one of them less.
//!
//! # Why not a library
//!
//! `bolero` would bring seventeen crates for what is here 700 lines, and makes random bytes on stable Rust, where it follows no coverage;
//! `proptest` makes structured values and knows no corpus. Neither measures memory or growth.

mod cuts;
mod dictionary;
mod execution;
mod features;
mod json_law;
mod minimize;
mod mutate;
mod mutate_json;
mod recordings;
mod repetitions;
mod runner;
mod target;
mod targets;

pub use execution::{Cost, Violation, silence_panics};
pub use features::{FeatureSet, Features};
pub use recordings::MORE_RECORDINGS;
pub use repetitions::{REPETITIONS, Repetition};
pub use runner::{Failure, Settings, Summary, run, run_once};
pub use target::{Memory, Target};
pub use targets::TARGETS;
