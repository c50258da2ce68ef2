//! One circuit in one instance: the view that admission reads without a lock, and the requests that wait to be
//! written.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use breaker::{
    AdmissionToken, Event, InstanceId, Mode, ModelKey, Outcome, Phase, Policy, Record, Timestamp,
    bucket_start,
};
use tokio::{sync::Notify, time::Instant};

use crate::{
    clock::StoreClock,
    counts::CircuitCounter,
    mirror::{Mirror, StoredValue, Target},
    plan::{ContinuationEpoch, Plan, Request, RequestResult},
    report::Report,
    source::{CallSource, TagKey, TaggedSource},
    watchers::Watchers,
    write_throttle::WriteThrottle,
};

/// Buckets of unwritten successes that are kept; older ones have left the window anyway.
const SUCCESS_BUCKETS: usize = 10;

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
    pub(crate) view: ArcSwap<View>,
    /// The view in one number, for nearly every call: the epoch of a circuit that is known and pristine; 0: load the view.
    fast_path: AtomicU64,
    inner: Mutex<Inner>,
    /// Notified when a request comes while the writer waits.
    pub(crate) wake_writer: Notify,
    /// Notified when the view has changed.
    pub(crate) view_changed: Notify,
    /// Requests are queued or being written, so a success may have to follow a failure.
    pub(crate) has_pending_writes: AtomicBool,
    /// Admitted a call since its TTL was last refreshed.
    pub(crate) used: AtomicBool,
    pub(crate) watchers: Watchers,
    pub(crate) counter: CircuitCounter,
}

/// What admission reads.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) record: Arc<Record>,
    pub(crate) policy: Arc<Policy>,
    /// The circuit is known; if not, it is read before its first call (F2).
    pub(crate) loaded: bool,
}

impl View {
    fn new(mirror: &Mirror, policy: &Arc<Policy>) -> Self {
        let record = Arc::new(mirror.record.clone());
        Self { record, policy: Arc::clone(policy), loaded: mirror.is_loaded() }
    }

    /// Whether it must be read before the first decision.
    pub(crate) fn needs_load(&self) -> bool {
        !self.loaded && self.policy.mode != Mode::Off
    }
}

/// Behind the lock, which is never held over I/O.
pub(crate) struct Inner {
    pub(crate) mirror: Mirror,
    pub(crate) policy: Arc<Policy>,
    pub(crate) queue: Vec<QueuedRequest>,
    pub(crate) writer_running: bool,
    pub(crate) reader_running: bool,
    pub(crate) read_again: bool,
    /// Counts changes of the mirror, which reveals a read that raced with a write.
    pub(crate) version: u64,
    pub(crate) written_at: Option<Instant>,
    pub(crate) read_at: Option<Instant>,
    pub(crate) write_throttle: WriteThrottle,
    pending_successes: PendingSuccesses,
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

/// Successes that are not worth a write of their own (B6).
#[derive(Debug, Default)]
struct PendingSuccesses {
    epoch: u64,
    buckets: Vec<(Timestamp, u32)>,
}

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
            view: ArcSwap::from_pointee(View::new(&mirror, &policy)),
            fast_path: AtomicU64::new(0),
            inner: Mutex::new(Inner {
                mirror,
                policy,
                queue: Vec::new(),
                writer_running: false,
                reader_running: false,
                read_again: false,
                version: 0,
                written_at: None,
                read_at: None,
                write_throttle: WriteThrottle::default(),
                pending_successes: PendingSuccesses::default(),
            }),
            wake_writer: Notify::new(),
            view_changed: Notify::new(),
            has_pending_writes: AtomicBool::new(false),
            used: AtomicBool::new(false),
            watchers,
            counter: CircuitCounter::default(),
        }
    }

    pub(crate) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
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
        self.publish_view(&inner);
    }

    /// Shows the mirror to admission.
    pub(crate) fn publish_view(&self, inner: &Inner) {
        let view = View::new(&inner.mirror, &inner.policy);
        let fast_path_epoch = if view.loaded && view.record.is_pristine() { view.record.epoch } else { 0 };
        self.view.store(Arc::new(view));
        self.fast_path.store(fast_path_epoch, Ordering::Release);
        self.view_changed.notify_waiters();
    }

    /// The epoch to admit a call in without loading the view; `None`: load the view.
    pub(crate) fn fast_path_epoch(&self) -> Option<u64> {
        Some(self.fast_path.load(Ordering::Acquire)).filter(|epoch| *epoch != 0)
    }

    /// Whether a success needs no write. If so, it is counted for the next write to include.
    pub(crate) fn try_coalesce_success(&self, epoch: u64) -> bool {
        // Loaded before the view: a failure that is being written meanwhile is in one of the two.
        let is_busy = self.has_pending_writes.load(Ordering::Acquire);
        let view = self.view.load();
        if view.record.epoch != epoch || !matches!(view.record.phase, Phase::Closed) {
            return false;
        }
        if !is_busy && view.record.success_changes_state(&self.instance, self.now()) {
            return false;
        }
        if !is_busy && view.policy.failure_rate.is_none() {
            return true;
        }
        let mut inner = self.inner();
        // Only if the queue already ends with a success does one more change nothing.
        if is_busy && inner.queue.last().is_none_or(|last| last.plain_success(epoch).is_none()) {
            return false;
        }
        if view.policy.failure_rate.is_some() {
            inner.pending_successes.add(epoch, bucket_start(&view.policy, self.now()), 1);
        }
        true
    }

    /// Its report; `None` as long as it is not known.
    pub(crate) fn report(&self) -> Option<Report> {
        // Locked, so that what is written meanwhile is not counted twice.
        let inner = self.inner();
        let (view, now) = (self.view.load(), self.now());
        let mut report = view.loaded.then(|| Report::new(&self.key, &view.record, &view.policy, now))?;
        // Successes that are not written yet are calls all the same.
        report.calls =
            report.calls.saturating_add(inner.pending_successes.total(view.record.epoch, &view.policy, now));
        Some(report)
    }
}

/// A queue of this length is written even before this instance's slot.
const FLUSH_QUEUE_LEN: usize = 256;

impl Inner {
    /// The unwritten successes as events, oldest first.
    pub(crate) fn take_pending_successes(&mut self) -> impl Iterator<Item = QueuedRequest> + use<> {
        let PendingSuccesses { epoch, buckets } = std::mem::take(&mut self.pending_successes);
        buckets.into_iter().map(move |(at, calls)| {
            QueuedRequest::new(Request::Event(Event::Successes { epoch, at, calls }, None))
        })
    }

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

impl PendingSuccesses {
    /// How many of them, of this epoch, are in the window.
    fn total(&self, epoch: u64, policy: &Policy, now: Timestamp) -> u32 {
        let edge = bucket_start(policy, now - policy.window);
        let buckets = self.buckets.iter().filter(|(start, _)| self.epoch == epoch && *start > edge);
        buckets.fold(0, |sum, (_, calls)| sum.saturating_add(*calls))
    }

    fn add(&mut self, epoch: u64, bucket: Timestamp, more: u32) {
        if self.epoch != epoch {
            *self = Self { epoch, buckets: Vec::with_capacity(SUCCESS_BUCKETS) };
        }
        match self.buckets.last_mut() {
            Some((start, calls)) if *start >= bucket => *calls = calls.saturating_add(more),
            _ => {
                if self.buckets.len() >= SUCCESS_BUCKETS {
                    self.buckets.remove(0);
                }
                self.buckets.push((bucket, more));
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
