//! The page at `/dashboard` in a real Chromium, with the real binary, a real Redis and simulated providers.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    dead_code,
    reason = "helpers of tests, some of them shared with other test programs"
)]

mod browser;
mod keys;
mod operating;
mod outage;
mod redis_unreachable;
mod screenshots;
#[path = "../fleet/support.rs"]
mod support;
mod untrusted_text;
mod world;
