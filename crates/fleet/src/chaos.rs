//! A run of chance: a small fleet, everything that can befall it, and what must hold in each step and at the end.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use breaker::{Document, ModelKey, Policy};
use circuits::{Value, WallClock as _};

use crate::{
    checks::{Checks, is_closed},
    costs::TrafficCounters,
    fault_injection::{Fleet, wait_for},
    instance::{World, disagreements},
    network::{Server, stored_value},
    provider::Providers,
    rng::{SeededRng, VirtualClock, in_virtual_time},
    trace::Trace,
};

/// What a run is made of.
#[derive(Debug, Clone)]
pub struct ChaosConfig {
    /// All chance comes from it.
    pub seed: u64,
    /// How many instances; `None`: 3 to 8, by chance.
    pub instances: Option<usize>,
    /// How many models; `None`: 1 to 3, by chance.
    pub models: Option<usize>,
    /// For so long things befall the fleet.
    pub fault_period: Duration,
    /// On average so often.
    pub mean_fault_interval: Duration,
    /// Lines of the story that are kept.
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

/// What came of a run.
#[derive(Debug)]
pub struct ChaosReport {
    /// Of the whole story: the same seed has the same.
    pub trace_hash: u64,
    /// Rules that were broken.
    pub violations: Vec<String>,
    /// The end of the story.
    pub trace: Vec<String>,
    /// What it cost.
    pub costs: TrafficCounters,
    /// Calls that were made.
    pub calls: u64,
    /// Most probes at once.
    pub max_concurrent_probes: usize,
}

/// After the last disturbance a circuit has so long to close: a lease that nobody gives back, an open period, a rest.
const RECOVERY_TIMEOUT: Duration = Duration::from_secs(60);

/// After the last call an instance has so long to know what the store holds: a slow read, and a little.
const CONVERGENCE_TIMEOUT: Duration = Duration::from_secs(25);

/// Runs the plan, in virtual time. The same plan gives the same outcome.
///
/// # Errors
/// The machine gives no runtime.
pub fn run(plan: &ChaosConfig) -> std::io::Result<ChaosReport> {
    in_virtual_time(simulate(plan))
}

async fn simulate(plan: &ChaosConfig) -> ChaosReport {
    let dice = SeededRng::from_seed(plan.seed);
    let trace = Trace::begin(Some(plan.max_trace_lines));
    let world = build_world(plan, &dice, &trace);
    let count = plan.instances.unwrap_or_else(|| 3 + dice.index(6));
    let mut fleet = Fleet::start(&world, &dice, count);
    fleet.inject_faults(plan.fault_period, plan.mean_fault_interval).await;
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

fn build_world(plan: &ChaosConfig, rng: &SeededRng, trace: &Trace) -> Arc<World> {
    let clock = VirtualClock::start();
    let policy = Policy {
        half_open_probes: if rng.chance(0.2) { 2 } else { 1 },
        open_duration: rng.millis(1_000..=5_000),
        max_cooldown: Duration::from_secs(5),
        probe_lease: rng.millis(1_000..=15_000),
        ..Policy::default()
    };
    let models = plan.models.unwrap_or_else(|| 1 + rng.index(3));
    let models = (0..models).filter_map(|number| ModelKey::new("sim", &format!("model-{number}")).ok());
    let checks = Arc::new(Checks::new(trace, &clock, &policy));
    let watch: Arc<dyn crate::network::WriteObserver> = Arc::clone(&checks) as _;
    Arc::new(World {
        server: Server::start(&clock, rng, Some(watch)),
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

/// All is well: every circuit closes, and everybody knows it.
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
