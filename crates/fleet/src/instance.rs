//! One instance with its callers.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use breaker::{InstanceId, ModelKey, Outcome, Policy, State};
use circuits::{Circuits, LinkState, Pacing, Permit, Policies, Refusal, Settings, Store};
use tokio::{
    task::{AbortHandle, JoinSet},
    time::{Instant, sleep},
};

use crate::{
    checks::{Checks, PROMPT},
    dice::{Dice, VirtualClock},
    network::{Line, Server},
    provider::{Course, Providers},
    trace::Trace,
};

/// What all instances have in common.
#[derive(Debug)]
pub struct World {
    /// The one Redis.
    pub server: Arc<Server>,
    /// The right time.
    pub clock: VirtualClock,
    /// The models.
    pub models: Vec<ModelKey>,
    /// Their providers.
    pub providers: Providers,
    /// What must hold.
    pub checks: Arc<Checks>,
    /// What happens.
    pub trace: Trace,
    /// The rules of the circuits.
    pub policy: Policy,
    /// A caller of an instance calls so often, on average.
    pub gap: Duration,
    /// Calls so far.
    pub calls: std::sync::atomic::AtomicU64,
}

/// One instance.
#[derive(Debug)]
pub struct Instance {
    number: usize,
    line: Arc<Line>,
    circuits: Circuits,
    callers: Option<AbortHandle>,
}

impl Instance {
    /// Starts one, whose own clock is so many ms off.
    pub fn start(world: &Arc<World>, number: usize, skew: i64, dice: &Dice) -> Self {
        let line = world.server.connect(number);
        let settings = Settings {
            policies: Policies { default: world.policy.clone(), ..Policies::default() },
            pacing: Pacing::default(),
            clock: Arc::new(world.clock.skewed(skew)),
            chance: dice.fork(),
            ..Settings::new(InstanceId::new(&format!("i{number}")))
        };
        let store: Arc<dyn Store> = Arc::clone(&line) as _;
        let circuits = Circuits::start(store, settings);
        let mut instance = Self { number, line, circuits, callers: None };
        instance.call(world, dice);
        instance
    }

    fn call(&mut self, world: &Arc<World>, dice: &Dice) {
        let caller = Caller {
            world: Arc::clone(world),
            number: self.number,
            line: Arc::clone(&self.line),
            circuits: self.circuits.clone(),
            dice: dice.fork(),
        };
        self.callers = Some(tokio::spawn(caller.run()).abort_handle());
    }

    /// Nobody calls any more; calls under way are given up.
    pub fn hush(&mut self) {
        if let Some(callers) = self.callers.take() {
            callers.abort();
        }
    }

    /// Dies, with its calls.
    pub fn die(mut self) {
        self.line.die();
        self.hush();
    }

    /// Its number.
    #[must_use]
    pub const fn number(&self) -> usize {
        self.number
    }

    /// Its way to the store.
    #[must_use]
    pub const fn line(&self) -> &Arc<Line> {
        &self.line
    }

    /// Its circuits.
    #[must_use]
    pub const fn circuits(&self) -> &Circuits {
        &self.circuits
    }
}

/// Those who call through one instance.
#[derive(Clone)]
struct Caller {
    world: Arc<World>,
    number: usize,
    line: Arc<Line>,
    circuits: Circuits,
    dice: Arc<Dice>,
}

impl Caller {
    async fn run(self) {
        let mut calls = JoinSet::new();
        self.circuits.ready().await;
        for id in 0_u64.. {
            sleep(self.dice.gap(self.world.gap)).await;
            while calls.try_join_next().is_some() {}
            let key = self.world.models[self.dice.index(self.world.models.len())].clone();
            let caller = self.clone();
            calls.spawn(async move { caller.call(&key, id).await });
        }
    }

    async fn call(&self, key: &ModelKey, id: u64) {
        let asked = Instant::now();
        let was_closed = self.sees_closed(key);
        let was_connected = self.is_connected();
        let answer = self.circuits.admit(key).await;
        self.look(key, asked.elapsed(), was_closed, &answer);
        let Ok(permit) = answer else { return };
        self.world.calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let course = self.world.providers.course(key, self.number, &self.dice);
        if !permit.is_probe() {
            return go(permit, course, || {}).await;
        }
        let id = (id << 16) | u64::try_from(self.number).unwrap_or(0);
        let is_shared = was_connected && self.is_connected();
        self.world.checks.probe_began(key, id, permit.epoch(), is_shared);
        let place = Place { checks: Arc::clone(&self.world.checks), key: key.clone(), id };
        go(permit, course, || place.leave()).await;
    }

    /// Looks at what a caller was told.
    fn look(&self, key: &ModelKey, waited: Duration, was_closed: bool, answer: &Result<Permit, Refusal>) {
        let World { checks, trace, .. } = &*self.world;
        let number = self.number;
        let told = match answer {
            Ok(permit) if permit.is_probe() => "probe",
            Ok(_) => "admitted",
            Err(_) => "refused",
        };
        trace.tell(format_args!(
            "{number:>4} {told} {key} epoch={}",
            answer.as_ref().map_or(0, Permit::epoch)
        ));
        if waited > PROMPT || (was_closed && !waited.is_zero()) {
            trace.violation(
                "F3",
                format_args!("{number} waited {waited:?} for {key}, known closed: {was_closed}"),
            );
        }
        let knows = PROMPT + waited;
        if !self.line.is_trusted(knows) {
            return;
        }
        let ahead = Duration::from_millis(200);
        match answer {
            Ok(_) if checks.stands_open(key, ahead).is_some_and(|length| length > knows) => {
                trace.violation("F1", format_args!("{number} was admitted to {key}, which is open"));
            }
            Err(refusal) if checks.stands_closed(key).is_some_and(|length| length > knows) => {
                let why = refusal;
                trace.violation("F1", format_args!("{number} was refused {key}, which is closed: {why}"));
            }
            _ => {}
        }
    }

    fn sees_closed(&self, key: &ModelKey) -> bool {
        let report = self.circuits.report(key);
        report.is_some_and(|report| report.state == State::Closed && report.cut_off.is_empty())
    }

    fn is_connected(&self) -> bool {
        self.circuits.link() == LinkState::Connected
    }
}

/// A probe's place at the provider, free again when its call ends in any way.
struct Place {
    checks: Arc<Checks>,
    key: ModelKey,
    id: u64,
}

impl Place {
    fn leave(&self) {
        self.checks.probe_ended(&self.key, self.id);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Makes the call, and says how it ended.
async fn go(mut permit: Permit, course: Course, at_verdict: impl Fn()) {
    let Course { content_after, length, outcome } = course;
    if let Some(after) = content_after {
        sleep(after).await;
        permit.first_token();
        at_verdict();
        sleep(length.saturating_sub(after)).await;
    } else {
        sleep(length).await;
    }
    match outcome {
        None => drop(permit),
        Some(Outcome::Succeeded) => permit.succeeded(),
        Some(Outcome::Failed(failure)) => permit.failed(failure),
        Some(Outcome::Rest { failure, wait }) => permit.rest(failure, wait),
    }
}

/// Whether the instance agrees with what the store holds, for every model.
#[must_use]
pub fn disagreements(instance: &Instance, values: &BTreeMap<ModelKey, circuits::Value>) -> Vec<String> {
    let mut found = Vec::new();
    if instance.circuits.link() != LinkState::Connected {
        found.push(format!("i{} is {:?}", instance.number, instance.circuits.link()));
    }
    for (key, value) in values {
        let believed = instance.circuits.mirrored(key);
        if instance.circuits.report(key).is_some() && believed != *value {
            found
                .push(format!("i{} believes {believed:?} of {key}, where {value:?} stands", instance.number));
        }
    }
    found
}
