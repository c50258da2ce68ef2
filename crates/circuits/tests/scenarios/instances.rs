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
    CLOCK_TOLERANCE, CallSource, CircuitSlot, Circuits, Permit, Policies, Report, Settings, Store,
    StoreStatus, TagKey, Timing, Value, WallClock,
};
use futures_util::future::join_all;

use crate::{
    event::{By, Ending, Operation},
    faulty_store::FaultyStore,
    world::{AdmitResult, CallId, ExternalWrite, Snapshot, View, World},
};

/// What is not done by then will not be done.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(5);

/// A store that several instances share, with a clock that a test advances.
pub(crate) trait Backend {
    /// A new instance's connection to the store.
    async fn connect(&mut self) -> Result<Arc<dyn Store>, String>;

    /// The clock of a machine that is this many ms off.
    fn clock(&self, skew: i64) -> Arc<dyn WallClock>;

    /// The store's time.
    fn now(&self) -> Timestamp;

    /// Advances time, so that keys expire.
    async fn advance(&mut self, length: Duration) -> Result<(), String>;

    /// Writes externally.
    async fn external_write(&mut self, does: ExternalWrite<'_>) -> Result<(), String>;

    /// Makes it unreachable or reachable.
    async fn set_available(&mut self, up: bool) -> Result<(), String>;

    /// The value in the store; `None` while it is unreachable.
    async fn value(&mut self) -> Result<Option<Value>, String>;

    /// The history, newest first; empty while the store is unreachable.
    async fn history(&mut self) -> Result<Vec<Transition>, String>;

    /// How long the key will live.
    async fn ttl(&mut self) -> Result<Option<Duration>, String>;
}

/// Several instances over one store.
pub(crate) struct InstanceFleet<B> {
    backend: B,
    key: ModelKey,
    policy: Policy,
    start_time: Timestamp,
    is_store_available: bool,
    skews: HashMap<String, i64>,
    instances: BTreeMap<String, Instance>,
    permits: HashMap<CallId, Permit>,
    write_count: Arc<AtomicUsize>,
}

struct Instance {
    circuits: Circuits,
    slot: CircuitSlot,
    store: Arc<FaultyStore>,
}

impl Instance {
    fn is_connected(&self) -> bool {
        matches!(self.circuits.store_status(), StoreStatus::Connected | StoreStatus::Embedded)
    }
}

impl<B: Backend> InstanceFleet<B> {
    pub(crate) fn new(backend: B, key: &ModelKey, policy: &Policy) -> Self {
        Self {
            start_time: backend.now(),
            backend,
            key: key.clone(),
            policy: policy.clone(),
            is_store_available: true,
            skews: HashMap::new(),
            instances: BTreeMap::new(),
            permits: HashMap::new(),
            write_count: Arc::default(),
        }
    }

    fn policies(&self) -> Policies {
        Policies { default: self.policy.clone(), ..Policies::default() }
    }

    fn instance(&self, who: &str) -> Result<&Instance, String> {
        self.instances.get(who).ok_or_else(|| format!("{who} does not run"))
    }

    fn circuits(&self, who: &str) -> Result<&Circuits, String> {
        Ok(&self.instance(who)?.circuits)
    }

    fn permit(&mut self, call: &CallId) -> Result<Permit, String> {
        self.permits.remove(call).ok_or_else(|| format!("{call:?} was not admitted"))
    }

    /// Whether every instance is idle and knows what the store holds.
    async fn is_settled(&mut self) -> Result<bool, String> {
        for instance in self.instances.values() {
            instance.circuits.wait_idle(&self.key).await;
        }
        let value = if self.is_store_available { self.backend.value().await? } else { None };
        if self.is_store_available && value.is_none() {
            return Ok(false);
        }
        Ok(self.instances.values().all(|instance| {
            let reachable = self.is_store_available && !instance.store.is_unreachable();
            let agrees =
                value.as_ref().is_none_or(|value| instance.circuits.mirrored_value(&self.key) == *value);
            instance.is_connected() == reachable && (!reachable || agrees)
        }))
    }

    /// A response in flight while time was advanced has the old time, so an instance that got it reads again.
    async fn sync_clocks(&mut self) -> Result<(), String> {
        let end = Instant::now() + SETTLE_TIMEOUT;
        while Instant::now() < end {
            let mut agreed = true;
            for instance in self.instances.values().filter(|instance| instance.is_connected()) {
                instance.circuits.wait_idle(&self.key).await;
                let (theirs, ours) = (instance.circuits.now(), self.backend.now());
                if theirs.since(ours).max(ours.since(theirs)) > CLOCK_TOLERANCE / 2 {
                    instance.store.request_full_read();
                    agreed = false;
                }
            }
            if agreed {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Err("not all clocks are synchronized".to_owned())
    }

    fn report(&self, circuits: &Circuits) -> Report {
        // The tables describe what is written.
        let known = circuits.stored_report(&self.key);
        known.unwrap_or_else(|| Report::new(&self.key, &Record::closed(0), &self.policy, self.backend.now()))
    }
}

impl<B: Backend> World for InstanceFleet<B> {
    fn now(&self) -> Timestamp {
        self.backend.now()
    }

    async fn wait_until(&mut self, since_beginning: Duration) -> Result<(), String> {
        let passed = self.backend.now().since(self.start_time);
        match since_beginning.checked_sub(passed) {
            Some(length) if !length.is_zero() => {
                self.backend.advance(length).await?;
                self.sync_clocks().await
            }
            _ => Ok(()),
        }
    }

    async fn start_instance(&mut self, who: &str) -> Result<(), String> {
        if self.instances.contains_key(who) {
            return Ok(());
        }
        let gate = FaultyStore::new(self.backend.connect().await?, Arc::clone(&self.write_count));
        let settings = Settings {
            policies: self.policies(),
            // Nothing is delayed, so that no row must wait, and a slow machine fails no row.
            timing: Timing {
                count_write_interval: Duration::ZERO,
                min_read_interval: Duration::ZERO,
                resync_interval: Duration::from_secs(3_600),
                store_timeout: Duration::from_secs(2),
            },
            tag_key: TagKey::new(Bytes::from_static(b"the same in each run")),
            clock: self.backend.clock(self.skews.get(who).copied().unwrap_or(0)),
            ..Settings::new(InstanceId::new(who))
        };
        let store: Arc<dyn Store> = Arc::clone(&gate) as _;
        let circuits = Circuits::start(store, settings);
        circuits.ready().await;
        self.instances
            .insert(who.to_owned(), Instance { circuits, slot: CircuitSlot::default(), store: gate });
        Ok(())
    }

    async fn admit(&mut self, calls: &[CallId], by: Option<&By>) -> Result<Vec<AdmitResult>, String> {
        let asked: Vec<&Instance> =
            calls.iter().map(|call| self.instance(&call.who)).collect::<Result<_, _>>()?;
        let source = by.map(|by| match &by.request {
            Some(request) => CallSource::new(by.caller.clone(), Bytes::copy_from_slice(request.as_bytes())),
            None => CallSource::of_caller(by.caller.clone()),
        });
        // As the gateway does, and as an application does that names nobody.
        let answers = join_all(asked.iter().map(async |Instance { circuits, slot, .. }| match &source {
            Some(source) => match circuits.admit_now(&self.key, Some(slot), source) {
                Some(admission) => admission,
                None => circuits.admit_as(&self.key, source, None).await,
            },
            None => circuits.admit(&self.key).await,
        }))
        .await;
        let mut admissions = Vec::new();
        for (call, answer) in calls.iter().zip(answers) {
            admissions.push(match answer {
                Ok(permit) => {
                    let admission =
                        if permit.is_probe() { AdmitResult::Probe } else { AdmitResult::Admitted };
                    self.permits.insert(call.clone(), permit);
                    admission
                }
                Err(refusal) => AdmitResult::Refused(refusal.retry_in()),
            });
        }
        Ok(admissions)
    }

    fn end(&mut self, call: &CallId, ending: &Ending) -> Result<(), String> {
        let permit = self.permit(call)?;
        match ending.clone() {
            Ending::Released => drop(permit),
            Ending::Outcome(breaker::Outcome::Succeeded) => permit.succeeded(),
            Ending::Outcome(breaker::Outcome::Failed(failure)) => permit.failed(failure),
            Ending::Outcome(breaker::Outcome::RateLimited { failure, retry_after: wait }) => {
                permit.rate_limited(failure, wait);
            }
        }
        Ok(())
    }

    fn first_token(&mut self, call: &CallId) -> Result<(), String> {
        let permit = self.permits.get_mut(call).ok_or_else(|| format!("{call:?} was not admitted"))?;
        permit.first_token();
        Ok(())
    }

    fn unknown_model(&mut self, call: &CallId) -> Result<(), String> {
        self.permit(call)?.unknown_model();
        Ok(())
    }

    async fn operate(&mut self, who: &str, operation: &Operation) -> Result<(), String> {
        let circuits = self.circuits(who)?;
        let done = match operation.clone() {
            Operation::Open { duration: length, reason: why } => {
                circuits.open(&self.key, length, why, None).await
            }
            Operation::Close => circuits.close(&self.key, None, None).await,
            Operation::Reset => circuits.reset(&self.key, None, None).await,
        };
        done.map_err(|error| error.to_string())
    }

    fn crash(&mut self, who: &str) {
        if let Some(instance) = self.instances.remove(who) {
            instance.store.kill();
        }
        // A dead instance's permits say nothing any more, since its gate lets nothing pass.
        self.permits.retain(|call, _| call.who != who);
    }

    fn skew(&mut self, who: &str, millis: i64) {
        self.skews.insert(who.to_owned(), millis);
    }

    fn set_policy_for_all(&mut self, policy: &Policy) {
        self.policy = policy.clone();
        for instance in self.instances.values() {
            instance.circuits.set_policies(self.policies());
        }
    }

    async fn external_write(&mut self, does: ExternalWrite<'_>) -> Result<(), String> {
        self.backend.external_write(does).await
    }

    async fn set_store_available(&mut self, who: &str, up: bool) -> Result<(), String> {
        match self.instances.get(who) {
            Some(instance) => instance.store.set_unreachable(!up),
            None => {
                self.is_store_available = up;
                self.backend.set_available(up).await?;
            }
        }
        Ok(())
    }

    async fn wait_until_settled(&mut self) -> Result<(), String> {
        let end = Instant::now() + SETTLE_TIMEOUT;
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
                let believes = instance.circuits.mirrored_value(&self.key);
                format!("{who} ({:?}) believes {believes:?}", instance.circuits.store_status())
            })
            .collect();
        Err(format!("not everybody knows of {value:?} after {SETTLE_TIMEOUT:?}: {}", views.join("; ")))
    }

    async fn snapshot(&mut self) -> Result<Snapshot, String> {
        let raw: Option<Bytes> = match self.backend.value().await? {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        };
        let views = self.instances.iter().map(|(who, instance)| {
            let view = View { report: self.report(&instance.circuits), connected: instance.is_connected() };
            (who.clone(), view)
        });
        Ok(Snapshot {
            raw,
            views: views.collect(),
            write_count: self.write_count.load(Ordering::SeqCst),
            ttl: self.backend.ttl().await?,
            history: self.backend.history().await?,
        })
    }
}
