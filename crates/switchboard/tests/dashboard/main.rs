//! The page at `/dashboard`, in a real Chromium, before the real binary, a real Redis and simulated providers.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    dead_code,
    reason = "helpers of tests, some of them shared with other test programs"
)]

mod away;
mod browser;
mod hostile;
mod keys;
mod operating;
mod outage;
mod pictures;
#[path = "../fleet/support.rs"]
mod support;
mod world;
