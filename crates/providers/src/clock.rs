//! Whether this machine's clock explains that a proof was refused, which is valid for some minutes only.

use std::time::{Duration, SystemTime};

use http::header::{DATE, HeaderMap};

/// AWS' signatures are valid for so long before and after their time, and Google accepts no assertion from further ahead.
const MAX_CLOCK_SKEW: Duration = Duration::from_secs(5 * 60);

/// How far this machine's clock is off by that of a response, if it is off too far: `7 minutes ahead of`.
pub(crate) fn skew(headers: &HeaderMap, now: SystemTime) -> Option<String> {
    let there = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()?;
    let (distance, direction) = match now.duration_since(there) {
        Ok(ahead) => (ahead, "ahead of"),
        Err(behind) => (behind.duration(), "behind"),
    };
    (distance > MAX_CLOCK_SKEW).then(|| format!("{} minutes {direction}", distance.as_secs() / 60))
}
