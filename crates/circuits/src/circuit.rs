//! One circuit in one instance: the view that admission reads without a lock, and the requests that wait to be
//! written.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use breaker::{
    AdmissionToken, Context, Event, InstanceId, ModelKey, Outcome, Phase, Policy, Timestamp, bucket_at,
    bucket_start,
};
use per_core::PerCore;
use tokio::{
    runtime::Handle,
    sync::Notify,
    task::AbortHandle,
    time::{Instant, sleep},
};

use crate::{
    clock::StoreClock,
    counts::{CircuitCounter, CircuitCounts, increment},
    expected::Expected,
    mirror::{Mirror, StoredValue, Target},
    pending_successes::PendingSuccesses,
    plan::{ContinuationEpoch, Plan, Request, RequestResult},
    report::Report,
    source::{CallSource, TagKey, TaggedSource},
    view::{FastPath, PublishedView, View},
    watchers::Watchers,
    write_throttle::WriteThrottle,
};

/// Writes what is requested of circuits. A trait, so that a circuit does not know what holds all circuits.
pub(crate) trait Writer: Send + Sync {
    /// Queues a request at its circuit, and starts the circuit's writer if it does not run.
    fn submit(self: Arc<Self>, circuit: &Arc<Circuit>, queued: QueuedRequest);
}

pub(crate) struct Circuit {
    pub(crate) key: ModelKey,
    /// Held weakly, as the writer holds its circuits. Permits hold a circuit alone, so that calls of several circuits
    /// do not contend for one reference count.
    writer: Weak<dyn Writer>,
    instance: InstanceId,
    clock: Arc<StoreClock>,
    tag_key: Arc<TagKey>,
    /// Changed only under the lock of `inner`.
    pub(crate) view: PublishedView,
    inner: Mutex<Inner>,
    cores: PerCore<OfCore>,
    /// Notified when a request comes while the writer waits.
    pub(crate) wake_writer: Notify,
    /// Notified when the state changes while the reader pauses.
    pub(crate) wake_reader: Notify,
    /// Notified when the view has changed.
    pub(crate) view_changed: Notify,
    /// Requests are queued or being written, so a success may have to follow a failure.
    pub(crate) has_pending_writes: AtomicBool,
    /// Admitted a call since its TTL was last refreshed.
    pub(crate) used: AtomicBool,
    pub(crate) watchers: Watchers,
    pub(crate) counter: CircuitCounter,
}

/// What a core has counted and nobody else has seen yet.
#[derive(Default)]
struct OfCore {
    /// Successes that are not in `inner` yet. Locked after `inner`, or without it.
    successes: Mutex<PendingSuccesses>,
    refusals: AtomicU64,
}

/// Behind the lock, which is never held over I/O.
pub(crate) struct Inner {
    pub(crate) mirror: Mirror,
    pub(crate) policy: Arc<Policy>,
    pub(crate) queue: Vec<QueuedRequest>,
    /// What is being written.
    pub(crate) in_flight: Vec<Request>,
    /// The mirror with all that is queued and being written.
    expected: Expected,
    pub(crate) writer_running: bool,
    pub(crate) reader_running: bool,
    pub(crate) read_again: bool,
    /// The state has changed since the last read began.
    pub(crate) state_changed: bool,
    /// Counts changes of the mirror, which reveals a read that raced with a write.
    pub(crate) version: u64,
    pub(crate) written_at: Option<Instant>,
    pub(crate) read_at: Option<Instant>,
    pub(crate) write_throttle: WriteThrottle,
    pending_successes: PendingSuccesses,
    /// Ends [`FastPath::RefuseUntil`].
    refusal_timer: Option<AbortHandle>,
}

/// A request and who waits for its result.
pub(crate) struct QueuedRequest {
    pub(crate) request: Request,
    pub(crate) responder: Responder,
}

/// Who waits for a result.
pub(crate) enum Responder {
    Discard,
    /// A caller who waits for a probe's permit.
    Probe(ProbeResponder),
    Result(tokio::sync::oneshot::Sender<RequestResult>),
}

/// Gets the lease's id and epoch, or `None` if the lease was denied. A function, so that a circuit knows no permits.
pub(crate) type ProbeResponder = Box<dyn FnOnce(&Arc<Circuit>, Option<(String, u64)>) + Send>;

impl Circuit {
    pub(crate) fn new(
        key: ModelKey,
        policy: Arc<Policy>,
        writer: Weak<dyn Writer>,
        instance: InstanceId,
        clock: Arc<StoreClock>,
        tag_key: Arc<TagKey>,
        watchers: Watchers,
    ) -> Self {
        let mirror = Mirror::not_loaded();
        Self {
            key,
            writer,
            instance,
            clock,
            tag_key,
            view: PublishedView::new(View::new(&mirror, &Expected::default(), &policy)),
            inner: Mutex::new(Inner {
                mirror,
                policy,
                queue: Vec::new(),
                in_flight: Vec::new(),
                expected: Expected::default(),
                writer_running: false,
                reader_running: false,
                read_again: false,
                state_changed: false,
                version: 0,
                written_at: None,
                read_at: None,
                write_throttle: WriteThrottle::default(),
                pending_successes: PendingSuccesses::default(),
                refusal_timer: None,
            }),
            cores: PerCore::default(),
            wake_writer: Notify::new(),
            wake_reader: Notify::new(),
            view_changed: Notify::new(),
            has_pending_writes: AtomicBool::new(false),
            used: AtomicBool::new(false),
            watchers,
            counter: CircuitCounter::default(),
        }
    }

    pub(crate) fn inner(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }

    /// Hands a request to the writer. Once the instance is gone, nobody writes it.
    pub(crate) fn submit(self: &Arc<Self>, queued: QueuedRequest) {
        if let Some(writer) = self.writer.upgrade() {
            writer.submit(self, queued);
        }
    }

    /// A call's source, whose tag is computed if it is needed.
    pub(crate) fn tagged<'a>(&'a self, source: Option<&'a CallSource>) -> TaggedSource<'a> {
        TaggedSource { source, key: &self.tag_key }
    }

    /// The store's time, as its instance knows it.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Records that it admits calls. Only the first call writes, so that processors can share the cache line.
    pub(crate) fn mark_used(&self) {
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
    }

    pub(crate) fn set_policy(&self, policy: Arc<Policy>) {
        let mut inner = self.inner();
        inner.policy = policy;
        self.publish_view(&mut inner);
    }

    /// Queues a request. What it will make of the circuit is acted on at once.
    pub(crate) fn queue(&self, inner: &mut Inner, queued: QueuedRequest) {
        self.collect_successes(inner);
        let policy = Arc::clone(&inner.policy);
        let Inner { expected, mirror, pending_successes, .. } = inner;
        expected.add(mirror, std::slice::from_ref(&queued.request), pending_successes, self.context(&policy));
        inner.queue.push(queued);
        let refuses = inner.expected.restriction(&inner.mirror).is_some();
        if refuses && self.view.load().expected.is_none() {
            // What was queued long ago is late by now, and the plan of all of it decides.
            self.compute_expected(inner);
        }
        self.publish_expected(inner);
    }

    /// What is queued or being written has changed otherwise.
    pub(crate) fn update_expected(&self, inner: &mut Inner) {
        self.compute_expected(inner);
        self.publish_expected(inner);
    }

    /// What is queued may wait, so by now it trips nothing.
    pub(crate) fn withdraw_refusal(&self, inner: &mut Inner) {
        if self.view.load().expected.is_none() {
            return;
        }
        self.compute_expected(inner);
        if inner.expected.restriction(&inner.mirror).is_some() {
            inner.expected = Expected::default();
        }
        self.publish_expected(inner);
    }

    fn compute_expected(&self, inner: &mut Inner) {
        self.collect_successes(inner);
        let queued = inner.queue.iter().map(|queued| &queued.request);
        let requests: Vec<Request> = inner.in_flight.iter().chain(queued).cloned().collect();
        let context = self.context(&inner.policy);
        inner.expected = Expected::new(&inner.mirror, &requests, &inner.pending_successes, context);
    }

    fn publish_expected(&self, inner: &mut Inner) {
        let shown = self.view.load();
        let same = match (inner.expected.restriction(&inner.mirror), &shown.expected) {
            (None, None) => true,
            (Some(expected), Some(shown)) => expected.admits_like(shown),
            _ => false,
        };
        if !same {
            self.store_view(inner);
        }
    }

    fn context<'a>(&'a self, policy: &'a Policy) -> Context<'a> {
        Context { instance: &self.instance, policy, now: self.now() }
    }

    /// Shows the mirror to admission.
    pub(crate) fn publish_view(&self, inner: &mut Inner) {
        self.compute_expected(inner);
        self.store_view(inner);
    }

    fn store_view(&self, inner: &Inner) {
        self.view.store(View::new(&inner.mirror, &inner.expected, &inner.policy));
        self.view_changed.notify_waiters();
    }

    /// From now on refuses calls without reading the clock, if this view refuses everyone, and its end is not near. `now`: of a
    /// call that was just refused.
    pub(crate) fn refuse_by_timer(self: &Arc<Self>, view: &Arc<View>, now: Timestamp, runtime: &Handle) {
        let Some(end) = view.refuses_all_until().filter(|_| self.clock.runs_with_timers()) else { return };
        let Some(rest) = end.since(now).checked_sub(EXACT_BEFORE_END).filter(|rest| !rest.is_zero()) else {
            return;
        };
        let mut inner = self.inner();
        if !self.view.refuse_until(view, end) {
            return;
        }
        let circuit = Arc::downgrade(self);
        let timer = runtime.spawn(async move {
            sleep(rest).await;
            if let Some(circuit) = circuit.upgrade() {
                let _inner = circuit.inner();
                circuit.view.end_refusal(end);
            }
        });
        if let Some(earlier) = inner.refusal_timer.replace(timer.abort_handle()) {
            earlier.abort();
        }
    }

    /// It was taken out of the map of circuits. Whoever still refers to it and wants to make a call must look there.
    pub(crate) fn retire(&self) {
        let _inner = self.inner();
        self.view.retire();
    }

    /// Whether a success needs no write. If so, it is counted for the next write to include.
    pub(crate) fn try_coalesce_success(&self, epoch: u64) -> bool {
        // Loaded before the view: a failure that is being written meanwhile is in one of the two.
        let is_busy = self.has_pending_writes.load(Ordering::Acquire);
        if !is_busy && self.view.fast_path() == (FastPath::Admit { epoch }) {
            self.count_success(epoch);
            return true;
        }
        let view = self.view.load();
        if view.record.epoch != epoch || !matches!(view.record.phase, Phase::Closed) {
            return false;
        }
        // A pristine record has nothing that a success could change, at whatever time: nearly every call reads no clock here.
        let may_change = !is_busy && !view.record.is_pristine();
        if may_change && view.record.success_changes_state(&self.instance, self.now()) {
            return false;
        }
        if !is_busy && view.policy.failure_rate.is_none() {
            return true;
        }
        // Held until the success is counted, so that nothing is queued in between.
        let inner = is_busy.then(|| self.inner());
        // Only if the queue already ends with a success does one more change nothing.
        let ends_with_success =
            |inner: &Inner| inner.queue.last().is_some_and(|last| last.plain_success(epoch).is_some());
        if inner.as_deref().is_some_and(|inner| !ends_with_success(inner)) {
            return false;
        }
        self.count_success(epoch);
        true
    }

    /// Counts a success for the next write to include, if successes are counted. Only then the time is read.
    fn count_success(&self, epoch: u64) {
        if let Some(width) = self.view.success_bucket_width() {
            lock(&self.cores.local().successes).add(epoch, bucket_at(width, self.now()), 1);
        }
    }

    pub(crate) fn count_refusal(&self) {
        increment(&self.cores.local().refusals);
    }

    /// Its counters.
    pub(crate) fn counts(&self) -> CircuitCounts {
        let refusals = self.cores.iter().map(|core| core.refusals.load(Ordering::Relaxed));
        self.counter.snapshot(refusals.sum())
    }

    /// Moves the successes of all cores to the others that are not written yet.
    fn collect_successes(&self, inner: &mut Inner) {
        for core in self.cores.iter() {
            inner.pending_successes.append(&mut lock(&core.successes), inner.mirror.record.epoch);
        }
    }

    /// The unwritten successes as events, oldest first.
    pub(crate) fn take_pending_successes(&self, inner: &mut Inner) -> Vec<QueuedRequest> {
        self.collect_successes(inner);
        let pending = std::mem::take(&mut inner.pending_successes);
        let requests = pending.requests_since(&PendingSuccesses::default());
        requests.into_iter().map(QueuedRequest::new).collect()
    }

    /// Its report; `None` as long as it is not known.
    pub(crate) fn report(&self) -> Option<Report> {
        // Locked, so that what is written meanwhile is not counted twice.
        let mut inner = self.inner();
        self.collect_successes(&mut inner);
        let (view, now) = (self.view.load(), self.now());
        let mut report = view.loaded.then(|| Report::new(&self.key, &view.record, &view.policy, now))?;
        // Successes that are not written yet are calls all the same.
        report.calls =
            report.calls.saturating_add(inner.pending_successes.total(view.record.epoch, &view.policy, now));
        Some(report)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long before its end an open period is compared with the clock again. A timer may be late by so much, and a clock may
/// be moved by so much that the circuits are not published again, without a consequence. Later than that, a call is refused
/// for too long, but none is admitted too early.
const EXACT_BEFORE_END: Duration = Duration::from_millis(250);

/// A queue of this length is written even before this instance's slot.
const FLUSH_QUEUE_LEN: usize = 256;

impl Inner {
    /// How long a write of counts that cannot trip must still wait.
    pub(crate) fn write_delay(&self, draft: &Plan, write_interval: Duration) -> Option<Duration> {
        let own_delay =
            self.written_at.map_or(Duration::ZERO, |at| write_interval.saturating_sub(at.elapsed()));
        // A success that resets consecutive failures bypasses the throttle. Otherwise failures, of which the last trips
        // immediately, would overtake the successes between them.
        let ends_failures = self.mirror.record.consecutive_failures.count > 0
            && matches!(&draft.target, Target::Put(record) if record.consecutive_failures.count == 0);
        let bypasses_throttle = ends_failures || self.queue.len() >= FLUSH_QUEUE_LEN;
        let throttle_delay = if bypasses_throttle { Duration::ZERO } else { self.write_throttle.delay() };
        Some(own_delay.max(throttle_delay)).filter(|pause| !pause.is_zero())
    }

    /// If only successes are queued, and another instance has meanwhile reported one, they need no write.
    pub(crate) fn coalesce_queued_successes(&mut self, instance: &InstanceId, now: Timestamp) {
        let record = &self.mirror.record;
        let epoch = record.epoch;
        let must_write = self.mirror.stored != StoredValue::Native(record.clone())
            || !matches!(record.phase, Phase::Closed)
            || record.success_changes_state(instance, now);
        if must_write || self.queue.iter().any(|queued| queued.plain_success(epoch).is_none()) {
            return;
        }
        for (at, calls) in self.queue.drain(..).filter_map(|queued| queued.plain_success(epoch)) {
            if self.policy.failure_rate.is_some() {
                self.pending_successes.add(epoch, bucket_start(&self.policy, at), calls);
            }
        }
    }
}

impl QueuedRequest {
    pub(crate) fn new(request: Request) -> Self {
        Self { request, responder: Responder::Discard }
    }

    pub(crate) fn event(event: Event, continuation: Option<ContinuationEpoch>) -> Self {
        Self::new(Request::Event(event, continuation))
    }

    /// When and how many, if they are plain successes of this epoch that no caller waits for.
    fn plain_success(&self, wanted_epoch: u64) -> Option<(Timestamp, u32)> {
        match (&self.request, &self.responder) {
            (Request::Event(event, None), Responder::Discard) => match event {
                Event::CallCompleted {
                    token: AdmissionToken { epoch, lease_id: None },
                    outcome: Outcome::Succeeded,
                    at,
                    ..
                } if *epoch == wanted_epoch => Some((*at, 1)),
                Event::Successes { epoch, at, calls } if *epoch == wanted_epoch => Some((*at, *calls)),
                _ => None,
            },
            _ => None,
        }
    }

    /// A caller waits for it, or it frees a probe's slot, so it is not delayed.
    pub(crate) fn is_urgent(&self) -> bool {
        !matches!(self.responder, Responder::Discard)
            || matches!(
                self.request,
                Request::Event(Event::PermitReleased { .. } | Event::FirstToken { .. }, _)
                    | Request::RemoveUnknownModel
                    | Request::EnsureExists
                    | Request::Reconcile
            )
    }
}

/// Whether a plan must be written immediately, or may wait for more requests.
pub(crate) fn is_urgent(plan: &Plan, queue: &[QueuedRequest]) -> bool {
    !plan.transitions.is_empty() || queue.iter().any(QueuedRequest::is_urgent)
}
