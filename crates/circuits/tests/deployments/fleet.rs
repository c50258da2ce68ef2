//! Instances that share circuits through one address.

use std::{sync::Arc, time::Duration};

use breaker::{Failure, InstanceId, ModelKey, Policy, State};
use circuits::{Circuits, Policies, RedisAddress, RedisStore, Settings, StoreStatus};
use testbed::wait_until;
use tokio::time::{Instant, sleep};

/// A change is handled within this time (F1).
const MAX_PROPAGATION_DELAY: Duration = Duration::from_millis(100);

/// Attempts at a time limit on a busy machine. The first success is enough.
const MAX_ATTEMPTS: usize = 20;

/// Two instances.
pub(crate) struct InstancePair {
    pub(crate) instances: [Circuits; 2],
}

impl InstancePair {
    pub(crate) async fn start(url: &str) -> Self {
        let instances = ["one", "two"].map(|name| {
            let address: RedisAddress = url.parse().unwrap();
            let store = Arc::new(RedisStore::start(address));
            let policy = Policy {
                min_failure_span: Duration::ZERO,
                open_duration: Duration::from_secs(60),
                max_open_duration: Duration::from_secs(60),
                ..Policy::default()
            };
            let policies = Policies { default: policy, ..Policies::default() };
            Circuits::start(store, Settings { policies, ..Settings::new(InstanceId::new(name)) })
        });
        let fleet = Self { instances };
        fleet.wait_until_connected().await;
        fleet
    }

    pub(crate) async fn wait_until_connected(&self) {
        wait_until("circuits are shared", async || {
            self.instances.iter().all(|instance| instance.store_status() == StoreStatus::Connected)
        })
        .await;
    }

    /// Waits until the instances notice; their circuits continue without Redis.
    pub(crate) async fn wait_until_unreachable(&self) {
        wait_until("Redis is found to be unreachable", async || {
            self.instances
                .iter()
                .any(|instance| matches!(instance.store_status(), StoreStatus::Degraded { .. }))
        })
        .await;
    }

    /// Fails calls through one instance until its circuit is open.
    pub(crate) async fn trip(&self, instance: usize, key: &ModelKey) {
        while let Ok(permit) = self.instances[instance].admit(key).await {
            permit.failed(Failure::status(503));
            sleep(Duration::from_millis(1)).await;
        }
    }

    /// Waits until an instance admits calls, or until it refuses them.
    pub(crate) async fn wait_until_admitted(&self, instance: usize, key: &ModelKey, admitted: bool) {
        let began = Instant::now();
        while self.instances[instance].admit(key).await.is_ok() != admitted {
            assert!(began.elapsed() < Duration::from_secs(60), "{key} stayed as it was in {instance}");
            sleep(Duration::from_millis(1)).await;
        }
    }

    /// Both handle an external write of a key in time, so both are subscribed to the server that has the key. The time limit
    /// has several attempts, as other tests run at the same time.
    pub(crate) async fn assert_change_arrives(
        &self,
        key: &ModelKey,
        mut redis: impl AsyncFnMut(&[&str]) -> String,
    ) {
        let name = format!("circuit_breaker:{key}");
        let mut shortest = Duration::MAX;
        for _ in 0..MAX_ATTEMPTS {
            self.wait_until_admitted(0, key, true).await;
            self.wait_until_admitted(1, key, true).await;
            redis(&["SET", &name, r#"{"state":"OPEN"}"#]).await;
            // The time that the writing program takes to start does not count.
            let began = Instant::now();
            self.wait_until_admitted(0, key, false).await;
            self.wait_until_admitted(1, key, false).await;
            shortest = shortest.min(began.elapsed());
            redis(&["DEL", &name]).await;
            if shortest < MAX_PROPAGATION_DELAY {
                return;
            }
        }
        panic!("{key}: an external write was handled only after {shortest:?}");
    }

    /// The circuit is open for both, and its history has that once.
    pub(crate) async fn assert_open_for_all(&self, key: &ModelKey) {
        self.wait_until_admitted(0, key, false).await;
        self.wait_until_admitted(1, key, false).await;
        let history = self.instances[1].history(key, 100).await.unwrap();
        let openings = history.iter().filter(|entry| entry.to == State::Open).count();
        assert_eq!(openings, 1, "{key}: {history:?}");
    }
}

pub(crate) fn key(name: &str) -> ModelKey {
    ModelKey::new("sim", name).unwrap()
}
