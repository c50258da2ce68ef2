//! A run of chance: a small fleet, everything that can befall it, and what must hold in each step and at the end.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use breaker::{Document, ModelKey, Policy};
use circuits::{Value, WallClock as _};

use crate::{
    checks::{Checks, is_closed},
    costs::Costs,
    dice::{Dice, VirtualClock},
    disturbance::{Fleet, wait_for},
    instance::{World, disagreements},
    network::{Server, stored},
    provider::Providers,
    trace::Trace,
};

/// What a run is made of.
#[derive(Debug, Clone)]
pub struct Plan {
    /// All chance comes from it.
    pub seed: u64,
    /// How many instances; `None`: 3 to 8, by chance.
    pub instances: Option<usize>,
    /// How many models; `None`: 1 to 3, by chance.
    pub models: Option<usize>,
    /// For so long things befall the fleet.
    pub disturbed: Duration,
    /// On average so often.
    pub mean_gap: Duration,
    /// Lines of the story that are kept.
    pub keep: usize,
}

impl Plan {
    /// The small fleet of a seed.
    #[must_use]
    pub const fn small(seed: u64) -> Self {
        Self {
            seed,
            instances: None,
            models: None,
            disturbed: Duration::from_secs(45),
            mean_gap: Duration::from_millis(2_500),
            keep: 0,
        }
    }
}

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    /// Of the whole story: the same seed has the same.
    pub hash: u64,
    /// Rules that were broken.
    pub violations: Vec<String>,
    /// The end of the story.
    pub story: Vec<String>,
    /// What it cost.
    pub costs: Costs,
    /// Calls that were made.
    pub calls: u64,
    /// Most probes at once.
    pub most_probes: usize,
}

/// After the last disturbance a circuit has so long to close: a lease that nobody gives back, an open period, a rest.
const RECOVERY: Duration = Duration::from_secs(60);

/// After the last call an instance has so long to know what the store holds: a slow read, and a little.
const AGREEMENT: Duration = Duration::from_secs(25);

/// Runs the plan, in virtual time. The same plan gives the same outcome.
///
/// # Errors
/// The machine gives no runtime.
pub fn run(plan: &Plan) -> std::io::Result<Outcome> {
    crate::in_virtual_time(run_here(plan))
}

async fn run_here(plan: &Plan) -> Outcome {
    let dice = Dice::of_seed(plan.seed);
    let trace = Trace::begin(Some(plan.keep));
    let world = build(plan, &dice, &trace);
    let count = plan.instances.unwrap_or_else(|| 3 + dice.index(6));
    let mut fleet = Fleet::start(&world, &dice, count);
    fleet.disturb(plan.disturbed, plan.mean_gap).await;
    recover(&world, &mut fleet).await;
    Outcome {
        hash: trace.hash(),
        violations: trace.violations(),
        story: trace.lines(),
        costs: world.server.costs(),
        calls: world.calls.load(std::sync::atomic::Ordering::Relaxed),
        most_probes: world.checks.most_probes(),
    }
}

fn build(plan: &Plan, dice: &Dice, trace: &Trace) -> Arc<World> {
    let clock = VirtualClock::start();
    let policy = Policy {
        half_open_probes: if dice.happens(0.2) { 2 } else { 1 },
        open_duration: dice.millis(1_000..=5_000),
        max_cooldown: Duration::from_secs(5),
        probe_lease: dice.millis(1_000..=15_000),
        ..Policy::default()
    };
    let models = plan.models.unwrap_or_else(|| 1 + dice.index(3));
    let models = (0..models).filter_map(|number| ModelKey::new("sim", &format!("model-{number}")).ok());
    let checks = Arc::new(Checks::new(trace, &clock, &policy));
    let watch: Arc<dyn crate::network::Watch> = Arc::clone(&checks) as _;
    Arc::new(World {
        server: Server::start(&clock, dice, Some(watch)),
        clock,
        models: models.collect(),
        providers: Providers::new((20, 2_000)),
        checks,
        trace: trace.clone(),
        policy,
        gap: dice.millis(100..=1_000),
        calls: std::sync::atomic::AtomicU64::new(0),
    })
}

/// All is well: every circuit closes, and everybody knows it.
async fn recover(world: &Arc<World>, fleet: &mut Fleet) {
    let values = || -> BTreeMap<ModelKey, Value> {
        world.models.iter().map(|key| (key.clone(), stored(&world.server, key))).collect()
    };
    let closed = |value: &Value| match value {
        Value::Text(text) => match Document::parse(text, &world.policy) {
            Document::Ours(record, _) => is_closed(&record, world.clock.now()),
            _ => false,
        },
        Value::Absent => true,
        _ => false,
    };
    if !wait_for(RECOVERY, || values().values().all(closed)).await {
        for (key, value) in values().into_iter().filter(|(_, value)| !closed(value)) {
            world.trace.violation("recovery", format_args!("{key} did not close: {value:?}"));
        }
    }
    fleet.hush();
    let agreed = |fleet: &Fleet| {
        let values = values();
        fleet.instances().all(|instance| disagreements(instance, &values).is_empty())
    };
    if !wait_for(AGREEMENT, || agreed(fleet)).await {
        let values = values();
        for instance in fleet.instances() {
            for problem in disagreements(instance, &values) {
                world.trace.violation("F4", format_args!("{problem}"));
            }
        }
    }
}
