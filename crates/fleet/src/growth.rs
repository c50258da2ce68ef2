//! What a fleet costs by its size, and how soon it knows: one model's outage, phase by phase.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::Duration,
};

use breaker::{ModelKey, Policy};
use tokio::time::{Instant, sleep};

use crate::{
    checks::Checks,
    costs::TrafficCounters,
    instance::{Instance, World},
    network::{Server, WriteObserver},
    provider::{Health, Providers},
    rng::{SeededRng, VirtualClock, in_virtual_time},
    trace::Trace,
};

/// A fleet to measure.
#[derive(Debug, Clone)]
pub struct MeasurementConfig {
    /// All randomness comes from it.
    pub seed: u64,
    /// How many instances.
    pub instances: usize,
    /// How many models, of which one has the outage.
    pub models: usize,
    /// The mean time between two calls of an instance to a model.
    pub call_interval: Duration,
}

/// A phase of the outage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// No failures.
    Baseline,
    /// One call in twenty fails, which trips nothing.
    Flaky,
    /// From the start of the outage until a second after the trip.
    Trip,
    /// The rest of the outage: probes that fail.
    Outage,
    /// From its recovery until every instance knows that the circuit is closed.
    Recovery,
}

impl Phase {
    /// All, in order.
    pub const ALL: [Self; 5] = [Self::Baseline, Self::Flaky, Self::Trip, Self::Outage, Self::Recovery];
}

/// What was measured.
#[derive(Debug, Clone)]
pub struct Measured {
    /// The configuration.
    pub config: MeasurementConfig,
    /// How long each phase was, and what it cost.
    pub phases: BTreeMap<Phase, (Duration, TrafficCounters)>,
    /// From the start of the outage to the write of the trip.
    pub time_to_trip: Duration,
    /// From the write of the trip until each instance refused, shortest first.
    pub refusal_delays: Vec<Duration>,
    /// Calls that reached the unavailable model before the trip was written, in the second after it, and later: probes.
    pub calls_to_dead_model: (usize, usize, usize),
    /// Changes of state while the model was flaky: there should be none.
    pub false_trips: usize,
    /// The most concurrent probes.
    pub max_concurrent_probes: usize,
    /// Calls in all.
    pub calls: u64,
    /// Rules that were broken.
    pub violations: Vec<String>,
}

impl Measured {
    /// The time within which this share of instances knew of the trip.
    #[must_use]
    pub fn converged_by(&self, percent: usize) -> Duration {
        let index = (self.refusal_delays.len().saturating_sub(1) * percent).div_ceil(100);
        self.refusal_delays.get(index).copied().unwrap_or_default()
    }

    /// Commands of the whole outage, from its start until every instance knows that it is over.
    #[must_use]
    pub fn outage_commands(&self) -> u64 {
        let outage = [Phase::Trip, Phase::Outage, Phase::Recovery];
        outage.iter().filter_map(|phase| self.phases.get(phase)).map(|(_, costs)| costs.commands()).sum()
    }
}

const PHASE_DURATION: Duration = Duration::from_secs(20);

/// Measures one fleet, in virtual time.
///
/// # Errors
/// The runtime could not be built.
pub fn measure(size: &MeasurementConfig, on_phase: impl FnMut(Phase)) -> std::io::Result<Measured> {
    in_virtual_time(simulate(size, on_phase))
}

async fn simulate(size: &MeasurementConfig, mut on_phase: impl FnMut(Phase)) -> Measured {
    let rng = SeededRng::from_seed(size.seed);
    let world = build_world(size, &rng);
    let instances: Vec<Instance> =
        (0..size.instances).map(|number| Instance::start(&world, number, 0, &rng)).collect();
    let model = world.models[0].clone();
    let observer = StateObserver::start(&instances, &model);
    // Every instance has called every model.
    sleep(size.call_interval * 6 + Duration::from_secs(2)).await;

    let mut phases = PhaseRecorder { world: Arc::clone(&world), done: BTreeMap::new() };
    on_phase(Phase::Baseline);
    phases.record(Phase::Baseline, sleep(PHASE_DURATION)).await;
    on_phase(Phase::Flaky);
    world.providers.set(&model, Health::Healthy { failure_rate: 0.05 });
    phases.record(Phase::Flaky, sleep(PHASE_DURATION)).await;
    world.providers.set(&model, Health::Healthy { failure_rate: 0.0 });
    let flaky_transitions = world.checks.transition_count(&model);
    sleep(PHASE_DURATION).await;

    on_phase(Phase::Trip);
    let died = Instant::now();
    world.providers.set(&model, Health::Down);
    let tripped = async {
        while world.checks.transition_after(&model, died).is_none() {
            sleep(Duration::from_millis(1)).await;
        }
        sleep(Duration::from_secs(1)).await;
    };
    phases.record(Phase::Trip, tripped).await;
    let trip = world.checks.transition_after(&model, died);
    on_phase(Phase::Outage);
    phases.record(Phase::Outage, sleep(PHASE_DURATION)).await;
    on_phase(Phase::Recovery);
    world.providers.recover_all();
    phases.record(Phase::Recovery, observer.wait_until_all_closed()).await;

    let (tripped, epoch) = trip.unwrap_or((died, u64::MAX));
    let reached = world.providers.calls_while_down();
    let before = reached.iter().filter(|at| **at <= tripped).count();
    let soon = reached.iter().filter(|at| **at <= tripped + Duration::from_secs(1)).count() - before;
    Measured {
        config: size.clone(),
        phases: phases.done,
        time_to_trip: tripped - died,
        refusal_delays: observer.propagation_delays(epoch, tripped),
        calls_to_dead_model: (before, soon, reached.len() - before - soon),
        false_trips: flaky_transitions,
        max_concurrent_probes: world.checks.max_concurrent_probes(),
        calls: world.calls.load(Ordering::Relaxed),
        violations: world.trace.violations(),
    }
}

fn build_world(size: &MeasurementConfig, rng: &SeededRng) -> Arc<World> {
    let clock = VirtualClock::start();
    let policy = Policy::default();
    let trace = Trace::begin(None);
    let checks = Arc::new(Checks::new(&trace, &clock, &policy));
    let observer: Arc<dyn WriteObserver> = Arc::clone(&checks) as _;
    let models = (0..size.models).filter_map(|number| ModelKey::new("sim", &format!("model-{number}")).ok());
    let models: Vec<_> = models.collect();
    let gap = size.call_interval / u32::try_from(models.len().max(1)).unwrap_or(1);
    Arc::new(World {
        server: Server::start(&clock, rng, Some(observer)),
        clock,
        models,
        providers: Providers::new((200, 1_000)),
        checks,
        trace,
        policy,
        call_interval: gap,
        calls: std::sync::atomic::AtomicU64::new(0),
    })
}

struct PhaseRecorder {
    world: Arc<World>,
    done: BTreeMap<Phase, (Duration, TrafficCounters)>,
}

impl PhaseRecorder {
    async fn record(&mut self, phase: Phase, work: impl Future<Output = ()>) {
        let (began, before) = (Instant::now(), self.world.server.costs());
        work.await;
        self.done.insert(phase, (began.elapsed(), self.world.server.costs() - before));
    }
}

/// Observes when each instance applies which epoch.
struct StateObserver {
    /// Per instance, in their order.
    observations: Arc<Mutex<Vec<Vec<Observation>>>>,
}

/// An instance has applied an epoch.
#[derive(Debug, Clone, Copy)]
struct Observation {
    at: Instant,
    epoch: u64,
    is_closed: bool,
}

impl StateObserver {
    fn start(instances: &[Instance], model: &ModelKey) -> Self {
        let seen = Arc::new(Mutex::new(vec![Vec::<Observation>::new(); instances.len()]));
        for (index, instance) in instances.iter().enumerate() {
            let (circuits, model, seen) = (instance.circuits().clone(), model.clone(), Arc::clone(&seen));
            tokio::spawn(async move {
                loop {
                    circuits.changed(&model).await;
                    let Some(report) = circuits.report(&model) else { continue };
                    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                    if seen[index].last().is_none_or(|last| last.epoch != report.epoch) {
                        let is_closed = report.state == breaker::State::Closed;
                        seen[index].push(Observation { at: Instant::now(), epoch: report.epoch, is_closed });
                    }
                }
            });
        }
        Self { observations: seen }
    }

    /// How long after this moment each instance knew of an epoch, shortest first.
    fn propagation_delays(&self, epoch: u64, since: Instant) -> Vec<Duration> {
        let seen = self.observations.lock().unwrap_or_else(PoisonError::into_inner);
        let first = |seen: &Vec<Observation>| {
            let knew = seen.iter().find(|observation| observation.epoch >= epoch);
            knew.map(|observation| observation.at.saturating_duration_since(since))
        };
        let mut times: Vec<Duration> = seen.iter().map(|seen| first(seen).unwrap_or(Duration::MAX)).collect();
        times.sort_unstable();
        times
    }

    async fn wait_until_all_closed(&self) {
        loop {
            let all = {
                let seen = self.observations.lock().unwrap_or_else(PoisonError::into_inner);
                seen.iter().all(|seen| seen.last().is_some_and(|last| last.is_closed))
            };
            if all {
                return;
            }
            sleep(Duration::from_millis(1)).await;
        }
    }
}
