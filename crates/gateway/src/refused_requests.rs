//! Requests that no model was asked for: a wrong key, an unknown path, a body that is too large. They are counted, and each
//! kind is logged at most once a minute, so that they neither go unseen nor fill the log.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::Response;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
};

/// The log has at most one line about a kind in this time.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// The longest path in the log, in characters.
const MAX_PATH_CHARS: usize = 80;

/// The codes that occur everywhere.
const USUAL_CODES: [&str; 4] = ["invalid_api_key", "not_found", "request_too_large", "overloaded"];

/// The client's end of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RemoteAddress(pub(crate) SocketAddr);

/// Marks a response that is one of the gateway's own errors and is in no call's record: the error's code.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refusal(pub(crate) &'static str);

/// The requests that were refused so far.
#[derive(Debug, Default)]
pub(crate) struct RefusedRequests {
    /// Those with a wrong key.
    pub(crate) wrong_keys: Counter,
    /// All of them.
    pub(crate) counter: Family<RefusalLabels, Counter>,
    /// By code.
    unreported: Mutex<HashMap<&'static str, Unreported>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct RefusalLabels {
    code: &'static str,
}

/// What the log has not said yet. There is none unless a line was logged in the last minute: the next one is due at its end.
#[derive(Debug, Default)]
struct Unreported {
    count: u64,
    last_address: Option<SocketAddr>,
    last_path: String,
}

impl RefusedRequests {
    pub(crate) fn new() -> Self {
        let this = Self::default();
        for code in USUAL_CODES {
            // A rate needs the 0 before the first.
            this.counter.get_or_create(&RefusalLabels { code }).inc_by(0);
        }
        this
    }

    /// The response to a request of this path from this address, if it is a refusal. The first is logged at once.
    pub(crate) fn record<B>(self: &Arc<Self>, response: &Response<B>, path: &str, address: RemoteAddress) {
        let Some(&Refusal(code)) = response.extensions().get() else { return };
        self.counter.get_or_create(&RefusalLabels { code }).inc();
        let mut all = self.unreported();
        let is_first = !all.contains_key(code);
        let unreported = all.entry(code).or_default();
        unreported.count += 1;
        unreported.last_address = Some(address.0);
        unreported.last_path = printable(path);
        if !is_first {
            return;
        }
        unreported.log(code);
        drop(all);
        let this = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(LOG_INTERVAL).await;
                let Some(this) = this.upgrade() else { return };
                let mut all = this.unreported();
                match all.get_mut(code) {
                    Some(unreported) if unreported.count > 0 => unreported.log(code),
                    _ => {
                        all.remove(code);
                        return;
                    }
                }
            }
        });
    }

    fn unreported(&self) -> MutexGuard<'_, HashMap<&'static str, Unreported>> {
        self.unreported.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Unreported {
    fn log(&mut self, code: &'static str) {
        let address = self.last_address.map(tracing::field::display);
        tracing::warn!(
            %code,
            count = self.count,
            last_address = address,
            last_path = %self.last_path,
            "requests refused"
        );
        self.count = 0;
    }
}

/// The path without what could be taken for something else in a log.
fn printable(path: &str) -> String {
    let printable = |char: char| if char.is_ascii_graphic() { char } else { '?' };
    path.chars().take(MAX_PATH_CHARS).map(printable).collect()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn refusal(code: &'static str) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        response.extensions_mut().insert(Refusal(code));
        response
    }

    #[tokio::test(start_paused = true)]
    async fn each_kind_is_counted_and_logged_once_a_minute() {
        let refused = Arc::new(RefusedRequests::default());
        let address = RemoteAddress("192.0.2.1:5".parse().unwrap());
        let waiting = |code| refused.unreported().get(code).map(|unreported| unreported.count);
        refused.record(&refusal("not_found"), "/a", address);
        assert_eq!(waiting("not_found"), Some(0), "the first is logged at once");
        for _ in 0..5 {
            refused.record(&refusal("not_found"), "/b", address);
        }
        refused.record(&refusal("invalid_api_key"), "/c", address);
        refused.record(&Response::new(Body::empty()), "/d", address);
        assert_eq!((waiting("not_found"), waiting("invalid_api_key")), (Some(5), Some(0)));
        let count = |code| refused.counter.get_or_create(&RefusalLabels { code }).get();
        assert_eq!((count("not_found"), count("invalid_api_key")), (6, 1));
        tokio::time::sleep(LOG_INTERVAL + Duration::from_millis(1)).await;
        assert_eq!(waiting("not_found"), Some(0), "the others at the end of the minute");
        tokio::time::sleep(LOG_INTERVAL).await;
        assert_eq!(waiting("not_found"), None, "a quiet minute ends it");
    }

    #[test]
    fn a_path_cannot_forge_a_line() {
        assert_eq!(printable("/v1/\u{1b}[31m\nerror ü"), "/v1/?[31m?error??");
        assert_eq!(printable(&"/x".repeat(1_000)).len(), MAX_PATH_CHARS);
    }
}
