//! The real binary, several times over, on one real Redis, with simulated providers behind it.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

mod accounting;
mod good_calls;
mod limits;
mod redis_away;
mod sdks;
mod shared;
mod stop;
mod support;
