//! What the page shows besides the circuits: the traffic of the last 15 minutes, where calls of each route go, and the
//! instances that share the store.
//!
//! Instances tell each other of themselves by heartbeats, once in 10 seconds. Those of others are read only while somebody
//! looks, at most once in [`MAX_AGE`], so that a fleet that nobody looks at costs Redis little.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use breaker::{Timestamp, millis};
use circuits::{CallCounts, Circuits, HEARTBEAT_INTERVAL, Heartbeat, HeartbeatRecord};
use manager::{
    BUCKET, BUCKETS, ModelManager, ModelSeries, RouteStatus, Series, Traffic, TrafficReport, route_statuses,
};
use serde::Serialize;
use tokio::{
    sync::Mutex,
    time::{Instant, sleep, timeout},
};

use crate::{demo_providers::DemoProviders, store_report::StoreReport};

/// The heartbeats of others are read again after this time.
const MAX_AGE: Duration = Duration::from_secs(5);

/// How long a reader waits for them; after that, it gets those that were read before.
const READ_TIMEOUT: Duration = Duration::from_millis(250);

/// How long a heartbeat may take.
const SEND_TIMEOUT: Duration = Duration::from_secs(2);

/// How long the end of a process waits for its heartbeat to be deleted.
const REMOVE_TIMEOUT: Duration = Duration::from_millis(500);

/// An instance is gone once its last heartbeat is older than this.
const HEARTBEAT_TTL: Duration = HEARTBEAT_INTERVAL.saturating_mul(3);

/// Each instance sends its heartbeats up to this much after the end of a bucket, so that not all do at once.
const MAX_DELAY_MS: u64 = 2_000;

/// So long after a bucket's end it is sampled: the store's clock may be put back a little.
const MARGIN: Duration = Duration::from_millis(20);

/// This instance and the others.
#[derive(Debug)]
pub(crate) struct Fleet {
    manager: Arc<ModelManager>,
    traffic: Traffic,
    started_at: Timestamp,
    /// The heartbeats of the others, as they were last read.
    others: RwLock<Vec<HeartbeatRecord>>,
    /// When they were read. Locked while somebody reads.
    last_read: Mutex<Option<Instant>>,
    /// Only in a demonstration.
    pub(crate) demo: Option<Arc<dyn DemoProviders>>,
}

/// What the page shows of the fleet. `event: traffic`.
#[derive(Debug, Serialize)]
pub(crate) struct FleetReport {
    traffic: TrafficView,
    routes: Vec<RouteStatus>,
    /// By name.
    instances: Vec<Heartbeat>,
}

/// The traffic of the last 15 minutes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct TrafficView {
    /// Whose calls the counts of `total` are: `fleet` or `instance`.
    scope: &'static str,
    /// Whose everything else is: routes, models and times.
    parts_scope: &'static str,
    bucket_ms: u64,
    /// The end of the last bucket, which still grows.
    end: Timestamp,
    total: Series,
    routes: BTreeMap<String, Series>,
    models: BTreeMap<String, ModelSeries>,
}

/// The simulated providers of a demonstration.
#[derive(Debug, Serialize)]
pub(crate) struct DemoReport {
    providers: Vec<String>,
    broken: Vec<String>,
}

impl Fleet {
    pub(crate) fn new(manager: Arc<ModelManager>, demo: Option<Arc<dyn DemoProviders>>) -> Arc<Self> {
        let now = manager.circuits().now();
        Arc::new(Self {
            traffic: Traffic::new(Arc::clone(manager.metrics()), now),
            manager,
            started_at: now,
            others: RwLock::default(),
            last_read: Mutex::default(),
            demo,
        })
    }

    pub(crate) const fn manager(&self) -> &Arc<ModelManager> {
        &self.manager
    }

    pub(crate) fn circuits(&self) -> &Circuits {
        self.manager.circuits()
    }

    pub(crate) fn demo_report(&self) -> Option<DemoReport> {
        self.demo.as_ref().map(|demo| DemoReport { providers: demo.names(), broken: demo.broken() })
    }

    /// Samples the traffic and sends heartbeats, until it is cancelled. A heartbeat that fails is the loss of the page alone.
    pub(crate) async fn run(self: Arc<Self>) {
        let delay = Duration::from_millis(self.delay_ms());
        loop {
            if let Ok(Err(error)) =
                timeout(SEND_TIMEOUT, self.circuits().send_heartbeat(&self.record())).await
            {
                tracing::debug!(%error, "no heartbeat");
            }
            let bucket = millis(BUCKET);
            let left = bucket - self.circuits().now().as_millis() % bucket;
            sleep(Duration::from_millis(left) + MARGIN).await;
            self.traffic.sample(self.circuits().now());
            sleep(delay).await;
        }
    }

    /// Takes this instance off the others' lists.
    pub(crate) async fn withdraw(&self) {
        // It expires anyway.
        _ = timeout(REMOVE_TIMEOUT, self.circuits().remove_heartbeat()).await;
    }

    fn delay_ms(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.circuits().instance().hash(&mut hasher);
        hasher.finish() % MAX_DELAY_MS
    }

    /// Reads the heartbeats of the others, unless that was just done or somebody does it.
    pub(crate) async fn refresh(&self) {
        let Ok(mut last_read) = self.last_read.try_lock() else { return };
        if last_read.is_some_and(|at| at.elapsed() < MAX_AGE) {
            return;
        }
        let read = timeout(READ_TIMEOUT, self.circuits().heartbeats()).await;
        *last_read = Some(Instant::now());
        if let Ok(Ok(mut records)) = read {
            records.retain(|record| record.heartbeat.id != *self.circuits().instance());
            *self.others.write().unwrap_or_else(PoisonError::into_inner) = records;
        }
    }

    /// What is known now, with the last `limit` buckets.
    pub(crate) fn report(&self, limit: usize) -> FleetReport {
        let now = self.circuits().now();
        let whole = self.traffic.report(now, BUCKETS);
        let own = self.heartbeat(&whole, now);
        let TrafficReport { end, mut total, routes, models, .. } =
            if limit < BUCKETS { self.traffic.report(now, limit) } else { whole };
        let others = self.others(now);
        let scope = if others.is_empty() { "instance" } else { "fleet" };
        for other in &others {
            add_counts(&mut total, end, &other.traffic, limit);
        }
        let mut instances: Vec<_> = others.into_iter().map(|record| record.heartbeat).chain([own]).collect();
        instances.sort_by(|a, b| a.id.cmp(&b.id));
        FleetReport {
            traffic: TrafficView {
                scope,
                parts_scope: "instance",
                bucket_ms: millis(BUCKET),
                end,
                total,
                routes,
                models,
            },
            routes: route_statuses(&self.manager.catalog(), self.circuits()),
            instances,
        }
    }

    /// The others that live and share the store with this instance.
    fn others(&self, now: Timestamp) -> Vec<HeartbeatRecord> {
        if StoreReport::new(self.circuits()).state != "connected" {
            return Vec::new();
        }
        let others = self.others.read().unwrap_or_else(PoisonError::into_inner);
        others.iter().filter(|other| now.since(other.heartbeat.at) <= HEARTBEAT_TTL).cloned().collect()
    }

    fn record(&self) -> HeartbeatRecord {
        let now = self.circuits().now();
        let report = self.traffic.report(now, BUCKETS);
        let heartbeat = self.heartbeat(&report, now);
        let Series { requests, failed, fallbacks, .. } = report.total;
        let traffic = CallCounts { bucket_ms: millis(BUCKET), end: report.end, requests, failed, fallbacks };
        HeartbeatRecord { heartbeat, traffic }
    }

    fn heartbeat(&self, report: &TrafficReport, now: Timestamp) -> Heartbeat {
        let [requests, failed, fallbacks] = report.total.last_minute();
        Heartbeat {
            id: self.circuits().instance().clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: self.started_at,
            at: now,
            store: StoreReport::new(self.circuits()).state.to_owned(),
            in_flight: report.in_flight,
            requests_per_minute: requests,
            failed_per_minute: failed,
            fallbacks_per_minute: fallbacks,
            open: self.circuits().open_models(),
        }
    }
}

/// Adds the counts of another instance to those whose last bucket ends at `end`. Its buckets are the same times: an older one
/// than any of these becomes the first, as long as there are no more than `limit`.
fn add_counts(total: &mut Series, end: Timestamp, other: &CallCounts, limit: usize) {
    if other.bucket_ms != millis(BUCKET) {
        return;
    }
    let number = |time: Timestamp| time.as_millis() / millis(BUCKET);
    // How many buckets it is behind; what it is ahead is not shown yet.
    let behind = usize::try_from(number(end).saturating_sub(number(other.end))).unwrap_or(usize::MAX);
    let ahead = usize::try_from(number(other.end).saturating_sub(number(end))).unwrap_or(usize::MAX);
    let length = other.requests.len().saturating_sub(ahead).saturating_add(behind).min(limit);
    let missing = length.saturating_sub(total.requests.len());
    let Series { requests, failed, fallbacks, ttft_p50_ms, ttft_p95_ms } = total;
    for times in [ttft_p50_ms, ttft_p95_ms] {
        times.splice(0..0, std::iter::repeat_n(None, missing));
    }
    for (counts, more) in
        [(requests, &other.requests), (failed, &other.failed), (fallbacks, &other.fallbacks)]
    {
        counts.splice(0..0, std::iter::repeat_n(0, missing));
        for (count, more) in counts.iter_mut().rev().skip(behind).zip(more.iter().rev().skip(ahead)) {
            *count = count.saturating_add(*more);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_of_others_are_added_bucket_by_bucket() {
        // How long its last bucket ended after ours (s), its counts, the limit, and the sum.
        for (after, counts, limit, expected) in [
            (0, &[1, 1][..], 90, &[10, 21, 31][..]),
            (-10, &[1, 2], 90, &[11, 22, 30]),
            (10, &[1, 2, 3], 90, &[10, 21, 32]),
            (0, &[7, 1, 1, 1], 90, &[7, 11, 21, 31]),
            (0, &[7, 1, 1, 1], 3, &[11, 21, 31]),
            (-1_000, &[7], 3, &[10, 20, 30]),
            (0, &[], 90, &[10, 20, 30]),
        ] {
            let mut total = Series { requests: vec![10, 20, 30], failed: vec![0; 3], ..Series::default() };
            let end = 2_000_000_u64.saturating_add_signed(after * 1_000);
            let requests = counts.to_vec();
            let other = CallCounts {
                bucket_ms: 10_000,
                end: Timestamp::from_millis(end),
                requests,
                ..CallCounts::default()
            };
            add_counts(&mut total, Timestamp::from_millis(2_000_000), &other, limit);
            assert_eq!(total.requests, expected, "{after} {counts:?} {limit}");
            assert_eq!(total.failed, vec![0; expected.len()], "{after} {counts:?} {limit}");
        }
    }
}
