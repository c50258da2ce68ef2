//! The circuits of one instance: admission and reports.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use breaker::{
    Admission, InstanceId, Mode, ModelKey, Policy, Requester as _, Timestamp, Transition, admit_provisionally,
};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};

use crate::{
    circuit::{Circuit, QueuedRequest, Responder},
    counts::{CircuitCounts, StoreCounts},
    memory::MemoryStore,
    permit::Permit,
    plan::Request,
    reference::{CircuitRef, CircuitSlot},
    refusal::Refusal,
    report::Report,
    settings::{Policies, Settings},
    shared::Shared,
    source::CallSource,
    store::{Store, StoreError, StoreInfo},
    store_health::StoreStatus,
    view::{FastPath, View},
    watch::Watch,
};

/// The circuits of one instance. Clones are the same circuits.
#[derive(Clone)]
pub struct Circuits(pub(crate) Arc<Shared>);

/// How often a process that shuts down checks whether its last writes are done.
const FLUSH_POLL_INTERVAL: Duration = Duration::from_millis(5);

impl Circuits {
    /// Joins the circuits of a store. Must be called within a tokio runtime; its tasks run as long as that does.
    #[must_use]
    pub fn start(store: Arc<dyn Store>, settings: Settings) -> Self {
        let shared = Arc::new(Shared::new(store, settings));
        shared.runtime.spawn(Arc::clone(&shared).run_sync());
        Self(shared)
    }

    /// Circuits in this process only.
    #[must_use]
    pub fn in_memory(policies: Policies) -> Self {
        let settings = Settings { policies, ..Settings::new(InstanceId::new("memory")) };
        Self::start(Arc::new(MemoryStore::default()), settings)
    }

    /// Waits until the store was read for the first time, or was found to be unreachable.
    pub async fn ready(&self) {
        loop {
            let progress = self.0.sync_progress.notified();
            if self.0.store_health.status() != StoreStatus::Starting {
                return;
            }
            progress.await;
        }
    }

    /// Admits a call, or refuses it. A closed circuit needs no I/O. A probe, and a circuit that this instance does not know
    /// yet, wait for the store, but never much longer than [`Timing::store_timeout`](crate::Timing::store_timeout) (F2, F3).
    ///
    /// The call names nobody, so its failure concerns everyone; see [`admit_as`](Self::admit_as).
    ///
    /// # Errors
    /// The circuit is open.
    pub async fn admit(&self, key: &ModelKey) -> Result<Permit, Refusal> {
        self.admit_with(key, None, None).await
    }

    /// The same for a call of this source: what fails only for it is refused only to it (B12). A probe's lease lasts for
    /// `lease`; `None`: for [`Policy::probe_lease`].
    ///
    /// # Errors
    /// The circuit is open, for all or for this source.
    pub async fn admit_as(
        &self,
        key: &ModelKey,
        source: &CallSource,
        lease: Option<Duration>,
    ) -> Result<Permit, Refusal> {
        self.admit_with(key, Some(source), lease).await
    }

    /// The same, but a probe's lease lasts for `lease` in place of [`Policy::probe_lease`].
    ///
    /// # Errors
    /// The circuit is open.
    pub async fn admit_for(&self, key: &ModelKey, lease: Duration) -> Result<Permit, Refusal> {
        self.admit_with(key, None, Some(lease)).await
    }

    /// The same without waiting. It asks for no probe's lease. `None`: only [`admit_as`](Self::admit_as) can tell.
    ///
    /// `slot`: where whoever calls this model again and again keeps its circuit; a slot of this key and these circuits.
    #[must_use]
    pub fn admit_now(
        &self,
        key: &ModelKey,
        slot: Option<&CircuitSlot>,
        source: &CallSource,
    ) -> Option<Result<Permit, Refusal>> {
        if let Some(circuit) = slot.and_then(CircuitSlot::get)
            && let Some(admission) = admit_fast(circuit, || CircuitRef::OfCore(circuit.clone()), Some(source))
        {
            return Some(admission);
        }
        // Also if what the slot keeps is no longer the circuit of this key.
        self.try_admit(key, slot, Some(source))
    }

    async fn admit_with(
        &self,
        key: &ModelKey,
        source: Option<&CallSource>,
        lease: Option<Duration>,
    ) -> Result<Permit, Refusal> {
        if let Some(admission) = self.try_admit(key, None, source) {
            return admission;
        }
        let mut deadline = None;
        let circuit = if self.0.is_named(key) {
            let circuit = self.0.circuit(key);
            if circuit.view.load().needs_load() {
                self.ensure_exists(&circuit, *deadline.insert(self.wait_deadline())).await;
            }
            circuit
        } else {
            let circuit = self.find(key, *deadline.insert(self.wait_deadline())).await;
            if circuit.view.load().needs_load() {
                return Ok(Permit::without_circuit(&circuit, source));
            }
            circuit
        };
        let answer = self.decide(&circuit, &circuit.view.load(), source);
        match answer {
            Some(answer) => answer,
            None => {
                let deadline = deadline.unwrap_or_else(|| self.wait_deadline());
                self.probe(&circuit, source, lease, deadline).await
            }
        }
    }

    /// Without waiting. `None`: the store is needed.
    fn try_admit(
        &self,
        key: &ModelKey,
        slot: Option<&CircuitSlot>,
        source: Option<&CallSource>,
    ) -> Option<Result<Permit, Refusal>> {
        let circuits = self.0.circuits.load();
        let circuit = circuits.get(key)?;
        if let Some(slot) = slot {
            slot.keep(circuit);
        }
        let admission = admit_fast(circuit, || CircuitRef::from(circuit), source);
        if admission.is_some() {
            return admission;
        }
        circuit.mark_used();
        let view = circuit.view.load();
        if view.needs_load() { None } else { self.decide(circuit, &view, source) }
    }

    /// `None`: a probe is due.
    fn decide(
        &self,
        circuit: &Arc<Circuit>,
        view: &Arc<View>,
        source: Option<&CallSource>,
    ) -> Option<Result<Permit, Refusal>> {
        let now = self.0.clock.now();
        let (admission, provisional) = self.admission(circuit, view, source, now);
        match admission {
            Admission::Admitted => Some(Ok(Permit::new(circuit.into(), view.record.epoch, source))),
            Admission::Refused { retry_at, probing } => {
                circuit.count_refusal();
                let refusing = view.expected.as_ref().filter(|_| provisional).unwrap_or(&view.record);
                let refusal = Refusal::new(Arc::clone(refusing), retry_at.map(|at| at.since(now)), probing);
                circuit.refuse_by_timer(view, now, &self.0.runtime);
                Some(Err(refusal))
            }
            Admission::ProbeDue => None,
        }
    }

    /// What a call gets, and whether that is provisional.
    fn admission(
        &self,
        circuit: &Circuit,
        view: &View,
        source: Option<&CallSource>,
        now: Timestamp,
    ) -> (Admission, bool) {
        let (record, expected) = (&view.record, view.expected.as_deref());
        admit_provisionally(record, expected, &view.policy, &self.0.instance, &circuit.tagged(source), now)
    }

    /// The circuit of a model that the configuration does not name. Clients invent names: unless the store has such a
    /// circuit, nothing is kept of it and nothing is written before its first answer or failure. It needs a read (F2).
    async fn find(&self, key: &ModelKey, deadline: Instant) -> Arc<Circuit> {
        let circuit = self.0.unplaced_circuit(key);
        if !circuit.view.load().needs_load() || !self.0.store_health.is_writable() {
            return circuit;
        }
        if let Ok(Err(error)) = timeout_at(deadline, self.0.read_now(&circuit)).await {
            self.0.store_health.mark_unreachable(&error, self.0.clock.now());
        }
        if circuit.view.load().needs_load() {
            return circuit;
        }
        let placed = self.0.place(&circuit);
        // What changed after it was read was reported to nobody.
        self.0.schedule_read(&placed);
        circuit
    }

    async fn ensure_exists(&self, circuit: &Arc<Circuit>, deadline: Instant) {
        let (sender, answer) = oneshot::channel();
        let queued = QueuedRequest { request: Request::EnsureExists, responder: Responder::Result(sender) };
        self.0.enqueue(circuit, queued);
        let _ = timeout_at(deadline, answer).await;
    }

    async fn probe(
        &self,
        circuit: &Arc<Circuit>,
        source: Option<&CallSource>,
        lease: Option<Duration>,
        deadline: Instant,
    ) -> Result<Permit, Refusal> {
        let (responder, granted) = Permit::probe_responder(source.cloned());
        let named = circuit.tagged(source).source();
        let id = format!("{:032x}", self.0.rng.next_u128());
        self.0.enqueue(
            circuit,
            QueuedRequest { request: Request::Probe { id, lease, source: named }, responder },
        );
        if let Ok(Ok(Some(permit))) = timeout_at(deadline, granted).await {
            return Ok(permit);
        }
        // Another caller has the slot, or the circuit has closed meanwhile.
        let view = circuit.view.load();
        match self.decide(circuit, &view, source) {
            Some(answer) => answer,
            None if view.policy.mode == Mode::Observe => {
                Ok(Permit::new(circuit.into(), view.record.epoch, source))
            }
            None => {
                circuit.count_refusal();
                Err(Refusal::new(Arc::clone(&view.record), Some(Duration::ZERO), true))
            }
        }
    }

    /// Until when a caller who asks now waits at most, in all (F3).
    fn wait_deadline(&self) -> Instant {
        Instant::now() + self.0.timing.store_timeout + self.0.timing.store_timeout / 4
    }

    /// Waits until the circuit changes after this call: for callers who wait for a probe's verdict.
    pub async fn changed(&self, key: &ModelKey) {
        self.0.circuit(key).view_changed.notified().await;
    }

    /// Watches all circuits from now on: changes by this instance or another, and whether the store is reachable.
    /// Time alone changes nothing: an open circuit becomes half-open by its first probe.
    #[must_use]
    pub fn watch(&self) -> Watch {
        Watch::new(Arc::clone(&self.0))
    }

    /// Replaces the policies. The circuits keep their state.
    pub fn set_policies(&self, policies: Policies) {
        self.0.set_policies(policies);
    }

    /// All circuits that this instance knows, by name.
    #[must_use]
    pub fn reports(&self) -> Vec<Report> {
        let circuits = self.0.circuits.load();
        let mut reports: Vec<Report> = circuits.values().filter_map(|circuit| circuit.report()).collect();
        reports.sort_by(|a, b| a.key.cmp(&b.key));
        reports
    }

    /// The same with the counters of each.
    #[must_use]
    pub fn counts(&self) -> Vec<(Report, CircuitCounts)> {
        let circuits = self.0.circuits.load();
        let counts = |report: &Report| circuits.get(&report.key).map(|circuit| circuit.counts());
        self.reports()
            .into_iter()
            .filter_map(|report| counts(&report).map(|counts| (report, counts)))
            .collect()
    }

    /// The counters of the store.
    #[must_use]
    pub fn store_counts(&self) -> StoreCounts {
        self.0.writes.snapshot(self.0.clock.since_last_sync(), self.0.store.command_counts())
    }

    /// One circuit, if this instance knows it.
    #[must_use]
    pub fn report(&self, key: &ModelKey) -> Option<Report> {
        self.0.circuits.load().get(key)?.report()
    }

    /// How long a model has been failing without a success in between, as far as this instance knows. `None`: it has not,
    /// or its provider has said itself how long it rests (B9).
    #[must_use]
    pub fn failing_for(&self, key: &ModelKey) -> Option<Duration> {
        let circuits = self.0.circuits.load();
        let circuit = circuits.get(key)?;
        let (view, now) = (circuit.view.load(), circuit.now());
        Some(now.since(view.record.failing_since(&view.policy, now)?))
    }

    /// Whether a call of this source would be refused now, as far as this instance knows. One that may be a probe would not.
    /// It asks for nothing and counts as nothing. `slot` as of [`admit_now`](Self::admit_now).
    #[must_use]
    pub fn would_refuse(&self, key: &ModelKey, slot: Option<&CircuitSlot>, source: &CallSource) -> bool {
        match slot.and_then(CircuitSlot::get).map(|circuit| circuit.view.fast_path()) {
            Some(FastPath::Admit { .. }) => return false,
            Some(FastPath::RefuseUntil(_) | FastPath::Refuse) => return true,
            Some(FastPath::LoadView) | None => {}
        }
        let circuits = self.0.circuits.load();
        let Some(circuit) = circuits.get(key) else { return false };
        if matches!(circuit.view.fast_path(), FastPath::Admit { .. }) {
            return false;
        }
        let (admission, _) = self.admission(circuit, &circuit.view.load(), Some(source), self.0.clock.now());
        matches!(admission, Admission::Refused { .. })
    }

    /// The models that the configuration names, if it says which it means, and those with a policy of their own; by name.
    #[must_use]
    pub fn named_models(&self) -> BTreeSet<ModelKey> {
        self.0.named_models()
    }

    /// The policy of one circuit.
    #[must_use]
    pub fn policy(&self, key: &ModelKey) -> Arc<Policy> {
        self.0.policy(key)
    }

    /// The last entries of a circuit's history, newest first.
    ///
    /// # Errors
    /// The store could not be read.
    pub async fn history(&self, key: &ModelKey, limit: usize) -> Result<Vec<Transition>, StoreError> {
        self.0.store.history(key, limit).await
    }

    /// Where the circuits are kept at the moment.
    #[must_use]
    pub fn store_status(&self) -> StoreStatus {
        self.0.store_health.status()
    }

    /// What the store is and where.
    #[must_use]
    pub fn store_info(&self) -> StoreInfo {
        self.0.store.info()
    }

    /// This instance's name.
    #[must_use]
    pub fn instance(&self) -> &InstanceId {
        &self.0.instance
    }

    /// The store's time, as far as this instance knows it.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Waits until all outcomes are written, or kept locally while the store is unreachable. A process calls it last: from
    /// now on no write is delayed.
    pub async fn flush(&self) {
        self.0.draining.store(true, Ordering::Release);
        for circuit in self.0.circuits.load().values() {
            circuit.wake_writer.notify_one();
        }
        while self
            .0
            .circuits
            .load()
            .values()
            .any(|circuit| circuit.has_pending_writes.load(Ordering::Acquire))
        {
            tokio::time::sleep(FLUSH_POLL_INTERVAL).await;
        }
    }

    /// Waits until this instance has nothing to write or read for a circuit. For tests.
    #[doc(hidden)]
    pub async fn wait_idle(&self, key: &ModelKey) {
        let circuit = self.0.circuit(key);
        loop {
            {
                let inner = circuit.inner();
                if !inner.writer_running && !inner.reader_running {
                    return;
                }
            }
            // Time may have to pass, and in a simulation it does so only when all tasks wait.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// One circuit as it is written, without unwritten successes. For tests.
    #[doc(hidden)]
    #[must_use]
    pub fn stored_report(&self, key: &ModelKey) -> Option<Report> {
        let circuit = Arc::clone(self.0.circuits.load().get(key)?);
        let view = circuit.view.load();
        view.loaded.then(|| Report::new(key, &view.record, &view.policy, circuit.now()))
    }

    /// The number of circuits in memory. For tests.
    #[doc(hidden)]
    #[must_use]
    pub fn circuit_count(&self) -> usize {
        self.0.circuits.load().len()
    }

    /// The bytes in the store, according to this instance. For tests.
    #[doc(hidden)]
    #[must_use]
    pub fn mirrored_value(&self, key: &ModelKey) -> crate::store::Value {
        self.0.circuit(key).inner().mirror.value.clone()
    }
}

/// What nearly every call gets: without waiting, allocation, lock or clock. `None`: the view is needed.
#[inline]
fn admit_fast(
    circuit: &Circuit,
    reference: impl FnOnce() -> CircuitRef,
    source: Option<&CallSource>,
) -> Option<Result<Permit, Refusal>> {
    let retry_at = match circuit.view.fast_path() {
        FastPath::Admit { epoch } => {
            circuit.mark_used();
            return Some(Ok(Permit::new(reference(), epoch, source)));
        }
        FastPath::RefuseUntil(end) => Some(end),
        FastPath::Refuse => None,
        FastPath::LoadView => return None,
    };
    circuit.mark_used();
    circuit.count_refusal();
    Some(Err(Refusal::of_all(reference(), retry_at)))
}

impl fmt::Debug for Circuits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Circuits")
            .field("instance", &self.0.instance)
            .field("store", &self.0.store.info())
            .finish_non_exhaustive()
    }
}
