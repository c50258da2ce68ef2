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
    Event, InstanceId, Mode, ModelKey, Outcome, Phase, Policy, Record, Stamp, Timestamp, bucket_start,
};
use tokio::{sync::Notify, time::Instant};

use crate::{
    clock::StoreClock,
    counts::CircuitCounter,
    crowd::Crowd,
    mirror::{Mirror, Stored},
    permit::Permit,
    plan::{Answer, Next, Onward, Plan, Request},
    report::Report,
    shared::Shared,
    watch::Watchers,
};

/// Unwritten successes are kept for so many buckets; older ones have left the window anyway.
const TALLY: usize = 10;

#[derive(Debug)]
pub(crate) struct Circuit {
    pub(crate) key: ModelKey,
    /// Whose circuit it is. Held weakly, as those hold their circuits; permits hold a circuit alone, so that calls
    /// of several circuits do not count references to one thing.
    pub(crate) shared: Weak<Shared>,
    instance: InstanceId,
    clock: Arc<StoreClock>,
    pub(crate) view: ArcSwap<View>,
    /// The view in a word, for nearly every call: the epoch of a circuit that is known and calm; 0: look at the view.
    calm: AtomicU64,
    inner: Mutex<Inner>,
    /// Rings when a request comes while the writer waits.
    pub(crate) bell: Notify,
    /// Rings when the view has changed.
    pub(crate) changed: Notify,
    /// Requests wait or are being written, so a success may have to follow a failure.
    pub(crate) busy: AtomicBool,
    /// Admitted a call since it was last renewed.
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
    pub(crate) known: bool,
}

impl View {
    fn of(mirror: &Mirror, policy: &Arc<Policy>) -> Self {
        let record = Arc::new(mirror.record.clone());
        Self { record, policy: Arc::clone(policy), known: mirror.is_known() }
    }

    /// Whether it is to be read before it is asked, as it always is.
    pub(crate) fn is_strange(&self) -> bool {
        !self.known && self.policy.mode != Mode::Off
    }
}

/// Behind the lock, which is never held over I/O.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) mirror: Mirror,
    pub(crate) policy: Arc<Policy>,
    pub(crate) queue: Vec<Waiting>,
    pub(crate) writer_runs: bool,
    pub(crate) reader_runs: bool,
    pub(crate) read_again: bool,
    /// Counts what was taken up, so that a read that was overtaken by a write is told.
    pub(crate) version: u64,
    pub(crate) written_at: Option<Instant>,
    pub(crate) read_at: Option<Instant>,
    pub(crate) crowd: Crowd,
    tally: Tally,
}

/// A request and who waits for its answer.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) request: Request,
    pub(crate) reply: Reply,
}

/// Who waits for an answer.
#[derive(Debug)]
pub(crate) enum Reply {
    Nobody,
    /// A caller who gets its permit if the probe's lease is granted. The permit itself is sent, so that a caller who
    /// has left by then gives the lease back by dropping it.
    Probe(tokio::sync::oneshot::Sender<Option<Permit>>),
    Answer(tokio::sync::oneshot::Sender<Answer>),
}

/// Successes that were not worth a write (B6).
#[derive(Debug, Default)]
struct Tally {
    epoch: u64,
    buckets: Vec<(Timestamp, u32)>,
}

impl Circuit {
    pub(crate) fn new(key: ModelKey, shared: &Arc<Shared>, policy: Arc<Policy>) -> Self {
        let mirror = Mirror::unknown();
        Self {
            key,
            shared: Arc::downgrade(shared),
            instance: shared.instance.clone(),
            clock: Arc::clone(&shared.clock),
            view: ArcSwap::from_pointee(View::of(&mirror, &policy)),
            calm: AtomicU64::new(0),
            inner: Mutex::new(Inner {
                mirror,
                policy,
                queue: Vec::new(),
                writer_runs: false,
                reader_runs: false,
                read_again: false,
                version: 0,
                written_at: None,
                read_at: None,
                crowd: Crowd::default(),
                tally: Tally::default(),
            }),
            bell: Notify::new(),
            changed: Notify::new(),
            busy: AtomicBool::new(false),
            used: AtomicBool::new(false),
            watchers: shared.watchers.clone(),
            counter: CircuitCounter::default(),
        }
    }

    pub(crate) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The store's time, as its instance knows it.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Notes that it admits calls. Only the first of them writes, so that the others share it among processors.
    pub(crate) fn note_use(&self) {
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
    }

    pub(crate) fn set_policy(&self, policy: Arc<Policy>) {
        let mut inner = self.inner();
        inner.policy = policy;
        self.publish(&inner);
    }

    /// Shows the mirror to admission.
    pub(crate) fn publish(&self, inner: &Inner) {
        let view = View::of(&inner.mirror, &inner.policy);
        let calm = if view.known && view.record.is_calm() { view.record.epoch } else { 0 };
        self.view.store(Arc::new(view));
        self.calm.store(calm, Ordering::Release);
        self.changed.notify_waiters();
    }

    /// The epoch to admit a call in without a further look; `None`: look at the view.
    pub(crate) fn calm_epoch(&self) -> Option<u64> {
        Some(self.calm.load(Ordering::Acquire)).filter(|epoch| *epoch != 0)
    }

    /// Whether a success may go untold, and if so counts it for the next write to take along.
    pub(crate) fn success_goes_untold(&self, epoch: u64) -> bool {
        // Looked at before the view: a failure that is being written meanwhile is in one of the two.
        let is_busy = self.busy.load(Ordering::Acquire);
        let view = self.view.load();
        if view.record.epoch != epoch || !matches!(view.record.phase, Phase::Closed) {
            return false;
        }
        if !is_busy && view.record.success_is_news(&self.instance) {
            return false;
        }
        if !is_busy && view.policy.failure_rate.is_none() {
            return true;
        }
        let mut inner = self.inner();
        // What waits ends with a success already: one more is no news to that.
        if is_busy && inner.queue.last().is_none_or(|last| last.success(epoch).is_none()) {
            return false;
        }
        if view.policy.failure_rate.is_some() {
            inner.tally.count(epoch, bucket_start(&view.policy, self.now()), 1);
        }
        true
    }

    /// What a person is told of it; none, as long as it is not known.
    pub(crate) fn report(&self) -> Option<Report> {
        // Locked, so that what is written meanwhile is not counted twice.
        let inner = self.inner();
        let (view, now) = (self.view.load(), self.now());
        let mut report = view.known.then(|| Report::new(&self.key, &view.record, &view.policy, now))?;
        // Good calls that nobody has written yet are calls all the same.
        report.calls = report.calls.saturating_add(inner.tally.total(view.record.epoch, &view.policy, now));
        Some(report)
    }
}

/// So much that waits is written even where it is not this instance's turn.
const FULL: usize = 256;

impl Inner {
    /// The unwritten successes as events, oldest first.
    pub(crate) fn take_tally(&mut self) -> impl Iterator<Item = Waiting> + use<> {
        let Tally { epoch, buckets } = std::mem::take(&mut self.tally);
        buckets
            .into_iter()
            .map(move |(at, calls)| Waiting::of(Request::Event(Event::Successes { epoch, at, calls }, None)))
    }

    /// How long a write of counts that cannot trip is still to wait.
    pub(crate) fn pause(&self, draft: &Plan, pacing: Duration) -> Option<Duration> {
        let own = self.written_at.map_or(Duration::ZERO, |at| pacing.saturating_sub(at.elapsed()));
        // A row that a success has ended is told out of turn: else failures, of which the last trips at once, would
        // outrun the successes between them.
        let ends_row = self.mirror.record.row.failures > 0
            && matches!(&draft.next, Next::Record(record) if record.row.failures == 0);
        let out_of_turn = ends_row || self.queue.len() >= FULL;
        let turn = if out_of_turn { Duration::ZERO } else { self.crowd.wait() };
        Some(own.max(turn)).filter(|pause| !pause.is_zero())
    }

    /// Where nothing waits but successes that have ceased to be news, since another instance told one, they go untold.
    pub(crate) fn shelve_successes(&mut self, instance: &InstanceId) {
        let record = &self.mirror.record;
        let epoch = record.epoch;
        let news = self.mirror.stored != Stored::Ours(record.clone())
            || !matches!(record.phase, Phase::Closed)
            || record.success_is_news(instance);
        if news || self.queue.iter().any(|waiting| waiting.success(epoch).is_none()) {
            return;
        }
        for (at, calls) in self.queue.drain(..).filter_map(|waiting| waiting.success(epoch)) {
            if self.policy.failure_rate.is_some() {
                self.tally.count(epoch, bucket_start(&self.policy, at), calls);
            }
        }
    }
}

impl Tally {
    /// How many of this epoch are in the window.
    fn total(&self, epoch: u64, policy: &Policy, now: Timestamp) -> u32 {
        let edge = bucket_start(policy, now - policy.window);
        let buckets = self.buckets.iter().filter(|(start, _)| self.epoch == epoch && *start > edge);
        buckets.fold(0, |sum, (_, calls)| sum.saturating_add(*calls))
    }

    fn count(&mut self, epoch: u64, bucket: Timestamp, more: u32) {
        if self.epoch != epoch {
            *self = Self { epoch, buckets: Vec::with_capacity(TALLY) };
        }
        match self.buckets.last_mut() {
            Some((start, calls)) if *start >= bucket => *calls = calls.saturating_add(more),
            _ => {
                if self.buckets.len() >= TALLY {
                    self.buckets.remove(0);
                }
                self.buckets.push((bucket, more));
            }
        }
    }
}

impl Waiting {
    pub(crate) fn of(request: Request) -> Self {
        Self { request, reply: Reply::Nobody }
    }

    pub(crate) fn event(event: Event, onward: Option<Onward>) -> Self {
        Self::of(Request::Event(event, onward))
    }

    /// When and how many, if they are plain successes of this epoch that nobody waits for.
    fn success(&self, of: u64) -> Option<(Timestamp, u32)> {
        match (&self.request, &self.reply) {
            (Request::Event(event, None), Reply::Nobody) => match event {
                Event::Ended { stamp: Stamp { epoch, lease: None }, outcome: Outcome::Succeeded, at }
                    if *epoch == of =>
                {
                    Some((*at, 1))
                }
                Event::Successes { epoch, at, calls } if *epoch == of => Some((*at, *calls)),
                _ => None,
            },
            _ => None,
        }
    }

    /// Somebody waits for it, or a probe's place hangs on it, so it is not put off.
    pub(crate) fn is_urgent(&self) -> bool {
        !matches!(self.reply, Reply::Nobody)
            || matches!(
                self.request,
                Request::Event(Event::Left { .. } | Event::FirstContent { .. }, _)
                    | Request::Forget
                    | Request::Introduce
                    | Request::Settle
            )
    }
}

/// Whether a plan is to be written at once, or may wait for more to go with it.
pub(crate) fn is_urgent(plan: &Plan, waiting: &[Waiting]) -> bool {
    !plan.transitions.is_empty() || waiting.iter().any(Waiting::is_urgent)
}
