//! Waiting for a condition.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// A condition that takes longer counts as never met.
const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

/// Polls until a condition holds that sends no notification.
///
/// # Panics
/// It does not hold in time.
pub async fn wait_until(what: &str, mut reached: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + WAIT_TIMEOUT;
    while !reached().await {
        assert!(Instant::now() < end, "timed out waiting for: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}
