//! Requests with a wrong key: counted, and logged at most once a minute, so that guessing neither goes unseen
//! nor fills the log.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use prometheus_client::metrics::counter::Counter;

/// The log has at most one line about wrong keys in this time.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// The client's end of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RemoteAddress(pub(crate) SocketAddr);

/// The requests with a wrong key so far.
#[derive(Debug, Default)]
pub(crate) struct RejectedKeys {
    /// All of them.
    pub(crate) counter: Counter,
    unreported: Mutex<Unreported>,
}

/// What the log has not said yet.
#[derive(Debug, Default)]
struct Unreported {
    count: u64,
    last_address: Option<SocketAddr>,
    /// A line was logged in the last minute, and the next one is due at its end.
    waiting: bool,
}

impl RejectedKeys {
    /// A request from this address had a wrong key. The first is logged at once.
    pub(crate) fn record(self: &Arc<Self>, address: Option<RemoteAddress>) {
        self.counter.inc();
        let mut unreported = self.unreported();
        unreported.count += 1;
        unreported.last_address = address.map(|RemoteAddress(address)| address);
        if unreported.waiting {
            return;
        }
        unreported.waiting = true;
        unreported.log();
        drop(unreported);
        let this = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(LOG_INTERVAL).await;
                let Some(this) = this.upgrade() else { return };
                let mut unreported = this.unreported();
                if unreported.count == 0 {
                    unreported.waiting = false;
                    return;
                }
                unreported.log();
            }
        });
    }

    fn unreported(&self) -> MutexGuard<'_, Unreported> {
        self.unreported.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Unreported {
    fn log(&mut self) {
        let address = self.last_address.map(tracing::field::display);
        tracing::warn!(count = self.count, last_address = address, "requests with an unknown API key");
        self.count = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn they_are_counted_and_logged_once_a_minute() {
        let rejected = Arc::new(RejectedKeys::default());
        let address = Some(RemoteAddress("192.0.2.1:5".parse().unwrap()));
        rejected.record(address);
        assert_eq!(rejected.unreported().count, 0, "the first is logged at once");
        for _ in 0..5 {
            rejected.record(address);
        }
        assert_eq!((rejected.unreported().count, rejected.counter.get()), (5, 6));
        tokio::time::sleep(LOG_INTERVAL + Duration::from_millis(1)).await;
        assert_eq!(rejected.unreported().count, 0, "the others at the end of the minute");
        assert!(rejected.unreported().waiting);
        tokio::time::sleep(LOG_INTERVAL).await;
        assert!(!rejected.unreported().waiting, "a quiet minute ends it");
    }
}
