//! Reading: following the store's word of changes, and coming together with it after it was away.

use std::{
    collections::HashMap,
    future::pending,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use breaker::{Document, Event, ModelKey, Timestamp, millis};
use futures_util::{
    future::{BoxFuture, FutureExt as _},
    stream::{TryStreamExt as _, iter},
};
use tokio::{
    task::yield_now,
    time::{Instant, sleep, sleep_until, timeout},
};

use crate::{
    circuit::{Circuit, Inner, Waiting},
    counts::TransitionKind,
    crowd::Crowd,
    mirror::{Mirror, Stored},
    plan::Request,
    shared::Shared,
    store::{CLOCK_TOLERANCE, Change, History, Listing, Loaded, StoreError, Value},
    watch::Notice,
};

/// A store that is away is tried again so soon after.
const RETRY: Duration = Duration::from_millis(200);

/// Reading everything may take so long.
const FULL_READ: Duration = Duration::from_secs(5);

/// So many circuits are brought together at once: more would have to wait for each other, and be taken for unanswered.
const TOGETHER: usize = 16;

/// So many values are looked at without making room for calls.
const IN_ONE_GO: usize = 50;

/// So many times the store's patience is waited for a circuit to be told to it.
const SETTLING: u32 = 10;

/// A circuit in use is written anew once its last change is so long ago, so that its key does not expire.
const RENEWAL: Duration = Duration::from_secs(6 * 60 * 60);

impl Shared {
    /// Follows the store for as long as the process lives. Word of a change is acted on, and a lost store is tried
    /// again, however long everything takes to be read.
    pub(crate) async fn follow(self: Arc<Self>) {
        let changes = self.store.changes();
        let mut next_read = Instant::now() + RETRY;
        let mut reading: Option<BoxFuture<'static, ()>> = None;
        let mut read_again = false;
        loop {
            tokio::select! {
                // In this order, so that a flood of changes keeps nothing else from its turn.
                biased;
                () = self.link.lost.notified() => {
                    reading = None;
                    read_again = false;
                    self.link.give_up_trying();
                    next_read = Instant::now() + RETRY;
                }
                () = finished(&mut reading) => {
                    reading = read_again.then(|| self.reading_of_everything(true));
                    read_again = false;
                    next_read = Instant::now() + self.pause_between_reads();
                }
                () = sleep_until(next_read), if reading.is_none() => {
                    reading = Some(self.reading_of_everything(!self.link.is_connected()));
                    self.drop_idle();
                    self.renew();
                }
                change = changes.next() => match change {
                    Change::Key(key) => self.schedule_read(&self.circuit(&key)),
                    Change::Everything if reading.is_some() => read_again = true,
                    Change::Everything => reading = Some(self.reading_of_everything(true)),
                    Change::Lost(error) => {
                        reading = None;
                        read_again = false;
                        next_read = Instant::now() + RETRY;
                        self.link.fail(&error, self.clock.now());
                    }
                },
            }
            self.heard.notify_waiters();
        }
    }

    fn reading_of_everything(self: &Arc<Self>, discover: bool) -> BoxFuture<'static, ()> {
        let shared = Arc::clone(self);
        async move { shared.read_everything(discover).await }.boxed()
    }

    fn pause_between_reads(&self) -> Duration {
        if self.link.is_connected() { self.slow_read() } else { RETRY }
    }

    /// The net under missed pushes, at another time in every instance.
    fn slow_read(&self) -> Duration {
        self.pacing.slow_read.mul_f64(0.75 + 0.5 * self.share())
    }

    /// Reads a circuit soon: at most once in a while, however many pushes come.
    pub(crate) fn schedule_read(self: &Arc<Self>, circuit: &Arc<Circuit>) {
        let mut inner = circuit.inner();
        if std::mem::replace(&mut inner.reader_runs, true) {
            inner.read_again = true;
            return;
        }
        drop(inner);
        self.runtime.spawn(Arc::clone(self).read_soon(Arc::clone(circuit)));
    }

    async fn read_soon(self: Arc<Self>, circuit: Arc<Circuit>) {
        loop {
            let pause = circuit.inner().read_at.and_then(|at| self.pacing.reads.checked_sub(at.elapsed()));
            if let Some(pause) = pause {
                sleep(pause).await;
            }
            {
                let mut inner = circuit.inner();
                inner.read_again = false;
                inner.read_at = Some(Instant::now());
            }
            if let Err(error) = self.read_now(&circuit).await {
                self.link.fail(&error, self.clock.now());
            }
            let mut inner = circuit.inner();
            if !inner.read_again {
                inner.reader_runs = false;
                return;
            }
        }
    }

    /// Reads a circuit and takes up what stands there, in the end.
    pub(crate) async fn read_now(self: &Arc<Self>, circuit: &Arc<Circuit>) -> Result<(), StoreError> {
        loop {
            let version = circuit.inner().version;
            let loaded = self.load(circuit).await?;
            if self.take_up(circuit, &loaded, version) {
                return Ok(());
            }
        }
    }

    async fn load(&self, circuit: &Circuit) -> Result<Loaded, StoreError> {
        let asked = Instant::now();
        let patience = self.pacing.patience;
        let loaded = timeout(patience, self.store.load(&circuit.key))
            .await
            .unwrap_or(Err(StoreError::Silent(patience)))?;
        self.hear(loaded.time, asked.elapsed());
        Ok(loaded)
    }

    /// Takes up what was read, and sees to it that the store is told what it must be. `false`: it was overtaken. The
    /// mirror is no longer of the `version` that it was of when the reading began, so it may know better.
    pub(crate) fn take_up(self: &Arc<Self>, circuit: &Arc<Circuit>, loaded: &Loaded, version: u64) -> bool {
        let owes = {
            let mut inner = circuit.inner();
            let unread = inner.mirror.stored == Stored::Unknown;
            let same = inner.mirror.value == loaded.value && !unread;
            let is_news = !same || inner.mirror.history != loaded.history;
            if is_news && inner.version != version {
                return false;
            }
            if is_news {
                inner.version += 1;
                let (epoch, was_known) = (inner.mirror.record.epoch, inner.mirror.is_known());
                let policy = Arc::clone(&inner.policy);
                inner.mirror.take_up(loaded, &policy);
                let moved = inner.mirror.record.epoch != epoch || inner.mirror.is_known() != was_known;
                self.note_change(circuit, &inner.mirror, epoch);
                if inner.mirror.record.epoch == epoch {
                    inner.crowd.changed(self.pacing.counts, self.share());
                } else {
                    inner.crowd = Crowd::default();
                }
                // What nobody has called is a matter for `doctor`.
                if !unread || circuit.used.load(Ordering::Relaxed) {
                    report_oddities(circuit, &inner);
                }
                circuit.publish(&inner);
                circuit.watchers.tell(|| Notice::Circuit {
                    key: circuit.key.clone(),
                    transitions: Vec::new(),
                    moved,
                });
            }
            inner.mirror.owes_a_write()
        };
        // What waits may trip now, or be no news any more.
        circuit.bell.notify_one();
        if owes && self.link.is_up() {
            self.request(circuit, Waiting::of(Request::Settle));
        }
        true
    }

    /// Counts a change that another instance made.
    fn note_change(&self, circuit: &Circuit, mirror: &Mirror, epoch_before: u64) {
        let record = &mirror.record;
        // What another has just begun, and what nobody has adopted yet, is no change of a circuit that was known.
        let changed = epoch_before != 0 && record.epoch != epoch_before;
        if let (true, Stored::Ours(_), Some(reason)) = (changed, &mirror.stored, &record.reason) {
            let to = record.state(self.clock.now());
            circuit.counter.changed(TransitionKind { to, cause: reason.kind, own: false });
        }
    }

    /// Reads all circuits, and brings together what was learnt apart. Only then is the store taken for back.
    async fn read_everything(self: &Arc<Self>, discover: bool) {
        let circuits = self.in_order();
        let versions: HashMap<ModelKey, u64> =
            circuits.iter().map(|circuit| (circuit.key.clone(), circuit.inner().version)).collect();
        let known: Vec<_> = circuits.iter().map(|circuit| circuit.key.clone()).collect();
        let asked = Instant::now();
        let listing = timeout(FULL_READ, self.store.load_all(&known, discover))
            .await
            .unwrap_or(Err(StoreError::Silent(FULL_READ)));
        let together = match listing {
            Ok(listing) => {
                self.hear(listing.time, asked.elapsed());
                self.link.begin_trying();
                self.come_together(listing, &versions).await
            }
            Err(error) => Err(error),
        };
        match together {
            Ok(()) => self.link.restored(),
            Err(error) => self.link.fail(&error, self.clock.now()),
        }
    }

    /// Hears the store's time, in an answer that took so long. What was learnt before it was ever heard is dated by this
    /// machine's clock, and moves with it (B7).
    pub(crate) fn hear(&self, time: Timestamp, elapsed: Duration) {
        let moved = self.clock.hear(time, elapsed);
        if moved.unsigned_abs() <= millis(CLOCK_TOLERANCE) {
            return;
        }
        for circuit in &self.in_order() {
            let mut inner = circuit.inner();
            inner.mirror.move_apart(moved);
            circuit.publish(&inner);
        }
    }

    /// Brings together what was learnt apart. `versions`: those of the mirrors when the reading began.
    async fn come_together(
        self: &Arc<Self>,
        listing: Listing,
        versions: &HashMap<ModelKey, u64>,
    ) -> Result<(), StoreError> {
        let Listing { values, time } = listing;
        let mut circuits = Vec::new();
        for (at, (key, value)) in values.into_iter().enumerate() {
            // Others may keep what they like under the prefix: what is no circuit is looked at when it is called.
            if versions.contains_key(&key) || self.is_circuit(&key, &value) {
                circuits.push((key, value));
            }
            if at % IN_ONE_GO == 0 {
                yield_now().await;
            }
        }
        self.begin_circuits(circuits.iter().map(|(key, _)| key));
        iter(circuits.into_iter().enumerate().map(Ok))
            .try_for_each_concurrent(TOGETHER, |(at, (key, value))| async move {
                if at % IN_ONE_GO == 0 {
                    yield_now().await;
                }
                let circuit = self.circuit(&key);
                let version = versions.get(&key).copied().unwrap_or(0);
                self.bring_together(&circuit, version, value, time).await
            })
            .await?;
        // What was pushed meanwhile was taken up, but could not be answered yet.
        for circuit in &self.in_order() {
            self.settled(circuit).await;
        }
        Ok(())
    }

    async fn bring_together(
        self: &Arc<Self>,
        circuit: &Arc<Circuit>,
        version: u64,
        value: Value,
        time: Timestamp,
    ) -> Result<(), StoreError> {
        let (changed, needs_history) = {
            let inner = circuit.inner();
            let unread = inner.mirror.stored == Stored::Unknown;
            let changed = unread || inner.mirror.value != value || inner.mirror.owes_a_write();
            (changed, inner.mirror.depends_on_history(&value, &inner.policy))
        };
        if !changed {
            return Ok(());
        }
        let loaded = Loaded { value, history: History::Unread, time };
        if needs_history || !self.take_up(circuit, &loaded, version) {
            self.read_now(circuit).await?;
        }
        self.settled(circuit).await;
        Ok(())
    }

    fn is_circuit(&self, key: &ModelKey, value: &Value) -> bool {
        match value {
            Value::Text(text) => Document::parse(text, &self.policy(key)) != Document::Garbage,
            Value::Absent | Value::Oversized { .. } | Value::OtherType(_) => false,
        }
    }

    /// Waits until a circuit owes the store nothing, but not for ever: what could not be told is told at the next
    /// reading.
    pub(crate) async fn settled(self: &Arc<Self>, circuit: &Arc<Circuit>) {
        for _ in 0..SETTLING {
            let changed = circuit.changed.notified();
            let forgotten = {
                let inner = circuit.inner();
                if !inner.mirror.owes_a_write() || !self.link.is_up() {
                    return;
                }
                !inner.writer_runs
            };
            if forgotten {
                self.request(circuit, Waiting::of(Request::Settle));
            }
            let _ = timeout(self.pacing.patience, changed).await;
        }
    }

    fn renew(self: &Arc<Self>) {
        let now = self.clock.now();
        for circuit in &self.in_order() {
            let used = circuit.used.swap(false, Ordering::Relaxed);
            let view = circuit.view.load();
            if used && view.known && now.since(view.record.updated_at) > RENEWAL {
                self.request(circuit, Waiting::event(Event::Touch, None));
            }
        }
    }

    /// Lets go of circuits that are gone and that nobody holds, and of keys that are none and that nobody has called
    /// since the last renewal.
    fn drop_idle(&self) {
        let idle = |circuit: &Arc<Circuit>| {
            let inner = circuit.inner();
            let odd = matches!(inner.mirror.stored, Stored::Garbage | Stored::OtherType);
            let unused = odd && !inner.mirror.apart && !circuit.used.load(Ordering::Relaxed);
            // Held by the map, and by the copy of it that is being edited.
            Arc::strong_count(circuit) <= 2
                && !inner.writer_runs
                && !inner.reader_runs
                && (unused || !inner.mirror.is_known())
        };
        self.edit_circuits(|circuits| {
            circuits.retain(|_, circuit| !idle(circuit));
        });
    }
}

/// Ends when what is being read has been read; never, if nothing is.
async fn finished(reading: &mut Option<BoxFuture<'static, ()>>) {
    match reading {
        Some(reading) => reading.await,
        None => pending().await,
    }
}

fn report_oddities(circuit: &Circuit, inner: &Inner) {
    match (&inner.mirror.stored, &inner.mirror.value) {
        (Stored::Garbage, _) => tracing::warn!(
            circuit = %circuit.key,
            "the key holds no circuit's JSON: it counts as closed and is overwritten at the next change"
        ),
        (Stored::OtherType, Value::OtherType(found)) => tracing::warn!(
            circuit = %circuit.key,
            %found,
            "the key is of another type and is left alone: this circuit is kept in this process"
        ),
        _ => {}
    }
}
