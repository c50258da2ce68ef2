//! How long a client waits for its response, as its SDK says it (C9).

use std::time::Duration;

use http::{HeaderMap, HeaderName};

/// The timeouts of the official SDKs: of a request, and of a read from the socket. Until the head of the response both
/// run, and the head comes with the first token.
const TIMEOUT_HEADERS: [HeaderName; 2] =
    [HeaderName::from_static("x-stainless-timeout"), HeaderName::from_static("x-stainless-read-timeout")];

/// The most by which the gateway is earlier than its client: an error says more than the client's own timeout.
const MAX_MARGIN: Duration = Duration::from_secs(1);

/// The longest that is worth to be read; a longer one is none.
const MAX_SECONDS: f64 = 24.0 * 3600.0;

/// The limits of a call in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CallLimit {
    pub(crate) duration: Duration,
    /// Whose limit it is, for the error.
    pub(crate) source: &'static str,
}

impl CallLimit {
    /// `timeouts.total`, or the client's own timeout if that is shorter. A buffered stream has its head at once and
    /// keep-alives afterwards, so its client's timeouts do not run.
    pub(crate) fn new(total: Duration, client_timeout: Option<Duration>, buffered: bool) -> Self {
        match client_timeout.filter(|_| !buffered) {
            Some(duration) if duration < total => Self { duration, source: "the client's own timeout" },
            _ => Self { duration: total, source: "timeouts.total" },
        }
    }
}

/// How long a client waits for its response, by its headers `x-stainless-timeout` and `x-stainless-read-timeout`: the shorter
/// one, less what an error needs to arrive in time. `None`: it does not say.
#[must_use]
pub fn client_timeout(headers: &HeaderMap) -> Option<Duration> {
    let seconds = |name: &HeaderName| headers.get(name)?.to_str().ok()?.trim().parse::<f64>().ok();
    let is_timeout = |seconds: &f64| (f64::MIN_POSITIVE..=MAX_SECONDS).contains(seconds);
    let shortest = TIMEOUT_HEADERS.iter().filter_map(seconds).filter(is_timeout).min_by(f64::total_cmp)?;
    let timeout = Duration::from_secs_f64(shortest);
    Some(timeout - (timeout / 20).min(MAX_MARGIN))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn limit(headers: &[(&'static str, &'static str)], buffered: bool) -> Duration {
        let header = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        let headers = headers.iter().map(header).collect();
        CallLimit::new(Duration::from_secs(600), client_timeout(&headers), buffered).duration
    }

    #[test]
    fn the_clients_own_timeout_is_a_limit() {
        let (timeout, read_timeout) = ("x-stainless-timeout", "x-stainless-read-timeout");
        for (headers, millis) in [
            (vec![], 600_000),
            (vec![(timeout, "600")], 599_000),
            (vec![(timeout, "900")], 600_000),
            (vec![(timeout, "600"), (read_timeout, "10.0")], 9_500),
            (vec![(read_timeout, "2")], 1_900),
        ] {
            assert_eq!(limit(&headers, false), Duration::from_millis(millis), "{headers:?}");
            assert_eq!(limit(&headers, true), Duration::from_secs(600), "{headers:?}");
        }
    }

    #[test]
    fn what_is_no_timeout_is_ignored() {
        for text in ["", "NOT_GIVEN", "None", "0", "-1", "inf", "NaN", "1e300"] {
            assert_eq!(limit(&[("x-stainless-timeout", text)], false), Duration::from_secs(600), "{text:?}");
        }
    }
}
