//! What instances tell each other of themselves, for display. No decision depends on it.
//!
//! A heartbeat is best effort: an unreachable store, or a Redis user without the rights, costs the page a view of the fleet and
//! nothing else.

use breaker::{InstanceId, ModelKey, State, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{circuits::Circuits, store::StoreError, store_health::StoreStatus};

/// The most models that a heartbeat lists as open.
const MAX_OPEN: usize = 100;

/// The most buckets that are taken of another instance's heartbeat.
const MAX_BUCKETS: usize = 90;

/// An instance as it says itself, once in [`HEARTBEAT_INTERVAL`](crate::HEARTBEAT_INTERVAL).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Heartbeat {
    /// Its name.
    pub id: InstanceId,
    /// The version of its program.
    pub version: String,
    /// When it started (Unix ms).
    pub started_at: Timestamp,
    /// When it wrote this (Unix ms).
    pub at: Timestamp,
    /// `connected`, `degraded` or `embedded`.
    pub store: String,
    /// Calls in flight.
    pub in_flight: u64,
    /// Calls that ended in the last minute.
    pub requests_per_minute: u64,
    /// Those that failed by the gateway or a provider.
    pub failed_per_minute: u64,
    /// Those that another model than one of their chain's first group answered.
    pub fallbacks_per_minute: u64,
    /// The models whose circuit it holds for open; 100 at most.
    pub open: Vec<String>,
}

/// The calls of an instance in the last 15 minutes, by buckets that begin at whole multiples of their length. Oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallCounts {
    /// The length of a bucket.
    pub bucket_ms: u64,
    /// The end of the last bucket (Unix ms).
    pub end: Timestamp,
    /// Calls that ended.
    pub requests: Vec<u64>,
    /// Those that failed by the gateway or a provider.
    pub failed: Vec<u64>,
    /// Those that another model than one of their chain's first group answered.
    pub fallbacks: Vec<u64>,
}

/// A heartbeat as it is in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeartbeatRecord {
    /// The instance.
    #[serde(flatten)]
    pub heartbeat: Heartbeat,
    /// Its calls.
    pub traffic: CallCounts,
}

impl HeartbeatRecord {
    /// Reads it, bounded in what is displayed; `None`: it is no heartbeat.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut record: Self = serde_json::from_slice(text).ok()?;
        record.heartbeat.open.retain(|key| key.parse::<ModelKey>().is_ok());
        record.heartbeat.open.truncate(MAX_OPEN);
        let CallCounts { requests, failed, fallbacks, .. } = &mut record.traffic;
        for counts in [requests, failed, fallbacks] {
            let excess = counts.len().saturating_sub(MAX_BUCKETS);
            counts.drain(..excess);
        }
        // What is displayed of it is bounded, whoever wrote it.
        let is_name = |text: &str| text.len() <= 64 && text.chars().all(|c| c.is_ascii_graphic());
        (is_name(&record.heartbeat.version) && is_name(&record.heartbeat.store)).then_some(record)
    }
}

impl Circuits {
    /// Tells the other instances of the store about this one. It does nothing while the store is unreachable.
    ///
    /// # Errors
    /// The store did not take it.
    pub async fn send_heartbeat(&self, record: &HeartbeatRecord) -> Result<(), StoreError> {
        if self.store_status() != StoreStatus::Connected {
            return Ok(());
        }
        let text = serde_json::to_vec(record).map_err(|error| StoreError::Rejected(error.to_string()))?;
        self.0.store.set_heartbeat(self.instance(), Some(text.into()), self.now()).await
    }

    /// Takes this instance off the list: it is about to end.
    ///
    /// # Errors
    /// The store did not take it.
    pub async fn remove_heartbeat(&self) -> Result<(), StoreError> {
        if self.store_status() != StoreStatus::Connected {
            return Ok(());
        }
        self.0.store.set_heartbeat(self.instance(), None, self.now()).await
    }

    /// The last heartbeat of each instance that lives, by name; none of a store that is of this process alone, or while it is
    /// unreachable.
    ///
    /// # Errors
    /// The store could not be read.
    pub async fn heartbeats(&self) -> Result<Vec<HeartbeatRecord>, StoreError> {
        if self.store_status() != StoreStatus::Connected {
            return Ok(Vec::new());
        }
        let texts = self.0.store.heartbeats().await?;
        let mut records: Vec<_> = texts
            .into_iter()
            .filter_map(|(id, text)| HeartbeatRecord::parse(&text).filter(|record| record.heartbeat.id == id))
            .collect();
        records.sort_by(|a, b| a.heartbeat.id.cmp(&b.heartbeat.id));
        Ok(records)
    }

    /// The models whose circuit is open here, by name; as many as a heartbeat lists.
    #[must_use]
    pub fn open_models(&self) -> Vec<String> {
        let open = self.reports().into_iter().filter(|report| report.state == State::Open);
        open.map(|report| report.key.to_string()).take(MAX_OPEN).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_displayed_of_a_heartbeat_is_bounded() {
        let text = |version: &str, buckets: usize| {
            let counts = vec!["1"; buckets].join(",");
            format!(
                r#"{{"id":"a","version":"{version}","startedAt":1,"at":2,"store":"connected","inFlight":0,
                "requestsPerMinute":0,"failedPerMinute":0,"fallbacksPerMinute":0,"open":["openai:m","none"],"later":true,
                "traffic":{{"bucketMs":10000,"end":3,"requests":[{counts}],"failed":[],"fallbacks":[]}}}}"#
            )
        };
        let parse = |text: &str| HeartbeatRecord::parse(text.as_bytes());
        let record = parse(&text("0.1.0", 200)).unwrap();
        assert_eq!(record.traffic.requests.len(), MAX_BUCKETS);
        assert_eq!(record.heartbeat.open, ["openai:m"]);
        assert_eq!(parse(&serde_json::to_string(&record).unwrap()), Some(record));
        for bad in [text(&"9".repeat(65), 1), text("a b", 1), "{}".to_owned(), "no JSON".to_owned()] {
            assert_eq!(parse(&bad), None, "{bad}");
        }
    }
}
