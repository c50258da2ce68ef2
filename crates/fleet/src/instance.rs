//! One instance with its callers.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use breaker::{InstanceId, ModelKey, Outcome, Policy, State};
use circuits::{Circuits, Permit, Policies, Refusal, Settings, Store, StoreStatus, Timing};
use tokio::{
    task::{AbortHandle, JoinSet},
    time::{Instant, sleep},
};

use crate::{
    checks::{Checks, MAX_REACTION_TIME},
    network::{InstanceConnection, Server},
    provider::{CallPlan, Providers},
    rng::{SeededRng, VirtualClock},
    trace::Trace,
};

/// A provisional refusal lasts no longer: one write, and those of others that come first.
const MAX_PROVISIONAL_TIME: Duration = Duration::from_millis(300);

/// What all instances share.
#[derive(Debug)]
pub struct World {
    /// The one Redis.
    pub server: Arc<Server>,
    /// The correct time.
    pub clock: VirtualClock,
    /// The models.
    pub models: Vec<ModelKey>,
    /// Their providers.
    pub providers: Providers,
    /// The rules.
    pub checks: Arc<Checks>,
    /// The trace of the run.
    pub trace: Trace,
    /// The policy of the circuits.
    pub policy: Policy,
    /// The mean time between two calls of an instance.
    pub call_interval: Duration,
    /// Calls so far.
    pub calls: std::sync::atomic::AtomicU64,
}

/// One instance.
#[derive(Debug)]
pub struct Instance {
    number: usize,
    connection: Arc<InstanceConnection>,
    circuits: Circuits,
    callers: Option<AbortHandle>,
}

impl Instance {
    /// Starts one, whose clock is this many ms off.
    pub fn start(world: &Arc<World>, number: usize, skew: i64, rng: &SeededRng) -> Self {
        let connection = InstanceConnection::open(&world.server, number);
        let settings = Settings {
            policies: Policies { default: world.policy.clone(), ..Policies::default() },
            timing: Timing::default(),
            clock: Arc::new(world.clock.skewed(skew)),
            rng: rng.fork(),
            ..Settings::new(InstanceId::new(&format!("i{number}")))
        };
        let store: Arc<dyn Store> = Arc::clone(&connection) as _;
        let circuits = Circuits::start(store, settings);
        let mut instance = Self { number, connection, circuits, callers: None };
        instance.start_traffic(world, rng);
        instance
    }

    fn start_traffic(&mut self, world: &Arc<World>, rng: &SeededRng) {
        let caller = Caller {
            world: Arc::clone(world),
            number: self.number,
            connection: Arc::clone(&self.connection),
            circuits: self.circuits.clone(),
            rng: rng.fork(),
        };
        self.callers = Some(tokio::spawn(caller.run()).abort_handle());
    }

    /// Stops its callers; calls in flight are cancelled.
    pub fn stop_traffic(&mut self) {
        if let Some(callers) = self.callers.take() {
            callers.abort();
        }
    }

    /// Crashes, with its calls.
    pub fn kill(mut self) {
        self.connection.kill();
        self.stop_traffic();
    }

    /// Its number.
    #[must_use]
    pub const fn number(&self) -> usize {
        self.number
    }

    /// Its connection to the store.
    #[must_use]
    pub const fn connection(&self) -> &Arc<InstanceConnection> {
        &self.connection
    }

    /// Its circuits.
    #[must_use]
    pub const fn circuits(&self) -> &Circuits {
        &self.circuits
    }
}

/// The callers of one instance.
#[derive(Clone)]
struct Caller {
    world: Arc<World>,
    number: usize,
    connection: Arc<InstanceConnection>,
    circuits: Circuits,
    rng: Arc<SeededRng>,
}

impl Caller {
    async fn run(self) {
        let mut calls = JoinSet::new();
        self.circuits.ready().await;
        for id in 0_u64.. {
            sleep(self.rng.exponential_delay(self.world.call_interval)).await;
            while calls.try_join_next().is_some() {}
            let key = self.world.models[self.rng.index(self.world.models.len())].clone();
            let caller = self.clone();
            calls.spawn(async move { caller.call(&key, id).await });
        }
    }

    async fn call(&self, key: &ModelKey, id: u64) {
        let requested_at = Instant::now();
        let was_closed = self.sees_closed(key);
        let was_connected = self.is_connected();
        let admission = self.circuits.admit(key).await;
        self.check_admission(key, requested_at.elapsed(), was_closed, &admission);
        let Ok(permit) = admission else { return self.check_provisional_refusal(key).await };
        self.world.calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let plan = self.world.providers.plan_call(key, self.number, &self.rng);
        if !permit.is_probe() {
            return run_call(permit, plan, || {}).await;
        }
        let id = (id << 16) | u64::try_from(self.number).unwrap_or(0);
        let is_shared = was_connected && self.is_connected();
        self.world.checks.on_probe_start(key, id, permit.epoch(), is_shared);
        let slot = ProbeSlot { checks: Arc::clone(&self.world.checks), key: key.clone(), id };
        run_call(permit, plan, || slot.release()).await;
    }

    /// A refusal by a circuit that the instance knows to be closed is provisional: it ends once the store has decided (F3).
    async fn check_provisional_refusal(&self, key: &ModelKey) {
        let refused_at = Instant::now();
        while self.sees_closed(key) && self.circuits.admit(key).await.is_err() {
            let lasts = refused_at.elapsed();
            if lasts > MAX_PROVISIONAL_TIME && self.connection.is_stable_for(lasts) {
                let number = self.number;
                self.world.trace.log_violation("F3", format_args!("{number} refuses {key} for {lasts:?}"));
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Checks what a caller got.
    fn check_admission(
        &self,
        key: &ModelKey,
        waited: Duration,
        was_closed: bool,
        admission: &Result<Permit, Refusal>,
    ) {
        let World { checks, trace, .. } = &*self.world;
        let number = self.number;
        let decision = match admission {
            Ok(permit) if permit.is_probe() => "probe",
            Ok(_) => "admitted",
            Err(_) => "refused",
        };
        trace.log(format_args!(
            "{number:>4} {decision} {key} epoch={}",
            admission.as_ref().map_or(0, Permit::epoch)
        ));
        if waited > MAX_REACTION_TIME || (was_closed && !waited.is_zero()) {
            trace.log_violation(
                "F3",
                format_args!("{number} waited {waited:?} for {key}, known closed: {was_closed}"),
            );
        }
        let known_for = MAX_REACTION_TIME + waited;
        if !self.connection.is_stable_for(known_for) {
            return;
        }
        let ahead = Duration::from_millis(200);
        match admission {
            Err(_) if self.sees_closed(key) => {}
            Ok(_) if checks.open_duration(key, ahead).is_some_and(|duration| duration > known_for) => {
                trace.log_violation("F1", format_args!("{number} was admitted to {key}, which is open"));
            }
            Err(refusal) if checks.closed_duration(key).is_some_and(|duration| duration > known_for) => {
                trace.log_violation(
                    "F1",
                    format_args!("{number} was refused {key}, which is closed: {refusal}"),
                );
            }
            _ => {}
        }
    }

    fn sees_closed(&self, key: &ModelKey) -> bool {
        let report = self.circuits.report(key);
        report.is_some_and(|report| report.state == State::Closed && report.blocked_instances.is_empty())
    }

    fn is_connected(&self) -> bool {
        self.circuits.store_status() == StoreStatus::Connected
    }
}

/// A probe's slot at the provider, free again when its call ends in any way.
struct ProbeSlot {
    checks: Arc<Checks>,
    key: ModelKey,
    id: u64,
}

impl ProbeSlot {
    fn release(&self) {
        self.checks.on_probe_end(&self.key, self.id);
    }
}

impl Drop for ProbeSlot {
    fn drop(&mut self) {
        self.release();
    }
}

/// Makes the call, and reports how it ended.
async fn run_call(mut permit: Permit, plan: CallPlan, at_verdict: impl Fn()) {
    let CallPlan { first_token_after, duration, outcome } = plan;
    if let Some(after) = first_token_after {
        sleep(after).await;
        permit.first_token();
        at_verdict();
        sleep(duration.saturating_sub(after)).await;
    } else {
        sleep(duration).await;
    }
    match outcome {
        None => drop(permit),
        Some(Outcome::Succeeded) => permit.succeeded(),
        Some(Outcome::Failed(failure)) => permit.failed(failure),
        Some(Outcome::RateLimited { failure, retry_after }) => permit.rate_limited(failure, retry_after),
    }
}

/// Where the instance disagrees with what the store holds.
#[must_use]
pub fn disagreements(instance: &Instance, values: &BTreeMap<ModelKey, circuits::Value>) -> Vec<String> {
    let mut found = Vec::new();
    if instance.circuits.store_status() != StoreStatus::Connected {
        found.push(format!("i{} is {:?}", instance.number, instance.circuits.store_status()));
    }
    for (key, value) in values {
        let believed = instance.circuits.mirrored_value(key);
        if instance.circuits.report(key).is_some() && believed != *value {
            found.push(format!(
                "i{} believes {believed:?} of {key}, the store holds {value:?}",
                instance.number
            ));
        }
    }
    found
}
