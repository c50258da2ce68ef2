//! Writing: one write in flight per circuit, however many calls fail at the same time. Requests that come meanwhile are
//! folded into the next write.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use breaker::{Context, EventResult, ModelKey, State, Transition};
use tokio::time::{Instant, timeout};

use crate::{
    circuit::{Circuit, Inner, QueuedRequest, Responder, Writer, is_urgent},
    counts::{TransitionKind, increment},
    mirror::StoredValue,
    plan::{Plan, Request, RequestResult, plan},
    shared::Shared,
    store::{StoreError, Swap, Write},
    watchers::InternalEvent,
};

/// The target of the spans for a trace collector, all at level TRACE. Without a collector no subscriber wants them, and
/// each costs one load of a number.
pub const TRACE_TARGET: &str = "switchboard::traces";

impl Writer for Shared {
    fn submit(self: Arc<Self>, circuit: &Arc<Circuit>, queued: QueuedRequest) {
        match &queued.request {
            Request::Begin(_) => self.enqueue(&self.place(circuit), queued),
            _ => self.enqueue(circuit, queued),
        }
    }
}

impl Shared {
    /// Queues a request for the circuit's writer, and starts the writer if it does not run.
    pub(crate) fn enqueue(self: &Arc<Self>, circuit: &Arc<Circuit>, queued: QueuedRequest) {
        let start = {
            let mut inner = circuit.inner();
            circuit.queue(&mut inner, queued);
            circuit.has_pending_writes.store(true, Ordering::Release);
            !std::mem::replace(&mut inner.writer_running, true)
        };
        if start {
            self.runtime.spawn(Arc::clone(self).run_writer(Arc::clone(circuit)));
        } else {
            circuit.wake_writer.notify_one();
        }
    }

    async fn run_writer(self: Arc<Self>, circuit: Arc<Circuit>) {
        let mut tries = 0;
        while let Some(batch) = self.next_batch(&circuit).await {
            if self.write_batch(&circuit, batch).await {
                tries = 0;
            } else {
                tries += 1;
                self.backoff_on_conflict(tries).await;
            }
        }
    }

    /// Waits until a write is due. Counts that cannot trip are delayed, so that a fleet's failures do not become a flood of
    /// writes.
    async fn next_batch(self: &Arc<Self>, circuit: &Arc<Circuit>) -> Option<Vec<QueuedRequest>> {
        loop {
            let delay = {
                let mut inner = circuit.inner();
                inner.coalesce_queued_successes(&self.instance, self.clock.now());
                if inner.queue.is_empty() {
                    inner.writer_running = false;
                    circuit.has_pending_writes.store(false, Ordering::Release);
                    return None;
                }
                let requests: Vec<Request> =
                    inner.queue.iter().map(|queued| queued.request.clone()).collect();
                let context = self.context(&inner.policy);
                let draft = plan(&inner.mirror, &requests, context, self.store_health.is_writable());
                let draining = self.draining.load(Ordering::Acquire);
                let pause = inner.write_delay(&draft, self.timing.count_write_interval).filter(|_| !draining);
                match pause {
                    Some(pause) if !is_urgent(&draft, &inner.queue) => {
                        circuit.withdraw_refusal(&mut inner);
                        pause
                    }
                    _ => {
                        let mut batch = circuit.take_pending_successes(&mut inner);
                        batch.append(&mut inner.queue);
                        inner.in_flight = batch.iter().map(|queued| queued.request.clone()).collect();
                        circuit.update_expected(&mut inner);
                        return Some(batch);
                    }
                }
            };
            // Woken early by another request, which may be urgent.
            let _ = timeout(delay, circuit.wake_writer.notified()).await;
        }
    }

    /// Writes a batch. `false`: another writer was first, and the batch is queued again, to be planned with what has come
    /// since.
    async fn write_batch(self: &Arc<Self>, circuit: &Arc<Circuit>, batch: Vec<QueuedRequest>) -> bool {
        let (requests, responders): (Vec<Request>, Vec<Responder>) =
            batch.into_iter().map(|queued| (queued.request, queued.responder)).unzip();
        let Some(committed) = self.try_write(circuit, &requests).await else {
            requeue(circuit, requests, responders);
            return false;
        };
        for (epoch, continuation) in committed.continuations.iter().map(|(onward, epoch)| (*epoch, onward)) {
            continuation.store(epoch, Ordering::Release);
        }
        let responses = requests.into_iter().zip(committed.results).zip(responders);
        for ((request, result), responder) in responses {
            respond(circuit, request, result, responder);
        }
        true
    }

    /// One attempt: plans and writes. `None` on a conflict: it must be planned again.
    async fn try_write(self: &Arc<Self>, circuit: &Arc<Circuit>, requests: &[Request]) -> Option<Plan> {
        let online = self.store_health.is_writable();
        if online && circuit.inner().mirror.stored == StoredValue::NotLoaded {
            return self.load_first(circuit).await;
        }
        let (plan, write, version) = {
            let mut inner = circuit.inner();
            let policy = Arc::clone(&inner.policy);
            let context = self.context(&policy);
            let writable = online && inner.mirror.stored != StoredValue::WrongType;
            let plan = plan(&inner.mirror, requests, context, writable);
            if !writable {
                commit_locally(circuit, &mut inner, &plan);
                return Some(plan);
            }
            let Some(write) = plan.write(&inner.mirror, context.now) else {
                commit_unchanged(circuit, &mut inner);
                return Some(plan);
            };
            (plan, write, inner.version)
        };
        if write.history_not_loaded() {
            return self.load_first(circuit).await;
        }
        match self.compare_and_set(circuit, &write).await {
            Ok(Swap::Done { .. }) => {
                commit(circuit, &plan, &write, version);
                circuit
                    .inner()
                    .write_throttle
                    .on_own_write(self.timing.count_write_interval, self.random_unit());
                Some(plan)
            }
            Ok(Swap::Changed(loaded)) => {
                self.apply_loaded(circuit, &loaded, version);
                None
            }
            Ok(Swap::ClockSkew { .. }) => None,
            Err(error) => {
                self.store_health.mark_unreachable(&error, self.clock.now());
                // The write may be done and only its response lost: then the next read finds the same record. A mere
                // reconciliation stays as it was, and is written when the store is back.
                if !requests.iter().all(|request| matches!(request, Request::Reconcile)) {
                    commit_locally(circuit, &mut circuit.inner(), &plan);
                }
                Some(plan)
            }
        }
    }

    async fn load_first(self: &Arc<Self>, circuit: &Arc<Circuit>) -> Option<Plan> {
        if let Err(error) = self.read_now(circuit).await {
            self.store_health.mark_unreachable(&error, self.clock.now());
        }
        None
    }

    async fn compare_and_set(&self, circuit: &Circuit, write: &Write) -> Result<Swap, StoreError> {
        let started = Instant::now();
        let swap = timeout(self.timing.store_timeout, self.store.compare_and_set(&circuit.key, write))
            .await
            .unwrap_or(Err(StoreError::Timeout(self.timing.store_timeout)));
        increment(match &swap {
            Ok(Swap::Done { .. }) => &self.writes.written,
            Ok(Swap::Changed(_)) => &self.writes.conflicts,
            Ok(Swap::ClockSkew { .. }) => &self.writes.clock_skew,
            Err(_) => &self.writes.failed,
        });
        let swap = swap?;
        let time = match &swap {
            Swap::Done { time } | Swap::ClockSkew { time } => *time,
            Swap::Changed(loaded) => loaded.time,
        };
        self.sync_clock(time, started.elapsed());
        Ok(swap)
    }

    /// Lets the others write first, for a random time.
    async fn backoff_on_conflict(&self, tries: u32) {
        if tries > 1 {
            let max_delay = Duration::from_millis(1 << tries.min(5));
            tokio::time::sleep(max_delay.mul_f64(self.random_unit())).await;
        }
    }

    pub(crate) fn context<'a>(&'a self, policy: &'a breaker::Policy) -> Context<'a> {
        Context { instance: &self.instance, policy, now: self.clock.now() }
    }
}

fn respond(circuit: &Arc<Circuit>, request: Request, result: RequestResult, responder: Responder) {
    match responder {
        Responder::Discard => {}
        Responder::Probe(respond) => {
            let lease = match (result, request) {
                (RequestResult::Applied(EventResult::ProbeGranted { epoch }), Request::Probe { id, .. }) => {
                    Some((id, epoch))
                }
                _ => None,
            };
            respond(circuit, lease);
        }
        Responder::Result(sender) => drop(sender.send(result)),
    }
}

fn requeue(circuit: &Circuit, requests: Vec<Request>, responders: Vec<Responder>) {
    let mut inner = circuit.inner();
    let newer = std::mem::take(&mut inner.queue);
    let older =
        requests.into_iter().zip(responders).map(|(request, responder)| QueuedRequest { request, responder });
    inner.queue = older.chain(newer).collect();
    inner.in_flight.clear();
}

/// It is written. `version` is that of the mirror it was planned from: what was applied since is what was written, or
/// newer.
fn commit(circuit: &Circuit, plan: &Plan, write: &Write, version: u64) {
    let mut inner = circuit.inner();
    inner.written_at = Some(Instant::now());
    inner.in_flight.clear();
    if inner.version == version {
        inner.mirror.mark_written(&plan.target, write);
        inner.version += 1;
        circuit.publish_view(&mut inner);
    } else {
        circuit.update_expected(&mut inner);
    }
    drop(inner);
    publish(circuit, plan);
}

fn commit_unchanged(circuit: &Circuit, inner: &mut Inner) {
    inner.in_flight.clear();
    if inner.mirror.mark_synced() {
        circuit.publish_view(inner);
    } else {
        circuit.update_expected(inner);
    }
}

fn commit_locally(circuit: &Circuit, inner: &mut Inner, plan: &Plan) {
    inner.in_flight.clear();
    if inner.mirror.apply_locally(&plan.target) {
        inner.version += 1;
        circuit.publish_view(inner);
        publish(circuit, plan);
    } else {
        circuit.update_expected(inner);
    }
}

fn publish(circuit: &Circuit, plan: &Plan) {
    circuit.watchers.notify(|| InternalEvent::CircuitChanged {
        key: circuit.key.clone(),
        transitions: plan.transitions.clone(),
        changed_elsewhere: false,
    });
    for transition in &plan.transitions {
        let Transition { to, reason, .. } = transition;
        circuit.counter.count_transition(TransitionKind { to: *to, cause: reason.cause, own: true });
        // A trace has events only within a span, and no call's span lasts until its circuit's transition is written.
        let span = tracing::trace_span!(
            target: TRACE_TARGET,
            parent: None,
            "circuit_transition",
            switchboard.circuit = %circuit.key,
            switchboard.to = to.as_str(),
            switchboard.reason = reason.cause.as_str(),
        );
        let _entered = span.enter();
        log_transition(&circuit.key, transition);
    }
}

/// The level of a log line is fixed where it is written, so there is one line per state.
fn log_transition(circuit: &ModelKey, transition: &Transition) {
    let Transition { from, to, epoch, reason, .. } = transition;
    let reason = reason.summary();
    match to {
        State::Open => tracing::warn!(%circuit, %from, %to, epoch, %reason, "circuit opened"),
        State::HalfOpen => tracing::info!(%circuit, %from, %to, epoch, %reason, "circuit half-open"),
        State::Closed => tracing::info!(%circuit, %from, %to, epoch, %reason, "circuit closed"),
    }
}
