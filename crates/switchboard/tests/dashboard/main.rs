//! The page at `/dashboard` in a real Chromium: with the real binary, a real Redis and simulated providers; and with canned
//! answers for what these would take too long to bring about.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    dead_code,
    reason = "helpers of tests, some of them shared with other test programs"
)]

mod accessibility;
mod animation;
mod browser;
mod canned;
mod faults;
mod keys;
mod operating;
mod outage;
mod redis_unreachable;
mod screenshots;
mod states;
#[path = "../fleet/support.rs"]
mod support;
mod traffic;
mod untrusted_text;
mod using;
mod world;
