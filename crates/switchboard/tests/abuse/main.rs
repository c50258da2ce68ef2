//! The program, misused: by a reader of its log that stops reading, and by clients that take what they can (Q6, Q7).
//!
//! `SWITCHBOARD_PROGRAM` names another build of it, to compare.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail tests")]

mod flood;
mod log;
mod memory;
mod process;
