//! The simulator as an HTTP client sees it.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test's helpers may fail the test")]

mod bedrock;
mod chat;
mod client;
mod connections;
mod content;
mod error_responses;
mod faults;
mod gemini;
mod histories;
mod latency;
mod messages;
mod process;
mod response_shapes;
mod responses;
mod scripts;
mod token_counts;
mod traffic;
