//! Reading: following the store's change notifications, and reconciling with the store after an outage.

use std::{
    collections::HashMap,
    future::pending,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use breaker::{Event, ModelKey, Timestamp, millis};
use futures_util::{
    future::{BoxFuture, FutureExt as _},
    stream::{TryStreamExt as _, iter},
};
use tokio::{
    task::yield_now,
    time::{Instant, sleep_until, timeout},
};

use crate::{
    circuit::{Circuit, Inner, QueuedRequest},
    counts::TransitionKind,
    mirror::{Mirror, StoredValue},
    plan::Request,
    shared::Shared,
    store::{CLOCK_TOLERANCE, ChangeNotification, HistoryTail, Listing, Loaded, StoreError, Value},
    watchers::InternalEvent,
    write_throttle::WriteThrottle,
};

/// The time between two attempts to reach the store.
const RECONNECT_INTERVAL: Duration = Duration::from_millis(200);

/// Reading everything may take this long.
const FULL_READ_TIMEOUT: Duration = Duration::from_secs(5);

/// Circuits that are reconciled concurrently: more would wait for each other, and time out.
const RECONCILE_CONCURRENCY: usize = 16;

/// Values that are processed before other tasks get a turn.
const YIELD_EVERY: usize = 50;

/// How many times [`Timing::store_timeout`](crate::Timing::store_timeout) a circuit may take to be reconciled.
const RECONCILE_TIMEOUT_FACTOR: u32 = 10;

/// A circuit in use is written again this long after its last change, so that its key does not expire.
const TTL_REFRESH_INTERVAL: Duration = Duration::from_secs(6 * 60 * 60);

impl Shared {
    /// Follows the store for as long as the process lives. Change notifications are handled, and a lost store is tried
    /// again, however long a full read takes.
    pub(crate) async fn run_sync(self: Arc<Self>) {
        let changes = self.store.changes();
        let mut next_read = Instant::now() + RECONNECT_INTERVAL;
        let mut reading: Option<BoxFuture<'static, ()>> = None;
        let mut read_again = false;
        loop {
            tokio::select! {
                // In this order, so that a flood of changes does not starve the others.
                biased;
                () = self.store_health.lost.notified() => {
                    reading = None;
                    read_again = false;
                    self.store_health.abort_reconnect();
                    next_read = Instant::now() + RECONNECT_INTERVAL;
                }
                () = finished(&mut reading) => {
                    reading = read_again.then(|| self.start_full_read(true));
                    read_again = false;
                    next_read = Instant::now() + self.full_read_interval();
                }
                () = sleep_until(next_read), if reading.is_none() => {
                    reading = Some(self.start_full_read(!self.store_health.is_connected()));
                    self.drop_idle();
                    self.refresh_ttls();
                }
                change = changes.next() => match change {
                    ChangeNotification::Key(key) => {
                        if let Some(circuit) = self.circuit_with_place(&key) {
                            self.schedule_read(&circuit);
                        }
                    }
                    ChangeNotification::State(key) => {
                        if let Some(circuit) = self.circuit_with_place(&key) {
                            self.read_state(&circuit);
                        }
                    }
                    ChangeNotification::Everything if reading.is_some() => read_again = true,
                    ChangeNotification::Everything => reading = Some(self.start_full_read(true)),
                    ChangeNotification::Lost(error) => {
                        reading = None;
                        read_again = false;
                        next_read = Instant::now() + RECONNECT_INTERVAL;
                        self.store_health.mark_unreachable(&error, self.clock.now());
                    }
                },
            }
            self.sync_progress.notify_waiters();
        }
    }

    fn start_full_read(self: &Arc<Self>, discover: bool) -> BoxFuture<'static, ()> {
        let shared = Arc::clone(self);
        async move { shared.read_all(discover).await }.boxed()
    }

    fn full_read_interval(&self) -> Duration {
        if self.store_health.is_connected() { self.jittered_resync_interval() } else { RECONNECT_INTERVAL }
    }

    /// Until the next full read, in case a notification was lost. Different in every instance.
    fn jittered_resync_interval(&self) -> Duration {
        self.timing.resync_interval.mul_f64(0.75 + 0.5 * self.random_unit())
    }

    /// Reads a circuit soon, at most once per interval, however many notifications of its counts come.
    pub(crate) fn schedule_read(self: &Arc<Self>, circuit: &Arc<Circuit>) {
        let mut inner = circuit.inner();
        if std::mem::replace(&mut inner.reader_running, true) {
            inner.read_again = true;
            return;
        }
        drop(inner);
        self.runtime.spawn(Arc::clone(self).run_reader(Arc::clone(circuit)));
    }

    /// Reads a circuit whose state has changed, without a pause (F1).
    fn read_state(self: &Arc<Self>, circuit: &Arc<Circuit>) {
        let start = {
            let mut inner = circuit.inner();
            inner.state_changed = true;
            !std::mem::replace(&mut inner.reader_running, true)
        };
        if start {
            self.runtime.spawn(Arc::clone(self).run_reader(Arc::clone(circuit)));
        } else {
            circuit.wake_reader.notify_one();
        }
    }

    async fn run_reader(self: Arc<Self>, circuit: Arc<Circuit>) {
        loop {
            self.pause_between_reads(&circuit).await;
            {
                let mut inner = circuit.inner();
                (inner.read_again, inner.state_changed) = (false, false);
                inner.read_at = Some(Instant::now());
            }
            if let Err(error) = self.read_now(&circuit).await {
                self.store_health.mark_unreachable(&error, self.clock.now());
            }
            let mut inner = circuit.inner();
            if !inner.read_again && !inner.state_changed {
                inner.reader_running = false;
                return;
            }
        }
    }

    /// Counts are read at most once per interval; a change of state ends the pause.
    async fn pause_between_reads(&self, circuit: &Circuit) {
        loop {
            let pause = {
                let inner = circuit.inner();
                let since_last = inner.read_at.map(|at| at.elapsed()).filter(|_| !inner.state_changed);
                since_last.and_then(|elapsed| self.timing.min_read_interval.checked_sub(elapsed))
            };
            let Some(pause) = pause.filter(|pause| !pause.is_zero()) else { return };
            let _ = timeout(pause, circuit.wake_reader.notified()).await;
        }
    }

    /// Reads a circuit and applies what was read. Repeats if a write came first.
    pub(crate) async fn read_now(self: &Arc<Self>, circuit: &Arc<Circuit>) -> Result<(), StoreError> {
        loop {
            let version = circuit.inner().version;
            let loaded = self.load(circuit).await?;
            if self.apply_loaded(circuit, &loaded, version) {
                return Ok(());
            }
        }
    }

    async fn load(&self, circuit: &Circuit) -> Result<Loaded, StoreError> {
        let started = Instant::now();
        let store_timeout = self.timing.store_timeout;
        let loaded = timeout(store_timeout, self.store.load(&circuit.key))
            .await
            .unwrap_or(Err(StoreError::Timeout(store_timeout)))?;
        self.sync_clock(loaded.time, started.elapsed());
        Ok(loaded)
    }

    /// Applies what was read, and writes to the store what it lacks. `false`: the read raced with a write. The mirror no
    /// longer has the `version` that it had when the read began, so it may be newer than what was read.
    pub(crate) fn apply_loaded(
        self: &Arc<Self>,
        circuit: &Arc<Circuit>,
        loaded: &Loaded,
        version: u64,
    ) -> bool {
        let is_dirty = {
            let mut inner = circuit.inner();
            let unread = inner.mirror.stored == StoredValue::NotLoaded;
            let same = inner.mirror.value == loaded.value && !unread;
            let differs = !same || inner.mirror.history_tail != loaded.history_tail;
            if differs && inner.version != version {
                return false;
            }
            if differs {
                inner.version += 1;
                let (epoch, was_known) = (inner.mirror.record.epoch, inner.mirror.is_loaded());
                let policy = Arc::clone(&inner.policy);
                inner.mirror.apply_loaded(loaded, &policy);
                let changed_elsewhere =
                    inner.mirror.record.epoch != epoch || inner.mirror.is_loaded() != was_known;
                self.count_remote_transition(circuit, &inner.mirror, epoch);
                if inner.mirror.record.epoch == epoch {
                    inner.write_throttle.on_other_write(self.timing.count_write_interval, self.random_unit());
                } else {
                    inner.write_throttle = WriteThrottle::default();
                }
                // For a circuit without calls `doctor` reports it.
                if !unread || circuit.used.load(Ordering::Relaxed) {
                    warn_unusable_value(circuit, &inner);
                }
                if inner.mirror.record.updated_by.as_ref() == Some(&self.instance) {
                    // What is in flight has arrived; only its reply has not.
                    inner.in_flight.clear();
                }
                circuit.publish_view(&mut inner);
                circuit.watchers.notify(|| InternalEvent::CircuitChanged {
                    key: circuit.key.clone(),
                    transitions: Vec::new(),
                    changed_elsewhere,
                });
            }
            inner.mirror.is_dirty()
        };
        // The queued requests may trip now, or may need no write any more.
        circuit.wake_writer.notify_one();
        if is_dirty && self.store_health.is_writable() {
            self.enqueue(circuit, QueuedRequest::new(Request::Reconcile));
        }
        true
    }

    /// Counts a change that another instance made.
    fn count_remote_transition(&self, circuit: &Circuit, mirror: &Mirror, epoch_before: u64) {
        let record = &mirror.record;
        // A circuit that was just created, or is not adopted yet, has not changed its state.
        let changed = epoch_before != 0 && record.epoch != epoch_before;
        if let (true, StoredValue::Native(_), Some(reason)) = (changed, &mirror.stored, &record.reason) {
            let to = record.state(self.clock.now());
            circuit.counter.count_transition(TransitionKind { to, cause: reason.cause, own: false });
        }
    }

    /// Reads all circuits and reconciles them. Only then does the store count as connected.
    async fn read_all(self: &Arc<Self>, discover: bool) {
        let circuits = self.sorted_circuits();
        let versions: HashMap<ModelKey, u64> =
            circuits.iter().map(|circuit| (circuit.key.clone(), circuit.inner().version)).collect();
        let known: Vec<_> = circuits.iter().map(|circuit| circuit.key.clone()).collect();
        let started = Instant::now();
        let listing = timeout(FULL_READ_TIMEOUT, self.store.load_all(&known, discover))
            .await
            .unwrap_or(Err(StoreError::Timeout(FULL_READ_TIMEOUT)));
        let result = match listing {
            Ok(listing) => {
                self.sync_clock(listing.time, started.elapsed());
                self.store_health.begin_reconnect();
                self.reconcile_all(listing, &versions).await
            }
            Err(error) => Err(error),
        };
        if discover && result.is_ok() {
            self.share_tag_key().await;
        }
        match result {
            Ok(()) => self.store_health.mark_connected(),
            Err(error) => self.store_health.mark_unreachable(&error, self.clock.now()),
        }
    }

    /// Synchronizes the clock by a response that took this long. Local changes are dated by this machine's clock, and are
    /// shifted with it (B7).
    pub(crate) fn sync_clock(&self, time: Timestamp, elapsed: Duration) {
        let shift = self.clock.sync(time, elapsed);
        if shift.unsigned_abs() <= millis(CLOCK_TOLERANCE) {
            return;
        }
        for circuit in &self.sorted_circuits() {
            let mut inner = circuit.inner();
            inner.mirror.shift_local_times(shift);
            circuit.publish_view(&mut inner);
        }
    }

    /// Reconciles all circuits. `versions` are those of the mirrors when the read began.
    async fn reconcile_all(
        self: &Arc<Self>,
        listing: Listing,
        versions: &HashMap<ModelKey, u64>,
    ) -> Result<(), StoreError> {
        let Listing { values, time } = listing;
        let mut circuits = Vec::new();
        for (at, (key, value)) in values.into_iter().enumerate() {
            // Other programs may use keys under the prefix: a key that is no circuit is read when its model is called.
            if versions.contains_key(&key) || self.is_circuit(&key, &value) {
                circuits.push((key, value));
            }
            if at % YIELD_EVERY == 0 {
                yield_now().await;
            }
        }
        self.retain_with_place(&mut circuits);
        self.ensure_circuits(circuits.iter().map(|(key, _)| key));
        iter(circuits.into_iter().enumerate().map(Ok))
            .try_for_each_concurrent(RECONCILE_CONCURRENCY, |(at, (key, value))| async move {
                if at % YIELD_EVERY == 0 {
                    yield_now().await;
                }
                let circuit = self.circuit(&key);
                let version = versions.get(&key).copied().unwrap_or(0);
                self.reconcile_circuit(&circuit, version, value, time).await
            })
            .await?;
        // Changes that came meanwhile were applied, but what they require could not be written yet.
        for circuit in &self.sorted_circuits() {
            self.wait_reconciled(circuit).await;
        }
        Ok(())
    }

    async fn reconcile_circuit(
        self: &Arc<Self>,
        circuit: &Arc<Circuit>,
        version: u64,
        value: Value,
        time: Timestamp,
    ) -> Result<(), StoreError> {
        let (changed, needs_history) = {
            let inner = circuit.inner();
            let unread = inner.mirror.stored == StoredValue::NotLoaded;
            let changed = unread || inner.mirror.value != value || inner.mirror.is_dirty();
            (changed, inner.mirror.needs_history(&value, &inner.policy))
        };
        if !changed {
            return Ok(());
        }
        let loaded = Loaded { value, history_tail: HistoryTail::NotLoaded, time };
        if needs_history || !self.apply_loaded(circuit, &loaded, version) {
            self.read_now(circuit).await?;
        }
        self.wait_reconciled(circuit).await;
        Ok(())
    }

    /// Waits until a circuit is written, but not forever: what could not be written is written after the next read.
    pub(crate) async fn wait_reconciled(self: &Arc<Self>, circuit: &Arc<Circuit>) {
        for _ in 0..RECONCILE_TIMEOUT_FACTOR {
            let changed = circuit.view_changed.notified();
            let needs_request = {
                let inner = circuit.inner();
                if !inner.mirror.is_dirty() || !self.store_health.is_writable() {
                    return;
                }
                !inner.writer_running
            };
            if needs_request {
                self.enqueue(circuit, QueuedRequest::new(Request::Reconcile));
            }
            let _ = timeout(self.timing.store_timeout, changed).await;
        }
    }

    fn refresh_ttls(self: &Arc<Self>) {
        let now = self.clock.now();
        for circuit in &self.sorted_circuits() {
            let used = circuit.used.swap(false, Ordering::Relaxed);
            let view = circuit.view.load();
            if used && view.loaded && now.since(view.record.updated_at) > TTL_REFRESH_INTERVAL {
                self.enqueue(circuit, QueuedRequest::event(Event::RefreshTtl, None));
            }
        }
    }

    /// Drops circuits that no longer exist and that no permit refers to, and unusable keys that had no call since the last
    /// refresh.
    fn drop_idle(&self) {
        let idle = |circuit: &Arc<Circuit>| {
            let inner = circuit.inner();
            let is_unusable = matches!(inner.mirror.stored, StoredValue::Invalid | StoredValue::WrongType);
            let unused = is_unusable && !inner.mirror.diverged && !circuit.used.load(Ordering::Relaxed);
            // Referenced by the map, and by the copy of it that is being edited.
            Arc::strong_count(circuit) <= 2
                && !inner.writer_running
                && !inner.reader_running
                && (unused || !inner.mirror.is_loaded())
        };
        let before = self.circuits.load_full();
        self.edit_circuits(|circuits| {
            circuits.retain(|_, circuit| !idle(circuit));
        });
        // A call may have got hold of one just before.
        let after = self.circuits.load();
        for (key, circuit) in before.iter() {
            if !after.get(key).is_some_and(|kept| Arc::ptr_eq(kept, circuit)) {
                circuit.retire();
            }
        }
    }
}

/// Ends with the current read; never, if there is none.
async fn finished(reading: &mut Option<BoxFuture<'static, ()>>) {
    match reading {
        Some(reading) => reading.await,
        None => pending().await,
    }
}

fn warn_unusable_value(circuit: &Circuit, inner: &Inner) {
    match (&inner.mirror.stored, &inner.mirror.value) {
        (StoredValue::Invalid, _) => tracing::warn!(
            circuit = %circuit.key,
            "key holds no circuit JSON; treated as closed and overwritten at the next change"
        ),
        (StoredValue::WrongType, Value::WrongType(found)) => tracing::warn!(
            circuit = %circuit.key,
            %found,
            "key has the wrong type; not sharing this circuit"
        ),
        _ => {}
    }
}
