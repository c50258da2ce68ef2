//! How long a client would wait by itself before it comes again (C9).
//!
//! Many clients take `retry-after` in place of their own backoff, and come again a fixed number of times. In an outage
//! that they would have sat out without a gateway, a short `retry-after` makes them give up sooner: so it never is shorter
//! than that backoff. What real clients do, and what that comes to, stands in `docs/calls.md`, from `error/never_worse.rs`.

use std::time::Duration;

use http::HeaderMap;

use crate::headers;

/// The backoff of the official SDKs: 0.5 s, doubled with every retry, up to 8 s.
const SDK_MIN_BACKOFF: Duration = Duration::from_millis(500);
const SDK_MAX_BACKOFF: Duration = Duration::from_secs(8);

/// The first backoff of a client that does not count its retries: that of Vercel's AI SDK and of opencode.
const MIN_BACKOFF: Duration = Duration::from_secs(2);
/// The longest that is taken to be one: Claude Code's, with its jitter. Every client obeys a `retry-after` of this length.
const MAX_BACKOFF: Duration = Duration::from_secs(40);

/// Who decides how long the client waits by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientBackoff {
    /// It does not come again by itself.
    None,
    /// An official SDK, which has repeated the request this often.
    Sdk { retries: u32 },
    /// Nobody knows. A backoff that doubles is as long as all that went before it.
    Unknown,
}

impl ClientBackoff {
    /// By the headers of a request.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let retries = headers.get(headers::RETRY_COUNT).and_then(|value| value.to_str().ok()?.parse().ok());
        retries.map_or(Self::Unknown, |retries| Self::Sdk { retries })
    }

    /// The least that a client may be told to wait in an outage that has lasted for this long. One that doubles its backoff
    /// from the outage's beginning on is now about to wait for as long again, and a quarter more where it has jitter.
    pub(crate) fn at_least(self, outage: Duration) -> Duration {
        match self {
            Self::None => Duration::ZERO,
            Self::Sdk { retries } => {
                SDK_MIN_BACKOFF.saturating_mul(1 << retries.min(16)).min(SDK_MAX_BACKOFF)
            }
            Self::Unknown => (outage + outage / 4).clamp(MIN_BACKOFF, MAX_BACKOFF),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn an_sdk_says_how_often_it_came_again() {
        for (text, expected) in [
            (None, ClientBackoff::Unknown),
            (Some("0"), ClientBackoff::Sdk { retries: 0 }),
            (Some("3"), ClientBackoff::Sdk { retries: 3 }),
            (Some("many"), ClientBackoff::Unknown),
            (Some("-1"), ClientBackoff::Unknown),
        ] {
            let headers =
                text.map(|text| (headers::RETRY_COUNT, HeaderValue::from_static(text))).into_iter().collect();
            assert_eq!(ClientBackoff::of(&headers), expected, "{text:?}");
        }
    }

    #[test]
    fn no_wait_is_shorter_than_the_clients_own() {
        let sdk = |retries| ClientBackoff::Sdk { retries };
        for (backoff, outage, millis) in [
            (ClientBackoff::None, 60, 0),
            (sdk(0), 60, 500),
            (sdk(1), 60, 1_000),
            (sdk(4), 0, 8_000),
            (sdk(u32::MAX), 0, 8_000),
            (ClientBackoff::Unknown, 0, 2_000),
            (ClientBackoff::Unknown, 10, 12_500),
            (ClientBackoff::Unknown, 32, 40_000),
            (ClientBackoff::Unknown, 86_400, 40_000),
        ] {
            let wait = backoff.at_least(Duration::from_secs(outage));
            assert_eq!(wait, Duration::from_millis(millis), "{backoff:?} after {outage} s");
        }
    }
}
