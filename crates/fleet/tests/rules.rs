//! Rules that need a scenario of their own.

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
        let (clock, rng) = (VirtualClock::start(), SeededRng::from_seed(seed));
        let server = Server::start(&clock, &rng, None);
        Self { server, clock, rng, key: "sim:model".parse().unwrap(), policy }
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

/// B5: in any order of writes, n instances with m failures each leave n·m.
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
            let fixture = Fixture::new(seed, policy);
            fixture
                .server
                .set_conditions(NetworkConditions { delay: 0..=15, ..NetworkConditions::perfect() });
            let fleet = join_all((0..instances).map(|number| fixture.instance(number))).await;
            let calls = fleet.iter().map(|circuits| async {
                for _ in 0..failures {
                    sleep(fixture.rng.millis(0..=300)).await;
                    fixture.fail(circuits).await;
                }
            });
            join_all(calls).await;
            // Where all instances count, each waits for a slot of at most a second.
            let long = Duration::from_secs(10 + instances as u64);
            sleep(long).await;
            for circuits in &fleet {
                let count = circuits.report(&fixture.key).unwrap().failure_count;
                assert_eq!(count, instances as u32 * failures, "seed {seed}");
            }
        })
        .unwrap();
    }
}

/// B5: what an instance has counted is written before it shuts down, even if the throttle would delay it.
#[test]
fn a_flush_bypasses_the_throttle() {
    let policy = Policy {
        failure_threshold: 10_000,
        burst_threshold: 10_000,
        failure_rate: None,
        ..Policy::default()
    };
    in_virtual_time(async {
        let fixture = Fixture::new(4, policy);
        let (ends, busy) = (fixture.instance(0).await, fixture.instance(1).await);
        let counts = async {
            for _ in 0..200 {
                fixture.fail(&busy).await;
                sleep(Duration::from_millis(50)).await;
            }
        };
        let end = async {
            sleep(Duration::from_secs(3)).await;
            for _ in 0..3 {
                fixture.fail(&ends).await;
            }
            tokio::time::timeout(Duration::from_millis(500), ends.flush()).await.expect("nothing is delayed");
        };
        tokio::join!(counts, end);
        sleep(Duration::from_secs(10)).await;
        assert_eq!(busy.report(&fixture.key).unwrap().failure_count, 203);
    })
    .unwrap();
}

/// F3: a caller waits for a circuit that its instance does not know, and for a probe's lease, but for both together no
/// longer than for one.
#[test]
fn one_timeout_for_a_call() {
    in_virtual_time(async {
        let fixture = Fixture::new(1, Policy { open_duration: Duration::from_secs(1), ..Policy::open_swe() });
        let first = fixture.instance(0).await;
        fixture.fail(&first).await;
        fixture.fail(&first).await;
        sleep(Duration::from_secs(1)).await;
        let second = fixture.instance(1).await;
        fixture.server.store().set(&fixture.key, None);
        sleep(Duration::from_millis(50)).await;
        let open = r#"{"state":"OPEN","failureCount":2,"openedAt":1800000000000}"#;
        fixture.server.set_conditions(NetworkConditions {
            delay: 30..=30,
            lost_pushes: 1.0,
            ..NetworkConditions::perfect()
        });
        fixture.server.store().set(&fixture.key, Some(open));
        sleep(Duration::from_secs(200)).await;
        let third = fixture.instance(2).await;
        for circuits in [&second, &third] {
            let asked = Instant::now();
            let _ = circuits.admit(&fixture.key).await;
            assert!(asked.elapsed() <= Duration::from_millis(101), "{:?}", asked.elapsed());
        }
    })
    .unwrap();
}

/// Clients' typing errors leave nothing behind, not even in an instance's memory.
#[test]
fn circuits_without_calls_are_dropped() {
    in_virtual_time(async {
        let fixture = Fixture::new(1, Policy::default());
        let circuits = fixture.instance(0).await;
        for number in 0..100 {
            let key: ModelKey = format!("sim:typing-error-{number}").parse().unwrap();
            circuits.admit(&key).await.unwrap().unknown_model();
        }
        circuits.admit(&fixture.key).await.unwrap().succeeded();
        sleep(Duration::from_secs(60)).await;
        assert_eq!(circuits.circuit_count(), 1);
    })
    .unwrap();
}
