//! Several instances' circuits over one store.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use breaker::{InstanceId, ModelKey, Policy, Record, Timestamp, Transition};
use bytes::Bytes;
use circuits::{
    CLOCK_TOLERANCE, Circuits, LinkState, Pacing, Permit, Policies, Report, Settings, Store, Value, WallClock,
};
use futures_util::future::join_all;

use crate::{
    event::{Ending, Operation},
    gate::Gate,
    world::{CallId, Leave, Look, Stranger, View, World},
};

/// What is not done by then is not going to be.
const PATIENCE: Duration = Duration::from_secs(5);

/// A store that several instances share, whose time a test lets pass.
pub(crate) trait Backend {
    /// A new instance's own way to the store.
    async fn connect(&mut self) -> Result<Arc<dyn Store>, String>;

    /// The clock of a machine that is so many ms off.
    fn clock(&self, skew: i64) -> Arc<dyn WallClock>;

    /// The store's time.
    fn now(&self) -> Timestamp;

    /// Lets time pass, and keys expire.
    async fn let_pass(&mut self, length: Duration) -> Result<(), String>;

    /// Somebody else writes.
    async fn stranger(&mut self, does: Stranger<'_>) -> Result<(), String>;

    /// Goes away or comes back.
    async fn set_up(&mut self, up: bool) -> Result<(), String>;

    /// What stands in the store; `None` while it is away.
    async fn value(&mut self) -> Result<Option<Value>, String>;

    /// The history, newest first; nothing while the store is away.
    async fn history(&mut self) -> Result<Vec<Transition>, String>;

    /// How long the key will live.
    async fn ttl(&mut self) -> Result<Option<Duration>, String>;
}

/// Several instances over one store.
pub(crate) struct Fleet<B> {
    backend: B,
    key: ModelKey,
    policy: Policy,
    beginning: Timestamp,
    is_up: bool,
    skews: HashMap<String, i64>,
    instances: BTreeMap<String, Instance>,
    permits: HashMap<CallId, Permit>,
    written: Arc<AtomicUsize>,
}

struct Instance {
    circuits: Circuits,
    gate: Arc<Gate>,
}

impl Instance {
    fn is_connected(&self) -> bool {
        matches!(self.circuits.link(), LinkState::Connected | LinkState::Embedded)
    }
}

impl<B: Backend> Fleet<B> {
    pub(crate) fn new(backend: B, key: &ModelKey, policy: &Policy) -> Self {
        Self {
            beginning: backend.now(),
            backend,
            key: key.clone(),
            policy: policy.clone(),
            is_up: true,
            skews: HashMap::new(),
            instances: BTreeMap::new(),
            permits: HashMap::new(),
            written: Arc::default(),
        }
    }

    fn policies(&self) -> Policies {
        Policies { default: self.policy.clone(), models: HashMap::new() }
    }

    fn circuits(&self, who: &str) -> Result<&Circuits, String> {
        let instance = self.instances.get(who).ok_or_else(|| format!("{who} does not live"))?;
        Ok(&instance.circuits)
    }

    fn permit(&mut self, call: &CallId) -> Result<Permit, String> {
        self.permits.remove(call).ok_or_else(|| format!("{call:?} was not admitted"))
    }

    /// Whether every instance has done all that it had to do, and knows what stands in the store.
    async fn is_settled(&mut self) -> Result<bool, String> {
        for instance in self.instances.values() {
            instance.circuits.quiet(&self.key).await;
        }
        let value = if self.is_up { self.backend.value().await? } else { None };
        if self.is_up && value.is_none() {
            return Ok(false);
        }
        Ok(self.instances.values().all(|instance| {
            let reachable = self.is_up && !instance.gate.is_away();
            let agrees = value.as_ref().is_none_or(|value| instance.circuits.mirrored(&self.key) == *value);
            instance.is_connected() == reachable && (!reachable || agrees)
        }))
    }

    /// An answer that was under way while time was moved tells the time of before, so whoever believed it reads again.
    async fn agree_on_time(&mut self) -> Result<(), String> {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            let mut agreed = true;
            for instance in self.instances.values().filter(|instance| instance.is_connected()) {
                instance.circuits.quiet(&self.key).await;
                let (theirs, ours) = (instance.circuits.now(), self.backend.now());
                if theirs.since(ours).max(ours.since(theirs)) > CLOCK_TOLERANCE / 2 {
                    instance.gate.read_again();
                    agreed = false;
                }
            }
            if agreed {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Err("not everybody knows what time it is".to_owned())
    }

    fn report(&self, circuits: &Circuits) -> Report {
        // The tables are about what is written.
        let known = circuits.written_report(&self.key);
        known.unwrap_or_else(|| Report::new(&self.key, &Record::closed(0), &self.policy, self.backend.now()))
    }
}

impl<B: Backend> World for Fleet<B> {
    fn now(&self) -> Timestamp {
        self.backend.now()
    }

    async fn wait_until(&mut self, since_beginning: Duration) -> Result<(), String> {
        let passed = self.backend.now().since(self.beginning);
        match since_beginning.checked_sub(passed) {
            Some(length) if !length.is_zero() => {
                self.backend.let_pass(length).await?;
                self.agree_on_time().await
            }
            _ => Ok(()),
        }
    }

    async fn be_born(&mut self, who: &str) -> Result<(), String> {
        if self.instances.contains_key(who) {
            return Ok(());
        }
        let gate = Gate::new(self.backend.connect().await?, Arc::clone(&self.written));
        let settings = Settings {
            policies: self.policies(),
            // Nothing is put off, so that no row has to wait for it, and a slow machine fails no row.
            pacing: Pacing {
                counts: Duration::ZERO,
                reads: Duration::ZERO,
                slow_read: Duration::from_secs(3_600),
                patience: Duration::from_secs(2),
            },
            clock: self.backend.clock(self.skews.get(who).copied().unwrap_or(0)),
            ..Settings::new(InstanceId::new(who))
        };
        let store: Arc<dyn Store> = Arc::clone(&gate) as _;
        let circuits = Circuits::start(store, settings);
        circuits.ready().await;
        self.instances.insert(who.to_owned(), Instance { circuits, gate });
        Ok(())
    }

    async fn admit(&mut self, calls: &[CallId]) -> Result<Vec<Leave>, String> {
        let asked: Vec<&Circuits> =
            calls.iter().map(|call| self.circuits(&call.who)).collect::<Result<_, _>>()?;
        let answers = join_all(asked.iter().map(|circuits| circuits.admit(&self.key))).await;
        let mut told = Vec::new();
        for (call, answer) in calls.iter().zip(answers) {
            told.push(match answer {
                Ok(permit) => {
                    let leave = if permit.is_probe() { Leave::Probe } else { Leave::Admitted };
                    self.permits.insert(call.clone(), permit);
                    leave
                }
                Err(refusal) => Leave::Refused(refusal.retry_in),
            });
        }
        Ok(told)
    }

    fn end(&mut self, call: &CallId, ending: &Ending) -> Result<(), String> {
        let permit = self.permit(call)?;
        match ending.clone() {
            Ending::Leave => drop(permit),
            Ending::Outcome(breaker::Outcome::Succeeded) => permit.succeeded(),
            Ending::Outcome(breaker::Outcome::Failed(failure)) => permit.failed(failure),
            Ending::Outcome(breaker::Outcome::Rest { failure, wait }) => permit.rest(failure, wait),
        }
        Ok(())
    }

    fn content(&mut self, call: &CallId) -> Result<(), String> {
        let permit = self.permits.get_mut(call).ok_or_else(|| format!("{call:?} was not admitted"))?;
        permit.first_token();
        Ok(())
    }

    fn no_such_model(&mut self, call: &CallId) -> Result<(), String> {
        self.permit(call)?.no_such_model();
        Ok(())
    }

    async fn operate(&mut self, who: &str, operation: &Operation) -> Result<(), String> {
        let circuits = self.circuits(who)?;
        let done = match operation.clone() {
            Operation::Open { length, why } => circuits.open(&self.key, length, why).await,
            Operation::Close => circuits.close(&self.key, None).await,
            Operation::Reset => circuits.reset(&self.key, None).await,
        };
        done.map_err(|error| error.to_string())
    }

    fn crash(&mut self, who: &str) {
        if let Some(instance) = self.instances.remove(who) {
            instance.gate.die();
        }
        // A dead instance's permits say nothing any more, since its gate lets nothing pass.
        self.permits.retain(|call, _| call.who != who);
    }

    fn skew(&mut self, who: &str, millis: i64) {
        self.skews.insert(who.to_owned(), millis);
    }

    fn set_policy(&mut self, policy: &Policy) {
        self.policy = policy.clone();
        for instance in self.instances.values() {
            instance.circuits.set_policies(self.policies());
        }
    }

    async fn stranger(&mut self, does: Stranger<'_>) -> Result<(), String> {
        self.backend.stranger(does).await
    }

    async fn store(&mut self, who: &str, up: bool) -> Result<(), String> {
        match self.instances.get(who) {
            Some(instance) => instance.gate.set_away(!up),
            None => {
                self.is_up = up;
                self.backend.set_up(up).await?;
            }
        }
        Ok(())
    }

    async fn settle(&mut self) -> Result<(), String> {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if self.is_settled().await? {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let value = self.backend.value().await?;
        let views: Vec<String> = self
            .instances
            .iter()
            .map(|(who, instance)| {
                let believes = instance.circuits.mirrored(&self.key);
                format!("{who} ({:?}) believes {believes:?}", instance.circuits.link())
            })
            .collect();
        Err(format!("not everybody knows of {value:?} after {PATIENCE:?}: {}", views.join("; ")))
    }

    async fn look(&mut self) -> Result<Look, String> {
        let raw: Option<Bytes> = match self.backend.value().await? {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        };
        let views = self.instances.iter().map(|(who, instance)| {
            let view = View { report: self.report(&instance.circuits), connected: instance.is_connected() };
            (who.clone(), view)
        });
        Ok(Look {
            raw,
            views: views.collect(),
            written: self.written.load(Ordering::SeqCst),
            ttl: self.backend.ttl().await?,
            history: self.backend.history().await?,
        })
    }
}
