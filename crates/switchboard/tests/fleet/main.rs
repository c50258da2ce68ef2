//! The real binary, several times over, on one real Redis, with simulated providers behind it.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    unreachable_pub,
    dead_code,
    reason = "helpers of tests, some of them shared with other test programs"
)]

mod accounting;
mod api;
mod deployments;
mod good_calls;
mod heartbeats;
mod limits;
mod never_worse;
mod poison;
#[path = "../support/program.rs"]
mod program;
mod redis_unreachable;
mod sdks;
mod shared;
mod stop;
mod support;
