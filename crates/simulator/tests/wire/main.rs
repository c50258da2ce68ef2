//! The simulator as an HTTP client sees it.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test's helpers may fail the test")]

mod anthropic;
mod client;
mod connections;
mod error_responses;
mod faults;
mod latency;
mod openai;
mod process;
mod response_shapes;
mod scripts;
mod traffic;
