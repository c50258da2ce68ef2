//! A random run: a small fleet, injected faults, and what must hold in each step and at the end.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use breaker::{Document, ModelKey, Policy};
use circuits::{Value, WallClock as _};

use crate::{
    checks::{Checks, is_closed},
    costs::TrafficCounters,
    fault_injection::{Fleet, wait_for},
    instance::{World, disagreements},
    network::{Server, WriteObserver, stored_value},
    provider::Providers,
    rng::{SeededRng, VirtualClock, in_virtual_time},
    trace::Trace,
};

/// The configuration of a run.
#[derive(Debug, Clone)]
pub struct ChaosConfig {
    /// All randomness comes from it.
    pub seed: u64,
    /// How many instances; `None`: 3 to 8 at random.
    pub instances: Option<usize>,
    /// How many models; `None`: 1 to 3 at random.
    pub models: Option<usize>,
    /// For how long faults are injected.
    pub fault_period: Duration,
    /// The mean time between two faults.
    pub mean_fault_interval: Duration,
    /// Lines of the trace that are kept.
    pub max_trace_lines: usize,
}

impl ChaosConfig {
    /// The small fleet of a seed.
    #[must_use]
    pub const fn small(seed: u64) -> Self {
        Self {
            seed,
            instances: None,
            models: None,
            fault_period: Duration::from_secs(45),
            mean_fault_interval: Duration::from_millis(2_500),
            max_trace_lines: 0,
        }
    }
}

/// The result of a run.
#[derive(Debug)]
pub struct ChaosReport {
    /// The hash of the whole trace: the same seed has the same.
    pub trace_hash: u64,
    /// Rules that were broken.
    pub violations: Vec<String>,
    /// The end of the trace.
    pub trace: Vec<String>,
    /// Its traffic.
    pub costs: TrafficCounters,
    /// Calls that were made.
    pub calls: u64,
    /// The most concurrent probes.
    pub max_concurrent_probes: usize,
}

/// After the last fault a circuit has this long to close: an abandoned lease, an open period, a cooldown.
const RECOVERY_TIMEOUT: Duration = Duration::from_secs(60);

/// After the last call an instance has this long to know what the store holds: a slow read, and a little.
const CONVERGENCE_TIMEOUT: Duration = Duration::from_secs(25);

/// Runs the configuration, in virtual time. The same configuration gives the same result.
///
/// # Errors
/// The runtime could not be built.
pub fn run(config: &ChaosConfig) -> std::io::Result<ChaosReport> {
    in_virtual_time(simulate(config))
}

async fn simulate(config: &ChaosConfig) -> ChaosReport {
    let rng = SeededRng::from_seed(config.seed);
    let trace = Trace::begin(Some(config.max_trace_lines));
    let world = build_world(config, &rng, &trace);
    let count = config.instances.unwrap_or_else(|| 3 + rng.index(6));
    let mut fleet = Fleet::start(&world, &rng, count);
    fleet.inject_faults(config.fault_period, config.mean_fault_interval).await;
    check_recovery(&world, &mut fleet).await;
    ChaosReport {
        trace_hash: trace.hash(),
        violations: trace.violations(),
        trace: trace.lines(),
        costs: world.server.costs(),
        calls: world.calls.load(std::sync::atomic::Ordering::Relaxed),
        max_concurrent_probes: world.checks.max_concurrent_probes(),
    }
}

fn build_world(config: &ChaosConfig, rng: &SeededRng, trace: &Trace) -> Arc<World> {
    let clock = VirtualClock::start();
    let policy = Policy {
        half_open_probes: if rng.chance(0.2) { 2 } else { 1 },
        open_duration: rng.millis(1_000..=5_000),
        max_cooldown: Duration::from_secs(5),
        probe_lease: rng.millis(1_000..=15_000),
        ..Policy::default()
    };
    let models = config.models.unwrap_or_else(|| 1 + rng.index(3));
    let models = (0..models).filter_map(|number| ModelKey::new("sim", &format!("model-{number}")).ok());
    let checks = Arc::new(Checks::new(trace, &clock, &policy));
    let observer: Arc<dyn WriteObserver> = Arc::clone(&checks) as _;
    Arc::new(World {
        server: Server::start(&clock, rng, Some(observer)),
        clock,
        models: models.collect(),
        providers: Providers::new((20, 2_000)),
        checks,
        trace: trace.clone(),
        policy,
        call_interval: rng.millis(100..=1_000),
        calls: std::sync::atomic::AtomicU64::new(0),
    })
}

/// Without faults every circuit closes, and every instance knows it.
async fn check_recovery(world: &Arc<World>, fleet: &mut Fleet) {
    let values = || -> BTreeMap<ModelKey, Value> {
        world.models.iter().map(|key| (key.clone(), stored_value(&world.server, key))).collect()
    };
    let closed = |value: &Value| match value {
        Value::Text(text) => match Document::parse(text, &world.policy) {
            Document::Native(record, _) => is_closed(&record, world.clock.now()),
            _ => false,
        },
        Value::Absent => true,
        _ => false,
    };
    if !wait_for(RECOVERY_TIMEOUT, || values().values().all(closed)).await {
        for (key, value) in values().into_iter().filter(|(_, value)| !closed(value)) {
            world.trace.log_violation("recovery", format_args!("{key} did not close: {value:?}"));
        }
    }
    fleet.stop_traffic();
    let agreed = |fleet: &Fleet| {
        let values = values();
        fleet.instances().all(|instance| disagreements(instance, &values).is_empty())
    };
    if !wait_for(CONVERGENCE_TIMEOUT, || agreed(fleet)).await {
        let values = values();
        for instance in fleet.instances() {
            for problem in disagreements(instance, &values) {
                world.trace.log_violation("F4", format_args!("{problem}"));
            }
        }
    }
}
