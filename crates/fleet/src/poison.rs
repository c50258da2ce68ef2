//! Requests that fail everywhere, and models that are down, behind the same route: what the rule B12 costs and saves.
//!
//! Callers send requests to a route of three models, as the manager does: two attempts a model with a pause between them,
//! then the next model; a timeout is not tried again. A poisonous request fails at once on every model. A good call is
//! lost if every model refused it or failed. With the rule off, calls name nobody: then every failure is for all.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use breaker::{CallerName, Failure, FailureKind, InstanceId, ModelKey, Policy, State};
use bytes::Bytes;
use circuits::{CallSource, Circuits, Permit, Policies, Refusal, Settings, Store, TagKey, Timing};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use crate::{
    network::{InstanceConnection, Server},
    rng::{SeededRng, VirtualClock, in_virtual_time},
};

/// Models of the route.
pub const MODELS: usize = 3;

/// How long answers, errors and timeouts take, give or take 30 %.
const ANSWER: Duration = Duration::from_millis(400);
const ERROR: Duration = Duration::from_millis(50);
const TIMEOUT: Duration = Duration::from_secs(5);

/// Attempts at one model, and the longest pause between them; it is shortened by up to half.
const MAX_ATTEMPTS: usize = 2;
const BACKOFF_MS: u64 = 500;

/// Until every instance knows the circuits.
const WARM_UP: Duration = Duration::from_secs(1);

/// For this long good calls are answered, before anything fails.
const HEALTHY: Duration = Duration::from_secs(3);

/// How calls arrive.
#[derive(Debug, Clone, Copy)]
pub enum Arrivals {
    /// At random, this many a second.
    Random(f64),
    /// This many at once, every second.
    Together(usize),
}

/// Whose calls they are, and what they ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Senders {
    /// This many named keys, the first of which has this number; every request is another.
    Keys {
        /// The number of the first.
        first: usize,
        /// How many.
        count: usize,
    },
    /// No named keys; every request is another.
    Shared,
    /// No named keys, and always the same request.
    SharedSameBody,
    /// One named key, and always the same request.
    KeySameBody,
}

/// Models that fail: the first ones of the route.
#[derive(Debug, Clone, Copy)]
pub struct ModelOutage {
    /// How many.
    pub models: usize,
    /// The share of their calls that fails.
    pub failure_rate: f64,
    /// They fail by a timeout; else by a status at once.
    pub is_timeout: bool,
}

/// One experiment.
#[derive(Debug, Clone)]
pub struct Experiment {
    /// All randomness comes from it.
    pub seed: u64,
    /// Whether calls say whose they are.
    pub rule: bool,
    /// How many instances the calls are spread over.
    pub instances: usize,
    /// Models of the route that are asked.
    pub models: usize,
    /// For how long something fails.
    pub length: Duration,
    /// The good calls.
    pub good: (Arrivals, Senders),
    /// The poisonous ones.
    pub poison: Option<(Arrivals, Senders)>,
    /// The share of all calls that fails for no reason.
    pub errors: f64,
    /// Models that are down all the time.
    pub outage: Option<ModelOutage>,
}

/// What happened.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// Good calls.
    pub good: u64,
    /// Good calls that every model refused or failed.
    pub lost: u64,
    /// Those of them whose request has the poisonous one's tag by chance, one of 256.
    pub same_tag: u64,
    /// Calls that each model got.
    pub calls: [u64; MODELS],
    /// How long it took until each circuit first opened, for whomever.
    pub first_trip: [Option<Duration>; MODELS],
    /// How often circuits opened, for whomever.
    pub trips: u64,
}

/// Runs one experiment in virtual time.
///
/// # Errors
/// The runtime could not be built.
pub fn run(experiment: &Experiment) -> std::io::Result<Figures> {
    in_virtual_time(simulate(experiment.clone()))
}

struct World {
    experiment: Experiment,
    instances: Vec<Circuits>,
    keys: Vec<ModelKey>,
    rng: SeededRng,
    /// Numbers the requests, so that each is another.
    requests: AtomicU64,
    lost: AtomicU64,
    same_tag: AtomicU64,
    tag_key: TagKey,
    calls: [AtomicU64; MODELS],
    /// When something begins to fail, and to count.
    fails_from: Instant,
}

async fn simulate(experiment: Experiment) -> Figures {
    let rng = SeededRng::from_seed(experiment.seed);
    let clock = VirtualClock::start();
    let server = Server::start(&clock, &rng, None);
    let instances: Vec<Circuits> =
        (0..experiment.instances).map(|number| start_instance(&server, &clock, number, &rng)).collect();
    let keys = (0..MODELS).filter_map(|number| ModelKey::new("sim", &format!("m{number}")).ok()).collect();
    let world = Arc::new(World {
        instances,
        keys,
        rng,
        requests: AtomicU64::new(0),
        lost: AtomicU64::new(0),
        same_tag: AtomicU64::new(0),
        tag_key: shared_tag_key(),
        calls: Default::default(),
        fails_from: Instant::now() + WARM_UP + HEALTHY,
        experiment,
    });
    for circuits in &world.instances {
        circuits.ready().await;
        for key in &world.keys {
            drop(circuits.admit(key).await);
        }
    }
    sleep_until(world.fails_from - HEALTHY).await;

    let began = circuits::WallClock::now(&clock) + HEALTHY;
    let poison = world
        .experiment
        .poison
        .map(|(arrivals, senders)| tokio::spawn(send_all(Arc::clone(&world), arrivals, senders, true)));
    let (arrivals, senders) = world.experiment.good;
    let good = send_all(Arc::clone(&world), arrivals, senders, false).await;
    if let Some(poison) = poison {
        poison.abort();
    }
    let mut figures = Figures {
        good,
        lost: world.lost.load(Ordering::Relaxed),
        same_tag: world.same_tag.load(Ordering::Relaxed),
        calls: std::array::from_fn(|model| world.calls[model].load(Ordering::Relaxed)),
        ..Figures::default()
    };
    for (model, key) in world.keys.iter().enumerate() {
        let history = server.store().history(key, 1_000).await.unwrap_or_default();
        let opened: Vec<_> =
            history.iter().rev().filter(|entry| entry.to == State::Open && began <= entry.at).collect();
        figures.first_trip[model] = opened.first().map(|entry| entry.at.since(began));
        figures.trips += u64::try_from(opened.len()).unwrap_or(u64::MAX);
    }
    figures
}

fn shared_tag_key() -> TagKey {
    TagKey::new(Bytes::from_static(b"the same in each run"))
}

fn start_instance(server: &Arc<Server>, clock: &VirtualClock, number: usize, rng: &SeededRng) -> Circuits {
    let settings = Settings {
        policies: Policies { default: Policy::default(), ..Policies::default() },
        timing: Timing::default(),
        clock: Arc::new(clock.clone()),
        rng: rng.fork(),
        tag_key: shared_tag_key(),
        ..Settings::new(InstanceId::new(&format!("i{number}")))
    };
    let store: Arc<dyn Store> = InstanceConnection::open(server, number) as _;
    Circuits::start(store, settings)
}

/// Sends calls until the time is over, and waits until all have ended. How many they were.
async fn send_all(world: Arc<World>, arrivals: Arrivals, senders: Senders, is_poison: bool) -> u64 {
    let end = world.fails_from + world.experiment.length;
    let (mut calls, mut sent) = (JoinSet::new(), 0);
    let mut next = if is_poison { world.fails_from } else { Instant::now() };
    loop {
        let (pause, count) = match arrivals {
            Arrivals::Random(rate) => (world.rng.exponential_delay(Duration::from_secs_f64(1.0 / rate)), 1),
            Arrivals::Together(count) => (Duration::from_secs(1), count),
        };
        next += pause;
        if next >= end {
            break;
        }
        sleep_until(next).await;
        for _ in 0..count {
            sent += u64::from(next >= world.fails_from);
            calls.spawn(Arc::clone(&world).call(senders, is_poison));
        }
        while calls.try_join_next().is_some() {}
    }
    calls.join_all().await;
    sent
}

impl World {
    fn source(&self, senders: Senders) -> CallSource {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let fresh = Bytes::from(format!("request {number}"));
        let same = Bytes::from_static(b"the same request");
        let name = |number: usize| format!("key-{number}").parse::<CallerName>().ok();
        match senders {
            Senders::Keys { first, count } => CallSource::new(name(first + self.rng.index(count)), fresh),
            Senders::Shared => CallSource::new(None, fresh),
            Senders::SharedSameBody => CallSource::new(None, same),
            Senders::KeySameBody => CallSource::new(name(0), same),
        }
    }

    async fn call(self: Arc<Self>, senders: Senders, is_poison: bool) {
        let counts = self.fails() && !is_poison;
        let source = self.source(senders);
        let circuits = &self.instances[self.rng.index(self.instances.len())];
        for model in 0..self.experiment.models {
            if self.try_model(circuits, model, &source, is_poison).await {
                return;
            }
        }
        if counts {
            self.lost.fetch_add(1, Ordering::Relaxed);
            let collides = self.experiment.rule && self.poisonous_tag() == self.tag_key.tag_of(&source);
            self.same_tag.fetch_add(u64::from(collides), Ordering::Relaxed);
        }
    }

    /// The tag of the one poisonous request, if it is one and comes from the good calls' caller.
    fn poisonous_tag(&self) -> Option<u8> {
        let (_, senders) = self.experiment.poison?;
        (senders == Senders::SharedSameBody).then(|| self.tag_key.tag_of(&self.source(senders)))?
    }

    /// Whether the model answered.
    async fn try_model(
        &self,
        circuits: &Circuits,
        model: usize,
        source: &CallSource,
        is_poison: bool,
    ) -> bool {
        for attempt in 0..MAX_ATTEMPTS {
            if attempt > 0 {
                sleep(self.rng.millis(BACKOFF_MS / 2..=BACKOFF_MS)).await;
            }
            let Ok(permit) = self.admit(circuits, model, source).await else { return false };
            self.calls[model].fetch_add(u64::from(self.fails()), Ordering::Relaxed);
            match self.failure(model, is_poison) {
                None => {
                    sleep(self.about(ANSWER)).await;
                    permit.succeeded();
                    return true;
                }
                Some(kind) => {
                    let is_timeout = kind == FailureKind::Timeout;
                    sleep(self.about(if is_timeout { TIMEOUT } else { ERROR })).await;
                    permit.failed(if is_timeout { Failure::new(kind) } else { Failure::status(503) });
                    if is_timeout {
                        return false;
                    }
                }
            }
        }
        false
    }

    async fn admit(&self, circuits: &Circuits, model: usize, source: &CallSource) -> Result<Permit, Refusal> {
        if self.experiment.rule {
            circuits.admit_as(&self.keys[model], source, None).await
        } else {
            circuits.admit(&self.keys[model]).await
        }
    }

    fn failure(&self, model: usize, is_poison: bool) -> Option<FailureKind> {
        let Experiment { outage, errors, .. } = &self.experiment;
        match outage {
            _ if !self.fails() => None,
            _ if is_poison || self.rng.chance(*errors) => Some(FailureKind::Status),
            Some(outage) if model < outage.models && self.rng.chance(outage.failure_rate) => {
                Some(if outage.is_timeout { FailureKind::Timeout } else { FailureKind::Status })
            }
            _ => None,
        }
    }

    fn fails(&self) -> bool {
        Instant::now() >= self.fails_from
    }

    fn about(&self, length: Duration) -> Duration {
        let millis = breaker::millis(length);
        self.rng.millis(millis * 7 / 10..=millis * 13 / 10)
    }
}
