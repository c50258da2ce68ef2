//! The circuits of one instance: admission, and what is told of them.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use breaker::{Admission, InstanceId, Mode, ModelKey, Policy, Timestamp, Transition, admit};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};

use crate::{
    circuit::{Circuit, QueuedRequest, Responder, View},
    counts::{CircuitCounts, StoreCounts},
    memory::MemoryStore,
    permit::Permit,
    plan::Request,
    report::{Refusal, Report},
    settings::{Policies, Settings},
    shared::Shared,
    store::{Store, StoreError, StoreInfo},
    store_health::StoreStatus,
    watch::Watch,
};

/// The circuits of one instance. Clones are the same circuits.
#[derive(Clone)]
pub struct Circuits(pub(crate) Arc<Shared>);

/// So often an ending process looks whether its last writes are done.
const FLUSH_POLL_INTERVAL: Duration = Duration::from_millis(5);

impl Circuits {
    /// Takes part in the circuits of a store. Must be called within a tokio runtime; what it starts runs as long as
    /// that does.
    #[must_use]
    pub fn start(store: Arc<dyn Store>, settings: Settings) -> Self {
        let shared = Arc::new(Shared::new(store, settings));
        shared.runtime.spawn(Arc::clone(&shared).run_sync());
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
            let progress = self.0.sync_progress.notified();
            if self.0.store_health.status() != StoreStatus::Starting {
                return;
            }
            progress.await;
        }
    }

    /// May a call be made now? A closed circuit answers without I/O; a probe, and a circuit that this instance does
    /// not know yet, wait for the store, but never longer than [`crate::Pacing::patience`] and a little (F2, F3).
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
        if let Some(answer) = self.try_admit(key) {
            return answer;
        }
        let circuit = self.0.circuit(key);
        let mut deadline = None;
        if circuit.view.load().needs_load() {
            self.ensure_exists(&circuit, *deadline.insert(self.wait_deadline())).await;
        }
        let answer = self.decide(&circuit, &circuit.view.load());
        match answer {
            Some(answer) => answer,
            None => self.probe(&circuit, lease, deadline.unwrap_or_else(|| self.wait_deadline())).await,
        }
    }

    /// The way of nearly every call: no waiting, no allocation, no lock. `None`: the store has a say in it.
    fn try_admit(&self, key: &ModelKey) -> Option<Result<Permit, Refusal>> {
        let circuits = self.0.circuits.load();
        let circuit = circuits.get(key)?;
        circuit.mark_used();
        if let Some(epoch) = circuit.fast_path_epoch() {
            return Some(Ok(Permit::new(circuit, epoch)));
        }
        let view = circuit.view.load();
        if view.needs_load() { None } else { self.decide(circuit, &view) }
    }

    /// `None`: a probe is due.
    fn decide(&self, circuit: &Arc<Circuit>, view: &View) -> Option<Result<Permit, Refusal>> {
        let now = self.0.clock.now();
        match admit(&view.record, &view.policy, &self.0.instance, now) {
            Admission::Admitted => Some(Ok(Permit::new(circuit, view.record.epoch))),
            Admission::Refused { retry_at, probing } => {
                circuit.counter.count_refusal();
                Some(Err(refusal(view, retry_at.map(|at| at.since(now)), probing)))
            }
            Admission::ProbeDue => None,
        }
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
        lease: Option<Duration>,
        deadline: Instant,
    ) -> Result<Permit, Refusal> {
        let (responder, granted) = Permit::probe_responder();
        let id = format!("{:032x}", self.0.rng.next_u128());
        self.0.enqueue(circuit, QueuedRequest { request: Request::Probe { id, lease }, responder });
        if let Ok(Ok(Some(permit))) = timeout_at(deadline, granted).await {
            return Ok(permit);
        }
        // Somebody else has the place, or the circuit has closed meanwhile.
        let view = circuit.view.load();
        match self.decide(circuit, &view) {
            Some(answer) => answer,
            None if view.policy.mode == Mode::Observe => Ok(Permit::new(circuit, view.record.epoch)),
            None => {
                circuit.counter.count_refusal();
                Err(refusal(&view, Some(Duration::ZERO), true))
            }
        }
    }

    /// When a caller who asks now has waited long enough, for whatever it is (F3).
    fn wait_deadline(&self) -> Instant {
        Instant::now() + self.0.timing.store_timeout + self.0.timing.store_timeout / 4
    }

    /// Waits until the circuit has changed since this call began: for callers who wait for a probe's verdict.
    pub async fn changed(&self, key: &ModelKey) {
        self.0.circuit(key).view_changed.notified().await;
    }

    /// Watches all circuits from now on: what changes, by this instance or another, and whether the store is there.
    /// Time alone changes nothing: an open circuit becomes half-open by its first probe.
    #[must_use]
    pub fn watch(&self) -> Watch {
        Watch::new(Arc::clone(&self.0))
    }

    /// New rules, for circuits that go on as they are.
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

    /// The same with what this instance has counted of each.
    #[must_use]
    pub fn counts(&self) -> Vec<(Report, CircuitCounts)> {
        let circuits = self.0.circuits.load();
        let counts = |report: &Report| circuits.get(&report.key).map(|circuit| circuit.counter.snapshot());
        self.reports()
            .into_iter()
            .filter_map(|report| counts(&report).map(|counts| (report, counts)))
            .collect()
    }

    /// What this instance has counted of its dealings with the store.
    #[must_use]
    pub fn store_counts(&self) -> StoreCounts {
        self.0.writes.snapshot(self.0.clock.since_last_sync(), self.0.store.command_counts())
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
    pub async fn history(&self, key: &ModelKey, limit: usize) -> Result<Vec<Transition>, StoreError> {
        self.0.store.history(key, limit).await
    }

    /// How the circuits are kept at the moment.
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

    /// The store's time, as this instance knows it.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Waits until everything that the circuits have been told is written, or kept for a store that is away: the last
    /// thing a process does. From now on nothing is put off.
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

    /// Waits until this instance has nothing left to write or read for a circuit. For tests.
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
            // Time may have to pass, and in a simulation it does only when nobody is busy.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// One circuit by what is written alone, without good calls that are not. For tests.
    #[doc(hidden)]
    #[must_use]
    pub fn stored_report(&self, key: &ModelKey) -> Option<Report> {
        let circuit = Arc::clone(self.0.circuits.load().get(key)?);
        let view = circuit.view.load();
        view.loaded.then(|| Report::new(key, &view.record, &view.policy, circuit.now()))
    }

    /// How many circuits this instance holds in memory. For tests.
    #[doc(hidden)]
    #[must_use]
    pub fn circuit_count(&self) -> usize {
        self.0.circuits.load().len()
    }

    /// The bytes that this instance believes to stand in the store. For tests.
    #[doc(hidden)]
    #[must_use]
    pub fn mirrored_value(&self, key: &ModelKey) -> crate::store::Value {
        self.0.circuit(key).inner().mirror.value.clone()
    }
}

fn refusal(view: &View, retry_in: Option<Duration>, probing: bool) -> Refusal {
    Refusal::new(Arc::clone(&view.record), retry_in, probing)
}

impl fmt::Debug for Circuits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Circuits")
            .field("instance", &self.0.instance)
            .field("store", &self.0.store.info())
            .finish_non_exhaustive()
    }
}
