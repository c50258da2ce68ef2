//! Rules that want a story of their own.

#![expect(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "helpers of tests fail tests")]

use std::{sync::Arc, time::Duration};

use breaker::{Failure, InstanceId, ModelKey, Policy};
use circuits::{Circuits, Policies, Settings, Store};
use fleet::{
    in_virtual_time,
    network::{InstanceConnection, NetworkConditions, Server},
    rng::{SeededRng, VirtualClock},
};
use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

struct Fixture {
    server: Arc<Server>,
    clock: VirtualClock,
    rng: SeededRng,
    key: ModelKey,
    policy: Policy,
}

impl Fixture {
    fn new(seed: u64, policy: Policy) -> Self {
        let (clock, dice) = (VirtualClock::start(), SeededRng::from_seed(seed));
        let server = Server::start(&clock, &dice, None);
        Self { server, clock, rng: dice, key: "sim:model".parse().unwrap(), policy }
    }

    async fn instance(&self, number: usize) -> Circuits {
        let settings = Settings {
            policies: Policies { default: self.policy.clone(), ..Policies::default() },
            clock: Arc::new(self.clock.clone()),
            rng: self.rng.fork(),
            ..Settings::new(InstanceId::new(&format!("i{number}")))
        };
        let store: Arc<dyn Store> = InstanceConnection::open(&self.server, number) as _;
        let circuits = Circuits::start(store, settings);
        circuits.ready().await;
        circuits
    }

    async fn fail(&self, circuits: &Circuits) {
        circuits.admit(&self.key).await.unwrap().failed(Failure::status(529));
    }
}

/// B5: whatever overtakes whatever, n instances with m failures each leave n·m.
#[test]
fn no_failure_is_lost() {
    for (seed, instances, failures) in [(1, 2, 3), (2, 8, 25), (3, 40, 10)] {
        let policy = Policy {
            failure_threshold: 10_000,
            burst_threshold: 10_000,
            failure_rate: None,
            ..Policy::default()
        };
        in_virtual_time(async {
            let few = Fixture::new(seed, policy);
            few.server.set_conditions(NetworkConditions { delay: 0..=15, ..NetworkConditions::perfect() });
            let fleet = join_all((0..instances).map(|number| few.instance(number))).await;
            let calls = fleet.iter().map(|circuits| async {
                for _ in 0..failures {
                    sleep(few.rng.millis(0..=300)).await;
                    few.fail(circuits).await;
                }
            });
            join_all(calls).await;
            // Where everybody counts, everybody waits for a turn of at most a second.
            let long = Duration::from_secs(10 + instances as u64);
            sleep(long).await;
            for circuits in &fleet {
                let count = circuits.report(&few.key).unwrap().failure_count;
                assert_eq!(count, instances as u32 * failures, "seed {seed}");
            }
        })
        .unwrap();
    }
}

/// B5: what an instance has counted is told before it ends, also where others count so busily that it would be put off.
#[test]
fn a_flush_waits_for_no_turn() {
    let policy = Policy {
        failure_threshold: 10_000,
        burst_threshold: 10_000,
        failure_rate: None,
        ..Policy::default()
    };
    in_virtual_time(async {
        let few = Fixture::new(4, policy);
        let (ends, busy) = (few.instance(0).await, few.instance(1).await);
        let counts = async {
            for _ in 0..200 {
                few.fail(&busy).await;
                sleep(Duration::from_millis(50)).await;
            }
        };
        let end = async {
            sleep(Duration::from_secs(3)).await;
            for _ in 0..3 {
                few.fail(&ends).await;
            }
            tokio::time::timeout(Duration::from_millis(500), ends.flush()).await.expect("nothing is put off");
        };
        tokio::join!(counts, end);
        sleep(Duration::from_secs(10)).await;
        assert_eq!(busy.report(&few.key).unwrap().failure_count, 203);
    })
    .unwrap();
}

/// F3: a caller waits for the circuit that its instance does not know, and for a probe's lease, but not for each as long as
/// a call may wait.
#[test]
fn one_patience_for_a_call() {
    in_virtual_time(async {
        let few = Fixture::new(1, Policy { open_duration: Duration::from_secs(1), ..Policy::open_swe() });
        let first = few.instance(0).await;
        few.fail(&first).await;
        few.fail(&first).await;
        sleep(Duration::from_secs(1)).await;
        let second = few.instance(1).await;
        few.server.store().set(&few.key, None);
        sleep(Duration::from_millis(50)).await;
        let open = r#"{"state":"OPEN","failureCount":2,"openedAt":1800000000000}"#;
        few.server.set_conditions(NetworkConditions {
            delay: 30..=30,
            lost_pushes: 1.0,
            ..NetworkConditions::perfect()
        });
        few.server.store().set(&few.key, Some(open));
        sleep(Duration::from_secs(200)).await;
        let third = few.instance(2).await;
        for circuits in [&second, &third] {
            let asked = Instant::now();
            let _ = circuits.admit(&few.key).await;
            assert!(asked.elapsed() <= Duration::from_millis(101), "{:?}", asked.elapsed());
        }
    })
    .unwrap();
}

/// Clients' typing errors leave nothing behind, in an instance's memory either.
#[test]
fn what_nobody_calls_is_let_go() {
    in_virtual_time(async {
        let few = Fixture::new(1, Policy::default());
        let circuits = few.instance(0).await;
        for number in 0..100 {
            let key: ModelKey = format!("sim:typing-error-{number}").parse().unwrap();
            circuits.admit(&key).await.unwrap().unknown_model();
        }
        circuits.admit(&few.key).await.unwrap().succeeded();
        sleep(Duration::from_secs(60)).await;
        assert_eq!(circuits.circuit_count(), 1);
    })
    .unwrap();
}
