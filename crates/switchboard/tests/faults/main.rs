//! Real faults: several real instances under steady traffic on a real Redis, and what breaks between them.
//!
//! Every test breaks one thing, and asserts the same of all of them: no call is lost for it, none waits for it, the
//! user is told, and all is well after (F3, F4). What was measured is printed as a row of a table; `docs/parts/faults.md`
//! keeps those of one run:
//!
//! ```sh
//! cargo test -p switchboard --test faults -- --nocapture --test-threads 1 | grep '^|'
//! ```
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]
#![expect(clippy::expect_used, clippy::panic, unreachable_pub, reason = "helpers that test programs share")]

mod clients;
mod commands;
mod fleet;
mod instances;
mod keys;
mod load;
mod network;
mod open_swe;
mod process;
#[expect(dead_code, reason = "shared with the tests of commands")]
#[path = "../support/program.rs"]
mod program;
mod refusals;
#[expect(dead_code, reason = "shared with the tests of the fleet")]
#[path = "../fleet/support.rs"]
mod support;
mod trial;
