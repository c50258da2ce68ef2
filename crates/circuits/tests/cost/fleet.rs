//! Four instances on one Redis, with callers, and what they cost it.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use ::redis::{AsyncConnectionConfig, PushKind, aio::MultiplexedConnection, cmd};
use breaker::{Failure, InstanceId, ModelKey, Policy, State};
use circuits::{Circuits, Permit, Policies, RedisAddress, RedisDeployment, RedisStore, Settings, Timing};
use futures_util::future::join_all;
use testbed::RedisServer;
use tokio::{sync::Barrier, time::sleep};

use crate::cost_report::{CommandCounts, CostReport, parse_command_stats};

pub(crate) const INSTANCE_COUNT: usize = 4;

/// In flight at once, in each instance.
pub(crate) const CALLS_PER_INSTANCE: usize = 64;

/// After this long a change causes nothing more: reads are 20 ms apart, counts 100 ms.
const SETTLE_DELAY: Duration = Duration::from_millis(150);

pub(crate) struct Fleet {
    key: ModelKey,
    instances: Vec<Circuits>,
    stats_connection: MultiplexedConnection,
    /// Received by one subscriber; each instance receives as many.
    pushes: Arc<AtomicU64>,
    last_counts: Mutex<(CommandCounts, u64)>,
    _server: RedisServer,
}

impl Fleet {
    pub(crate) async fn start() -> Self {
        let server = RedisServer::start().await;
        let address: RedisAddress = server.url().parse().unwrap();
        let instances = join_all((0..INSTANCE_COUNT).map(|n| instance(n, &address))).await;
        let key: ModelKey = "anthropic:claude-sonnet-4-5".parse().unwrap();
        for circuits in &instances {
            circuits.admit(&key).await.unwrap().succeeded();
        }
        let (account, pushes) = count_pushes(&address).await;
        Self {
            key,
            instances,
            stats_connection: account,
            pushes,
            last_counts: Mutex::default(),
            _server: server,
        }
    }

    /// The cost since the last report, once nothing more follows.
    pub(crate) async fn cost_of(&self, what: String) -> CostReport {
        let mut counts = self.counts().await;
        loop {
            sleep(SETTLE_DELAY).await;
            let later = self.counts().await;
            if later == counts {
                break;
            }
            counts = later;
        }
        let pushes = self.pushes.load(Ordering::SeqCst);
        let mut last = self.last_counts.lock().unwrap();
        let bill = CostReport::new(what, &last.0, &counts, (pushes - last.1) * INSTANCE_COUNT as u64);
        *last = (counts, pushes);
        bill
    }

    async fn counts(&self) -> CommandCounts {
        let mut account = self.stats_connection.clone();
        parse_command_stats(
            &cmd("INFO").arg("commandstats").query_async::<String>(&mut account).await.unwrap(),
        )
    }

    pub(crate) async fn succeed_all(&self) {
        self.end_all(Permit::succeeded).await;
    }

    pub(crate) async fn fail_all(&self) {
        self.end_all(|permit| permit.failed(Failure::status(529))).await;
        self.wait_until(State::Open).await;
    }

    /// All calls are admitted, and then all end.
    async fn end_all(&self, end: impl Fn(Permit) + Clone + Send + 'static) {
        let all_in_flight = Arc::new(Barrier::new(INSTANCE_COUNT * CALLS_PER_INSTANCE));
        let calls = self.callers().map(|circuits| {
            let (circuits, key, end) = (circuits.clone(), self.key.clone(), end.clone());
            let all_in_flight = Arc::clone(&all_in_flight);
            tokio::spawn(async move {
                let permit = circuits.admit(&key).await.unwrap();
                all_in_flight.wait().await;
                end(permit);
            })
        });
        join_all(calls).await.into_iter().for_each(Result::unwrap);
    }

    /// The open period has ended, and every caller of every instance asks: one is admitted.
    pub(crate) async fn admit_one_probe(&self) -> Permit {
        self.wait_until(State::HalfOpen).await;
        let asking = self.callers().map(|circuits| {
            let (circuits, key) = (circuits.clone(), self.key.clone());
            tokio::spawn(async move { circuits.admit(&key).await.ok() })
        });
        let mut permits: Vec<Permit> =
            join_all(asking).await.into_iter().filter_map(Result::unwrap).collect();
        assert_eq!(permits.len(), 1, "one probe in the fleet (B2)");
        permits.remove(0)
    }

    pub(crate) async fn fail_probe(&self, probe: Permit) {
        probe.failed(Failure::status(529));
        self.wait_until(State::Open).await;
    }

    pub(crate) async fn succeed_probe(&self, probe: Permit) {
        probe.succeeded();
        self.wait_until(State::Closed).await;
    }

    fn callers(&self) -> impl Iterator<Item = &Circuits> {
        self.instances.iter().flat_map(|circuits| std::iter::repeat_n(circuits, CALLS_PER_INSTANCE))
    }

    /// Waits until every instance sees this state; an open circuit may be due already.
    async fn wait_until(&self, state: State) {
        for circuits in &self.instances {
            loop {
                let report = circuits.reports().into_iter().find(|report| report.key == self.key);
                let found = report.filter(|report| report.probing.is_empty()).map(|report| report.state);
                if found == Some(state) || (state, found) == (State::Open, Some(State::HalfOpen)) {
                    break;
                }
                sleep(Duration::from_millis(1)).await;
            }
        }
    }
}

async fn instance(n: usize, address: &RedisAddress) -> Circuits {
    let store = RedisStore::start(address.clone());
    store.wait_connected().await.unwrap();
    let open_duration = Duration::from_millis(100);
    let policy = Policy { open_duration, max_open_duration: open_duration, ..Policy::default() };
    let settings = Settings {
        policies: Policies { default: policy, ..Policies::default() },
        // Commands are counted, not the time they take on a busy machine.
        timing: Timing { store_timeout: Duration::from_secs(5), ..Timing::default() },
        ..Settings::new(InstanceId::new(&format!("instance-{n}")))
    };
    let circuits = Circuits::start(Arc::new(store), settings);
    circuits.ready().await;
    circuits
}

/// A connection that gets the same pushes as every instance.
async fn count_pushes(address: &RedisAddress) -> (MultiplexedConnection, Arc<AtomicU64>) {
    let (sender, mut received) = tokio::sync::mpsc::unbounded_channel();
    let config = AsyncConnectionConfig::new().set_push_sender(sender);
    let RedisDeployment::Standalone(server) = address.deployment() else {
        panic!("{address} is not one Redis")
    };
    let client = server.client().unwrap();
    let mut connection = client.get_multiplexed_async_connection_with_config(&config).await.unwrap();
    let mut subscribe = cmd("CLIENT");
    subscribe.arg("TRACKING").arg("ON").arg("BCAST");
    subscribe.arg("PREFIX").arg("circuit_breaker:").arg("PREFIX").arg("{circuit_breaker:");
    subscribe.query_async::<()>(&mut connection).await.unwrap();
    let pushes = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&pushes);
    tokio::spawn(async move {
        while let Some(push) = received.recv().await {
            count.fetch_add(u64::from(push.kind == PushKind::Invalidate), Ordering::SeqCst);
        }
    });
    (connection, pushes)
}
