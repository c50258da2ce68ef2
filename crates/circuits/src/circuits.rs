//! The circuits of one instance: admission, and a person's hand on them.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use arc_swap::ArcSwap;
use breaker::{Admission, Effect, Event, InstanceId, Mode, ModelKey, Policy, Stamp, Transition, admit};
use tokio::{
    runtime::Handle,
    sync::{Notify, oneshot},
    time::timeout,
};

use crate::{
    circuit::{Circuit, Reply, View, Waiting},
    clock::{StoreClock, SystemClock, WallClock},
    link::{Link, LinkState},
    memory::MemoryStore,
    permit::Permit,
    plan::{Answer, Request},
    report::{Refusal, Report},
    store::{Place, Store, StoreError},
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
    pub(crate) clock: StoreClock,
    pub(crate) pacing: Pacing,
    pub(crate) link: Link,
    pub(crate) runtime: Handle,
    pub(crate) heard: Notify,
    pub(crate) circuits: ArcSwap<HashMap<ModelKey, Arc<Circuit>>>,
    policies: ArcSwap<Policies>,
}

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
        let shared = Arc::new(Shared {
            instance: settings.instance,
            clock: StoreClock::new(settings.clock),
            pacing: settings.pacing,
            link: Link::new(store.place(), settings.optional),
            runtime: Handle::current(),
            heard: Notify::new(),
            circuits: ArcSwap::default(),
            policies: ArcSwap::from_pointee(settings.policies),
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
        let circuit = self.0.circuit(key);
        circuit.used.store(true, Ordering::Relaxed);
        if !circuit.view.load().known && !circuit.is_off() {
            self.introduce(&circuit).await;
        }
        let view = circuit.view.load_full();
        if view.plainly_closed {
            return Ok(self.permit(&circuit, &view));
        }
        let policy = circuit.policy.load_full();
        match admit(&view.record, &policy, &self.0.instance, self.0.clock.now()) {
            Admission::Admitted => Ok(self.permit(&circuit, &view)),
            Admission::Refused { retry_at, probing } => Err(self.refusal(&circuit, &view, retry_at, probing)),
            Admission::ProbeDue => self.probe(&circuit, &policy).await,
        }
    }

    fn permit(&self, circuit: &Arc<Circuit>, view: &View) -> Permit {
        Permit::new(&self.0, circuit, Stamp { epoch: view.record.epoch, lease: None })
    }

    async fn introduce(&self, circuit: &Arc<Circuit>) {
        let (sender, answer) = oneshot::channel();
        let waiting = Waiting { request: Request::Introduce, reply: Reply::Answer(sender) };
        self.0.request(circuit, waiting);
        let _ = timeout(self.patience(), answer).await;
    }

    async fn probe(&self, circuit: &Arc<Circuit>, policy: &Policy) -> Result<Permit, Refusal> {
        let (sender, granted) = oneshot::channel();
        let id = uuid::Uuid::new_v4().simple().to_string();
        let waiting = Waiting { request: Request::Probe(id), reply: Reply::Probe(sender) };
        self.0.request(circuit, waiting);
        if let Ok(Ok(Some(permit))) = timeout(self.patience(), granted).await {
            return Ok(permit);
        }
        // Somebody else has the place, or the circuit has closed meanwhile.
        let view = circuit.view.load_full();
        match admit(&view.record, policy, &self.0.instance, self.0.clock.now()) {
            Admission::Admitted => Ok(self.permit(circuit, &view)),
            Admission::ProbeDue if policy.mode == Mode::Observe => Ok(self.permit(circuit, &view)),
            Admission::ProbeDue => Err(self.refusal(circuit, &view, Some(self.0.clock.now()), true)),
            Admission::Refused { retry_at, probing } => Err(self.refusal(circuit, &view, retry_at, probing)),
        }
    }

    fn patience(&self) -> Duration {
        self.0.pacing.patience + self.0.pacing.patience / 4
    }

    fn refusal(
        &self,
        circuit: &Circuit,
        view: &View,
        retry_at: Option<breaker::Timestamp>,
        probing: bool,
    ) -> Refusal {
        Refusal::new(&circuit.key, &view.record, retry_at, probing, self.0.clock.now())
    }

    /// Waits until the circuit has changed since this call began: for callers who wait for a probe's verdict.
    pub async fn changed(&self, key: &ModelKey) {
        self.0.circuit(key).changed.notified().await;
    }

    /// New rules, for circuits that go on as they are.
    pub fn set_policies(&self, policies: Policies) {
        self.0.policies.store(Arc::new(policies));
        for circuit in self.0.circuits.load().values() {
            circuit.policy.store(self.0.policy(&circuit.key));
        }
    }

    /// All circuits that this instance knows, by name.
    #[must_use]
    pub fn reports(&self) -> Vec<Report> {
        let now = self.0.clock.now();
        let circuits = self.0.circuits.load();
        let known = circuits.values().filter_map(|circuit| {
            let view = circuit.view.load();
            view.known.then(|| Report::new(&circuit.key, &view.record, &circuit.policy.load(), now))
        });
        let mut reports: Vec<Report> = known.collect();
        reports.sort_by(|a, b| a.key.cmp(&b.key));
        reports
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
    pub fn now(&self) -> breaker::Timestamp {
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
        let until = length.map(|length| self.0.clock.now() + length);
        self.operate(key, Request::Event(Event::Open { until, why }, None)).await
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
    /// thing a process does. Ends soon, since counts are put off by [`Pacing::counts`] at most.
    pub async fn flush(&self) {
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
            tokio::task::yield_now().await;
        }
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
    pub(crate) fn circuit(&self, key: &ModelKey) -> Arc<Circuit> {
        if let Some(circuit) = self.circuits.load().get(key) {
            return Arc::clone(circuit);
        }
        let fresh = Arc::new(Circuit::new(key.clone(), self.policy(key)));
        self.edit_circuits(|circuits| {
            circuits.entry(key.clone()).or_insert_with(|| Arc::clone(&fresh));
        });
        self.circuits.load().get(key).map_or(fresh, Arc::clone)
    }

    /// Puts an edited copy in place: circuits come and go seldom and are looked up by every call.
    pub(crate) fn edit_circuits(&self, edit: impl Fn(&mut HashMap<ModelKey, Arc<Circuit>>)) {
        self.circuits.rcu(|circuits| {
            let mut circuits = HashMap::clone(circuits);
            edit(&mut circuits);
            circuits
        });
    }

    fn policy(&self, key: &ModelKey) -> Arc<Policy> {
        let policies = self.policies.load();
        Arc::new(policies.models.get(key).unwrap_or(&policies.default).clone())
    }

    /// A number that nobody can foresee.
    pub(crate) fn chance(&self) -> u64 {
        uuid::Uuid::new_v4().as_u64_pair().1 & 0x0fff_ffff
    }
}

impl fmt::Debug for Circuits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Circuits")
            .field("instance", &self.0.instance)
            .field("store", &self.0.store.place())
            .finish_non_exhaustive()
    }
}
