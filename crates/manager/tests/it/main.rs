//! The ModelManager against simulated providers: real HTTP on loopback, circuits in memory.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

mod accumulate;
mod agent_errors;
mod agents;
mod buffering;
mod chain;
mod conversations;
mod equals;
mod faults;
mod formats;
mod hedge;
mod loops;
mod order;
mod reasoning;
mod received;
mod stream_usage;
mod streams;
mod support;
mod translate;
mod wait_budget;
