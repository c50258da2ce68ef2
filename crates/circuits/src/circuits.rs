//! The circuits of one instance: admission, and a person's hand on them.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use breaker::{Admission, Effect, Event, InstanceId, Mode, ModelKey, Policy, Timestamp, Transition, admit};
use foldhash::fast::RandomState;
use tokio::{
    runtime::Handle,
    sync::{Notify, oneshot},
    time::{Instant, timeout, timeout_at},
};

use crate::{
    chance::{Chance, SystemChance},
    circuit::{Circuit, Reply, View, Waiting},
    clock::{StoreClock, SystemClock, WallClock},
    counts::{CircuitCounts, StoreCounts, WriteCounter},
    link::{Link, LinkState},
    memory::MemoryStore,
    permit::Permit,
    plan::{Answer, Request},
    report::{Refusal, Report},
    store::{Place, Store, StoreError},
    watch::{Watch, Watchers},
};

/// Which policy each circuit has.
#[derive(Debug, Clone, Default)]
pub struct Policies {
    /// Of every circuit that has none of its own.
    pub default: Policy,
    /// Of these circuits.
    pub models: HashMap<ModelKey, Policy>,
}

/// How often and how long. The defaults are those of DESIGN 3; tests shorten them.
#[derive(Debug, Clone)]
pub struct Pacing {
    /// Counts that cannot trip are written at most so often.
    pub counts: Duration,
    /// A circuit is read at most so often, however many pushes come.
    pub reads: Duration,
    /// Everything is read so often, as a net under missed pushes; a quarter more or less.
    pub slow_read: Duration,
    /// The store has so long to answer; a call waits for it no longer than that (F3).
    pub patience: Duration,
}

impl Default for Pacing {
    fn default() -> Self {
        Self {
            counts: Duration::from_millis(100),
            reads: Duration::from_millis(20),
            slow_read: Duration::from_secs(15),
            patience: Duration::from_millis(80),
        }
    }
}

/// How an instance takes part.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its name in Redis.
    pub instance: InstanceId,
    /// The rules.
    pub policies: Policies,
    /// How often and how long.
    pub pacing: Pacing,
    /// This machine's clock.
    pub clock: Arc<dyn WallClock>,
    /// Its chance.
    pub chance: Arc<dyn Chance>,
    /// Nobody asked for this store by name: that it is not there is no fault.
    pub optional: bool,
}

impl Settings {
    /// Usual settings under this name.
    #[must_use]
    pub fn new(instance: InstanceId) -> Self {
        Self {
            instance,
            policies: Policies::default(),
            pacing: Pacing::default(),
            clock: Arc::new(SystemClock::default()),
            chance: Arc::new(SystemChance),
            optional: false,
        }
    }
}

/// The circuits of one instance. Clones are the same circuits.
#[derive(Clone)]
pub struct Circuits(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) instance: InstanceId,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<StoreClock>,
    chance: Arc<dyn Chance>,
    pub(crate) pacing: Pacing,
    pub(crate) link: Link,
    pub(crate) runtime: Handle,
    pub(crate) heard: Notify,
    /// Counts are put off no longer: the process is about to end.
    pub(crate) in_haste: AtomicBool,
    pub(crate) circuits: ArcSwap<ByKey>,
    pub(crate) writes: WriteCounter,
    policies: ArcSwap<Policies>,
    pub(crate) watchers: Watchers,
}

/// Looked up by every call, so with a quick hash, of a seed of its own.
pub(crate) type ByKey = HashMap<ModelKey, Arc<Circuit>, RandomState>;

/// Why a person's word was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OperateError {
    /// There is no such circuit.
    #[error("there is no circuit {0}; `switchboard circuits` lists those that there are")]
    NoCircuit(ModelKey),
    /// The store could not be told, so others do not know of it.
    #[error("this instance has done it, but the store could not be told: {0}")]
    NotShared(String),
    /// Nobody carried it out in time.
    #[error("the store did not take it up in time; look at the circuit before you try again")]
    InTheBalance,
}

/// A person's word has a little longer than a call's.
const OPERATOR_PATIENCE: Duration = Duration::from_secs(2);

/// So often an ending process looks whether its last writes are done.
const FLUSH_GLANCE: Duration = Duration::from_millis(5);

impl Circuits {
    /// Takes part in the circuits of a store. Must be called within a tokio runtime; what it starts runs as long as
    /// that does.
    #[must_use]
    pub fn start(store: Arc<dyn Store>, settings: Settings) -> Self {
        let watchers = Watchers::default();
        let shared = Arc::new(Shared {
            instance: settings.instance,
            clock: Arc::new(StoreClock::new(settings.clock)),
            chance: settings.chance,
            pacing: settings.pacing,
            link: Link::new(store.place(), settings.optional, watchers.clone()),
            runtime: Handle::current(),
            heard: Notify::new(),
            in_haste: AtomicBool::new(false),
            circuits: ArcSwap::default(),
            writes: WriteCounter::default(),
            policies: ArcSwap::from_pointee(settings.policies),
            watchers,
            store,
        });
        shared.runtime.spawn(Arc::clone(&shared).follow());
        Self(shared)
    }

    /// Circuits kept in this process alone.
    #[must_use]
    pub fn in_memory(policies: Policies) -> Self {
        let settings = Settings { policies, ..Settings::new(InstanceId::new("memory")) };
        Self::start(Arc::new(MemoryStore::default()), settings)
    }

    /// Waits until the store was read for the first time, or was found to be away.
    pub async fn ready(&self) {
        loop {
            let heard = self.0.heard.notified();
            if self.0.link.state() != LinkState::Starting {
                return;
            }
            heard.await;
        }
    }

    /// May a call be made now? A closed circuit answers without I/O; a probe, and a circuit that this instance does
    /// not know yet, wait for the store, but never longer than [`Pacing::patience`] and a little (F2, F3).
    ///
    /// # Errors
    /// The circuit is open.
    pub async fn admit(&self, key: &ModelKey) -> Result<Permit, Refusal> {
        self.admit_with(key, None).await
    }

    /// The same for a call that may take so long: should it be a probe, its lease lasts for `lease` in place of
    /// [`Policy::probe_lease`].
    ///
    /// # Errors
    /// The circuit is open.
    pub async fn admit_for(&self, key: &ModelKey, lease: Duration) -> Result<Permit, Refusal> {
        self.admit_with(key, Some(lease)).await
    }

    async fn admit_with(&self, key: &ModelKey, lease: Option<Duration>) -> Result<Permit, Refusal> {
        if let Some(answer) = self.admit_at_once(key) {
            return answer;
        }
        let circuit = self.0.circuit(key);
        let mut end = None;
        if circuit.view.load().is_strange() {
            self.introduce(&circuit, *end.insert(self.patience_ends())).await;
        }
        let answer = self.decide(&circuit, &circuit.view.load());
        match answer {
            Some(answer) => answer,
            None => self.probe(&circuit, lease, end.unwrap_or_else(|| self.patience_ends())).await,
        }
    }

    /// The way of nearly every call: no waiting, no allocation, no lock. `None`: the store has a say in it.
    fn admit_at_once(&self, key: &ModelKey) -> Option<Result<Permit, Refusal>> {
        let circuits = self.0.circuits.load();
        let circuit = circuits.get(key)?;
        circuit.note_use();
        if let Some(epoch) = circuit.calm_epoch() {
            return Some(Ok(Permit::new(circuit, epoch)));
        }
        let view = circuit.view.load();
        if view.is_strange() { None } else { self.decide(circuit, &view) }
    }

    /// `None`: a probe is due.
    fn decide(&self, circuit: &Arc<Circuit>, view: &View) -> Option<Result<Permit, Refusal>> {
        let now = self.0.clock.now();
        match admit(&view.record, &view.policy, &self.0.instance, now) {
            Admission::Admitted => Some(Ok(Permit::new(circuit, view.record.epoch))),
            Admission::Refused { retry_at, probing } => {
                circuit.counter.refused();
                Some(Err(refusal(view, retry_at.map(|at| at.since(now)), probing)))
            }
            Admission::ProbeDue => None,
        }
    }

    async fn introduce(&self, circuit: &Arc<Circuit>, end: Instant) {
        let (sender, answer) = oneshot::channel();
        let waiting = Waiting { request: Request::Introduce, reply: Reply::Answer(sender) };
        self.0.request(circuit, waiting);
        let _ = timeout_at(end, answer).await;
    }

    async fn probe(
        &self,
        circuit: &Arc<Circuit>,
        lease: Option<Duration>,
        end: Instant,
    ) -> Result<Permit, Refusal> {
        let (sender, granted) = oneshot::channel();
        let id = format!("{:032x}", self.0.chance.draw());
        let waiting = Waiting { request: Request::Probe { id, lease }, reply: Reply::Probe(sender) };
        self.0.request(circuit, waiting);
        if let Ok(Ok(Some(permit))) = timeout_at(end, granted).await {
            return Ok(permit);
        }
        // Somebody else has the place, or the circuit has closed meanwhile.
        let view = circuit.view.load();
        match self.decide(circuit, &view) {
            Some(answer) => answer,
            None if view.policy.mode == Mode::Observe => Ok(Permit::new(circuit, view.record.epoch)),
            None => {
                circuit.counter.refused();
                Err(refusal(&view, Some(Duration::ZERO), true))
            }
        }
    }

    /// When a caller who asks now has waited long enough, for whatever it is (F3).
    fn patience_ends(&self) -> Instant {
        Instant::now() + self.0.pacing.patience + self.0.pacing.patience / 4
    }

    /// Waits until the circuit has changed since this call began: for callers who wait for a probe's verdict.
    pub async fn changed(&self, key: &ModelKey) {
        self.0.circuit(key).changed.notified().await;
    }

    /// Watches all circuits from now on: what changes, by this instance or another, and whether the store is there.
    /// Time alone changes nothing: an open circuit becomes half-open by its first probe.
    #[must_use]
    pub fn watch(&self) -> Watch {
        Watch::new(self.clone(), &self.0.watchers)
    }

    pub(crate) fn store(&self) -> &dyn Store {
        &*self.0.store
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.0.link.is_connected()
    }

    pub(crate) fn patience(&self) -> Duration {
        self.0.pacing.patience
    }

    /// New rules, for circuits that go on as they are.
    pub fn set_policies(&self, policies: Policies) {
        self.0.policies.store(Arc::new(policies));
        for circuit in self.0.circuits.load().values() {
            circuit.set_policy(self.0.policy(&circuit.key));
        }
    }

    /// All circuits that this instance knows, by name.
    #[must_use]
    pub fn reports(&self) -> Vec<Report> {
        let circuits = self.0.circuits.load();
        let mut reports: Vec<Report> = circuits.values().filter_map(|circuit| circuit.report()).collect();
        reports.sort_by(|a, b| a.key.cmp(&b.key));
        reports
    }

    /// The same with what this instance has counted of each.
    #[must_use]
    pub fn counts(&self) -> Vec<(Report, CircuitCounts)> {
        let circuits = self.0.circuits.load();
        let counts = |report: &Report| circuits.get(&report.key).map(|circuit| circuit.counter.read());
        self.reports()
            .into_iter()
            .filter_map(|report| counts(&report).map(|counts| (report, counts)))
            .collect()
    }

    /// What this instance has counted of its dealings with the store.
    #[must_use]
    pub fn store_counts(&self) -> StoreCounts {
        self.0.writes.read(self.0.clock.since_heard(), self.0.store.commands())
    }

    /// One circuit, if this instance knows it.
    #[must_use]
    pub fn report(&self, key: &ModelKey) -> Option<Report> {
        self.0.circuits.load().get(key)?.report()
    }

    /// The rules of one circuit.
    #[must_use]
    pub fn policy(&self, key: &ModelKey) -> Arc<Policy> {
        self.0.policy(key)
    }

    /// The last entries of a circuit's history, newest first.
    ///
    /// # Errors
    /// The store could not be read.
    pub async fn history(&self, key: &ModelKey, most: usize) -> Result<Vec<Transition>, StoreError> {
        self.0.store.history(key, most).await
    }

    /// How the circuits are kept at the moment.
    #[must_use]
    pub fn link(&self) -> LinkState {
        self.0.link.state()
    }

    /// What the store is and where.
    #[must_use]
    pub fn place(&self) -> Place {
        self.0.store.place()
    }

    /// This instance's name.
    #[must_use]
    pub fn instance(&self) -> &InstanceId {
        &self.0.instance
    }

    /// The store's time, as this instance knows it.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Opens a circuit by hand, for a while or until it is closed by hand (B10).
    ///
    /// # Errors
    /// It could not be carried out or shared.
    pub async fn open(
        &self,
        key: &ModelKey,
        length: Option<Duration>,
        why: Option<String>,
    ) -> Result<(), OperateError> {
        self.operate(key, Request::Open { length, why }).await
    }

    /// Closes a circuit by hand.
    ///
    /// # Errors
    /// It could not be carried out or shared, or there is no such circuit.
    pub async fn close(&self, key: &ModelKey, why: Option<String>) -> Result<(), OperateError> {
        self.operate(key, Request::Event(Event::Close { why }, None)).await
    }

    /// Forgets a circuit, as a DEL does; its history stands.
    ///
    /// # Errors
    /// It could not be carried out or shared, or there is no such circuit.
    pub async fn reset(&self, key: &ModelKey, why: Option<String>) -> Result<(), OperateError> {
        self.operate(key, Request::Reset(why)).await
    }

    async fn operate(&self, key: &ModelKey, request: Request) -> Result<(), OperateError> {
        let circuit = self.0.circuit(key);
        let (sender, answer) = oneshot::channel();
        self.0.request(&circuit, Waiting { request, reply: Reply::Answer(sender) });
        match timeout(OPERATOR_PATIENCE, answer).await {
            Ok(Ok(Answer::NoCircuit)) => Err(OperateError::NoCircuit(key.clone())),
            Ok(Ok(Answer::Effect(Effect::Counted | Effect::Void))) => match self.0.link.state() {
                LinkState::Degraded { error, .. } => Err(OperateError::NotShared(error.to_string())),
                _ => Ok(()),
            },
            _ => Err(OperateError::InTheBalance),
        }
    }

    /// Waits until everything that the circuits have been told is written, or kept for a store that is away: the last
    /// thing a process does. From now on nothing is put off.
    pub async fn flush(&self) {
        self.0.in_haste.store(true, Ordering::Release);
        for circuit in self.0.circuits.load().values() {
            circuit.bell.notify_one();
        }
        while self.0.circuits.load().values().any(|circuit| circuit.busy.load(Ordering::Acquire)) {
            tokio::time::sleep(FLUSH_GLANCE).await;
        }
    }

    /// Waits until this instance has nothing left to write or read for a circuit. For tests.
    #[doc(hidden)]
    pub async fn quiet(&self, key: &ModelKey) {
        let circuit = self.0.circuit(key);
        loop {
            {
                let inner = circuit.inner();
                if !inner.writer_runs && !inner.reader_runs {
                    return;
                }
            }
            // Time may have to pass, and in a simulation it does only when nobody is busy.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// One circuit by what is written alone, without good calls that are not. For tests.
    #[doc(hidden)]
    #[must_use]
    pub fn written_report(&self, key: &ModelKey) -> Option<Report> {
        let circuit = Arc::clone(self.0.circuits.load().get(key)?);
        let view = circuit.view.load();
        view.known.then(|| Report::new(key, &view.record, &view.policy, circuit.now()))
    }

    /// How many circuits this instance holds in memory. For tests.
    #[doc(hidden)]
    #[must_use]
    pub fn held(&self) -> usize {
        self.0.circuits.load().len()
    }

    /// The bytes that this instance believes to stand in the store. For tests.
    #[doc(hidden)]
    #[must_use]
    pub fn mirrored(&self, key: &ModelKey) -> crate::store::Value {
        self.0.circuit(key).inner().mirror.value.clone()
    }
}

impl Shared {
    /// The circuit of a key; one that is not known yet is begun here, and read before its first call.
    pub(crate) fn circuit(self: &Arc<Self>, key: &ModelKey) -> Arc<Circuit> {
        if let Some(circuit) = self.circuits.load().get(key) {
            return Arc::clone(circuit);
        }
        let fresh = Arc::new(Circuit::new(key.clone(), self, self.policy(key)));
        self.edit_circuits(|circuits| {
            circuits.entry(key.clone()).or_insert_with(|| Arc::clone(&fresh));
        });
        self.circuits.load().get(key).map_or(fresh, Arc::clone)
    }

    /// Begins those of these circuits that are not known yet, all in one step: each edit copies the map.
    pub(crate) fn begin_circuits<'a>(self: &Arc<Self>, keys: impl Iterator<Item = &'a ModelKey>) {
        let known = self.circuits.load();
        let fresh: Vec<_> = keys
            .filter(|key| !known.contains_key(*key))
            .map(|key| Arc::new(Circuit::new(key.clone(), self, self.policy(key))))
            .collect();
        if !fresh.is_empty() {
            self.edit_circuits(|circuits| {
                for circuit in &fresh {
                    circuits.entry(circuit.key.clone()).or_insert_with(|| Arc::clone(circuit));
                }
            });
        }
    }

    /// Puts an edited copy in place: circuits come and go seldom and are looked up by every call.
    pub(crate) fn edit_circuits(&self, edit: impl Fn(&mut ByKey)) {
        self.circuits.rcu(|circuits| {
            let mut circuits = ByKey::clone(circuits);
            edit(&mut circuits);
            circuits
        });
    }

    pub(crate) fn policy(&self, key: &ModelKey) -> Arc<Policy> {
        let policies = self.policies.load();
        Arc::new(policies.models.get(key).unwrap_or(&policies.default).clone())
    }

    /// All circuits by name: what is done to all is done in the same order each time.
    pub(crate) fn in_order(&self) -> Vec<Arc<Circuit>> {
        let mut circuits: Vec<_> = self.circuits.load().values().cloned().collect();
        circuits.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        circuits
    }

    /// A share in [0, 1), another each time and in each instance.
    pub(crate) fn share(&self) -> f64 {
        let bits = u32::try_from(self.chance.draw() & u128::from(u32::MAX)).unwrap_or(0);
        f64::from(bits) / (f64::from(u32::MAX) + 1.0)
    }
}

fn refusal(view: &View, retry_in: Option<Duration>, probing: bool) -> Refusal {
    Refusal::new(Arc::clone(&view.record), retry_in, probing)
}

impl fmt::Debug for Circuits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Circuits")
            .field("instance", &self.0.instance)
            .field("store", &self.0.store.place())
            .finish_non_exhaustive()
    }
}
