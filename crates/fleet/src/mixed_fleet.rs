//! Gateways and Open SWE instances on one Redis, and a model that fails some of its calls: how long its circuit is open, and
//! whose changes of state its history has.

use std::{sync::Arc, time::Duration};

use breaker::{Failure, InstanceId, ModelKey, Policy, Transition, TransitionCause};
use circuits::{Circuits, Policies, Settings, Store, WallClock as _};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use crate::{
    network::{InstanceConnection, NetworkConditions, Server},
    open_swe::OpenSwe,
    rng::{SeededRng, VirtualClock, in_virtual_time},
};

/// Until every gateway knows the circuit.
const WARM_UP: Duration = Duration::from_secs(1);

/// How often the key is looked at.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(10);

/// Between an Open SWE instance's GET and its SET, in ms.
const TWO_STEPS_MS: (u64, u64) = (1, 2);

/// One run.
#[derive(Debug, Clone)]
pub struct MixedFleet {
    /// All randomness comes from it.
    pub seed: u64,
    /// Instances of Switchboard.
    pub gateways: usize,
    /// Instances of Open SWE.
    pub open_swe: usize,
    /// Calls a second of each of them.
    pub rate: f64,
    /// The share of calls that fails.
    pub failure_rate: f64,
    /// How long a call takes, give or take 10 %.
    pub latency: Duration,
    /// For how long calls are made.
    pub length: Duration,
}

impl MixedFleet {
    /// Two gateways alone, at 2 calls a second each, and a model that fails 60 % of its calls after 1.5 s.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self {
            seed,
            gateways: 2,
            open_swe: 0,
            rate: 2.0,
            failure_rate: 0.6,
            latency: Duration::from_millis(1_500),
            length: Duration::from_secs(30),
        }
    }
}

/// What happened.
#[derive(Debug, Clone, Copy, Default)]
pub struct Figures {
    /// The share of the time in which `state` was `OPEN` in Redis, so that nobody but a probe may call.
    pub open: f64,
    /// Changes of state that the gateways' own rules made.
    pub own: u32,
    /// Those that were taken over from Open SWE.
    pub foreign: u32,
}

/// Runs it in virtual time.
///
/// # Errors
/// The runtime could not be built.
pub fn run(fleet: &MixedFleet) -> std::io::Result<Figures> {
    in_virtual_time(simulate(fleet.clone()))
}

struct World {
    fleet: MixedFleet,
    server: Arc<Server>,
    clock: VirtualClock,
    rng: SeededRng,
    key: ModelKey,
    end: Instant,
}

async fn simulate(fleet: MixedFleet) -> Figures {
    let rng = SeededRng::from_seed(fleet.seed);
    let clock = VirtualClock::start();
    let server = Server::start(&clock, &rng, None);
    server.set_conditions(NetworkConditions { delay: 0..=1, ..NetworkConditions::perfect() });
    let Ok(key) = ModelKey::new("sim", "model") else { return Figures::default() };
    let gateways: Vec<_> =
        (0..fleet.gateways).map(|number| start_gateway(&server, &clock, number, &rng)).collect();
    for circuits in &gateways {
        circuits.ready().await;
        drop(circuits.admit(&key).await);
    }
    sleep(WARM_UP).await;
    let end = Instant::now() + fleet.length;
    let world = Arc::new(World { server, clock, rng, key, end, fleet });
    let mut callers = JoinSet::new();
    for circuits in gateways {
        callers.spawn(call_by_gateway(Arc::clone(&world), circuits));
    }
    for _ in 0..world.fleet.open_swe {
        callers.spawn(call_by_open_swe(Arc::clone(&world)));
    }
    let open = world.observe().await;
    callers.join_all().await;
    let history = world.server.store().history(&world.key, 1_000).await.unwrap_or_default();
    let is_foreign = |entry: &&Transition| entry.reason.cause == TransitionCause::External;
    let count = |entries: usize| u32::try_from(entries).unwrap_or(u32::MAX);
    let foreign = history.iter().filter(is_foreign).count();
    Figures { open, foreign: count(foreign), own: count(history.len() - foreign) }
}

fn start_gateway(server: &Arc<Server>, clock: &VirtualClock, number: usize, rng: &SeededRng) -> Circuits {
    let settings = Settings {
        policies: Policies { default: Policy::default(), ..Policies::default() },
        clock: Arc::new(clock.clone()),
        rng: rng.fork(),
        ..Settings::new(InstanceId::new(&format!("i{number}")))
    };
    let store: Arc<dyn Store> = InstanceConnection::open(server, number) as _;
    Circuits::start(store, settings)
}

async fn call_by_gateway(world: Arc<World>, circuits: Circuits) {
    let mut calls = JoinSet::new();
    while world.wait_for_next_call().await {
        let (world, circuits) = (Arc::clone(&world), circuits.clone());
        calls.spawn(async move {
            let Ok(permit) = circuits.admit(&world.key).await else { return };
            if world.call().await {
                permit.succeeded();
            } else {
                permit.failed(Failure::status(503));
            }
        });
    }
    calls.join_all().await;
}

async fn call_by_open_swe(world: Arc<World>) {
    let mut calls = JoinSet::new();
    while world.wait_for_next_call().await {
        let world = Arc::clone(&world);
        calls.spawn(async move {
            let now = world.clock.now();
            let mut may_call = false;
            world.read_and_write(|circuit| may_call = circuit.allows_call(now)).await;
            if !may_call {
                return;
            }
            let answered = world.call().await;
            let now = world.clock.now();
            let record = |circuit: &mut OpenSwe| {
                if answered { circuit.record_success() } else { circuit.record_failure(now) }
            };
            world.read_and_write(record).await;
        });
    }
    calls.join_all().await;
}

impl World {
    /// Whether there is one before the end.
    async fn wait_for_next_call(&self) -> bool {
        let interval = Duration::from_secs_f64(1.0 / self.fleet.rate);
        sleep_until(self.end.min(Instant::now() + self.rng.exponential_delay(interval))).await;
        Instant::now() < self.end
    }

    /// Whether the model answered.
    async fn call(&self) -> bool {
        let millis = breaker::millis(self.fleet.latency);
        let fails = self.rng.chance(self.fleet.failure_rate);
        sleep(self.rng.millis(millis * 9 / 10..=millis * 11 / 10)).await;
        !fails
    }

    /// As an Open SWE instance does it, in two steps. It writes only what it has changed.
    async fn read_and_write(&self, change: impl FnOnce(&mut OpenSwe)) {
        let found = self.server.store().get(&self.key);
        let mut circuit = OpenSwe::read(found.as_deref());
        let before = circuit.clone();
        change(&mut circuit);
        if circuit != before || found.is_none() {
            sleep(self.rng.millis(TWO_STEPS_MS.0..=TWO_STEPS_MS.1)).await;
            self.server.store().set(&self.key, Some(&circuit.into_text()));
        }
    }

    /// The share of the time in which the circuit is open.
    async fn observe(&self) -> f64 {
        let (mut open, mut samples) = (0_u32, 0_u32);
        while Instant::now() < self.end {
            let raw = self.server.store().get(&self.key);
            open += u32::from(OpenSwe::read(raw.as_deref()).is_open());
            samples += 1;
            sleep(SAMPLE_INTERVAL).await;
        }
        f64::from(open) / f64::from(samples.max(1))
    }
}
