//! Writing: one write in flight per circuit, however many calls fail at once; what comes meanwhile is folded into
//! the next.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use breaker::{Context, Effect, Transition};
use tokio::time::{Instant, timeout};

use crate::{
    TRACES,
    circuit::{Circuit, Inner, Reply, Waiting, is_urgent},
    counts::{TransitionKind, count},
    mirror::Stored,
    permit::Permit,
    plan::{Answer, Plan, Request, plan},
    shared::Shared,
    store::{StoreError, Swap, Write},
    watch::Notice,
};

impl Shared {
    /// Hands a request to the circuit's writer, and starts it if it does not run.
    pub(crate) fn request(self: &Arc<Self>, circuit: &Arc<Circuit>, waiting: Waiting) {
        let start = {
            let mut inner = circuit.inner();
            inner.queue.push(waiting);
            circuit.busy.store(true, Ordering::Release);
            !std::mem::replace(&mut inner.writer_runs, true)
        };
        if start {
            self.runtime.spawn(Arc::clone(self).write_all(Arc::clone(circuit)));
        } else {
            circuit.bell.notify_one();
        }
    }

    async fn write_all(self: Arc<Self>, circuit: Arc<Circuit>) {
        let mut tries = 0;
        while let Some(batch) = self.next_batch(&circuit).await {
            if self.write(&circuit, batch).await {
                tries = 0;
            } else {
                tries += 1;
                self.step_aside(tries).await;
            }
        }
    }

    /// Waits until it is worth writing. Counts that cannot trip are put off, so that a fleet's failures do not
    /// become a flood of writes.
    async fn next_batch(self: &Arc<Self>, circuit: &Arc<Circuit>) -> Option<Vec<Waiting>> {
        loop {
            let pause = {
                let mut inner = circuit.inner();
                inner.shelve_successes(&self.instance);
                if inner.queue.is_empty() {
                    inner.writer_runs = false;
                    circuit.busy.store(false, Ordering::Release);
                    return None;
                }
                let requests: Vec<Request> =
                    inner.queue.iter().map(|waiting| waiting.request.clone()).collect();
                let context = self.context(&inner.policy);
                let draft = plan(&inner.mirror, &requests, context, self.link.is_up());
                let in_haste = self.in_haste.load(Ordering::Acquire);
                let pause = inner.pause(&draft, self.pacing.counts).filter(|_| !in_haste);
                match pause {
                    Some(pause) if !is_urgent(&draft, &inner.queue) => pause,
                    _ => {
                        let tally: Vec<Waiting> = inner.take_tally().collect();
                        return Some(tally.into_iter().chain(inner.queue.drain(..)).collect());
                    }
                }
            };
            // Rings early when more comes; then it is looked at anew.
            let _ = timeout(pause, circuit.bell.notified()).await;
        }
    }

    /// Writes what waited. `false`: somebody else wrote meanwhile, and it waits again, to be planned anew with what has
    /// come since.
    async fn write(self: &Arc<Self>, circuit: &Arc<Circuit>, batch: Vec<Waiting>) -> bool {
        let (requests, replies): (Vec<Request>, Vec<Reply>) =
            batch.into_iter().map(|waiting| (waiting.request, waiting.reply)).unzip();
        let Some(settled) = self.try_write(circuit, &requests).await else {
            put_back(circuit, requests, replies);
            return false;
        };
        for (epoch, onward) in settled.onward.iter().map(|(onward, epoch)| (*epoch, onward)) {
            onward.store(epoch, Ordering::Release);
        }
        let told = requests.into_iter().zip(settled.answers).zip(replies);
        for ((request, answer), reply) in told {
            self.answer(circuit, request, answer, reply);
        }
        true
    }

    /// One try: plans and writes. `None` if somebody else wrote meanwhile, and it is to be planned anew.
    async fn try_write(self: &Arc<Self>, circuit: &Arc<Circuit>, requests: &[Request]) -> Option<Plan> {
        let online = self.link.is_up();
        if online && circuit.inner().mirror.stored == Stored::Unknown {
            return self.read_first(circuit).await;
        }
        let (plan, write, version) = {
            let mut inner = circuit.inner();
            let policy = Arc::clone(&inner.policy);
            let context = self.context(&policy);
            let writable = online && inner.mirror.stored != Stored::OtherType;
            let plan = plan(&inner.mirror, requests, context, writable);
            if !writable {
                commit_apart(circuit, &mut inner, &plan);
                return Some(plan);
            }
            let Some(write) = plan.write(&inner.mirror, context.now) else {
                commit_nothing(circuit, &mut inner);
                return Some(plan);
            };
            (plan, write, inner.version)
        };
        if write.lacks_the_history() {
            return self.read_first(circuit).await;
        }
        match self.compare_and_set(circuit, &write).await {
            Ok(Swap::Done { .. }) => {
                commit(circuit, &plan, &write, version);
                circuit.inner().crowd.wrote(self.pacing.counts, self.share());
                Some(plan)
            }
            Ok(Swap::Changed(loaded)) => {
                self.take_up(circuit, &loaded, version);
                None
            }
            Ok(Swap::ClockAway { .. }) => None,
            Err(error) => {
                self.link.fail(&error, self.clock.now());
                // The reply may be lost and the write done: then the next reading finds it, equal to this. What was
                // only to be told stays as it was, and is told when the store is back.
                if !requests.iter().all(|request| matches!(request, Request::Settle)) {
                    commit_apart(circuit, &mut circuit.inner(), &plan);
                }
                Some(plan)
            }
        }
    }

    async fn read_first(self: &Arc<Self>, circuit: &Arc<Circuit>) -> Option<Plan> {
        if let Err(error) = self.read_now(circuit).await {
            self.link.fail(&error, self.clock.now());
        }
        None
    }

    async fn compare_and_set(&self, circuit: &Circuit, write: &Write) -> Result<Swap, StoreError> {
        let asked = Instant::now();
        let swap = timeout(self.pacing.patience, self.store.compare_and_set(&circuit.key, write))
            .await
            .unwrap_or(Err(StoreError::Silent(self.pacing.patience)));
        count(match &swap {
            Ok(Swap::Done { .. }) => &self.writes.written,
            Ok(Swap::Changed(_)) => &self.writes.overtaken,
            Ok(Swap::ClockAway { .. }) => &self.writes.clock_skew,
            Err(_) => &self.writes.failed,
        });
        let swap = swap?;
        let time = match &swap {
            Swap::Done { time } | Swap::ClockAway { time } => *time,
            Swap::Changed(loaded) => loaded.time,
        };
        self.hear(time, asked.elapsed());
        Ok(swap)
    }

    /// Lets the others write first for a moment, not all for the same moment.
    async fn step_aside(&self, tries: u32) {
        if tries > 1 {
            let most = Duration::from_millis(1 << tries.min(5));
            tokio::time::sleep(most.mul_f64(self.share())).await;
        }
    }

    fn answer(self: &Arc<Self>, circuit: &Arc<Circuit>, request: Request, answer: Answer, reply: Reply) {
        match reply {
            Reply::Nobody => {}
            // Nobody may be waiting any more; a permit that cannot be sent gives its lease back as it drops.
            Reply::Probe(sender) => {
                let permit = match (answer, request) {
                    (Answer::Effect(Effect::Granted { epoch }), Request::Probe { id, .. }) => {
                        Some(Permit::to_probe(circuit, epoch, id))
                    }
                    _ => None,
                };
                drop(sender.send(permit));
            }
            Reply::Answer(sender) => drop(sender.send(answer)),
        }
    }

    pub(crate) fn context<'a>(&'a self, policy: &'a breaker::Policy) -> Context<'a> {
        Context { instance: &self.instance, policy, now: self.clock.now() }
    }
}

fn put_back(circuit: &Circuit, requests: Vec<Request>, replies: Vec<Reply>) {
    let mut inner = circuit.inner();
    let newer = std::mem::take(&mut inner.queue);
    let older = requests.into_iter().zip(replies).map(|(request, reply)| Waiting { request, reply });
    inner.queue = older.chain(newer).collect();
}

/// It is written. `version` is that of the mirror it was planned from: what was taken up since is what was written, or
/// newer.
fn commit(circuit: &Circuit, plan: &Plan, write: &Write, version: u64) {
    let mut inner = circuit.inner();
    inner.written_at = Some(Instant::now());
    if inner.version == version {
        inner.mirror.written(plan, write);
        inner.version += 1;
        circuit.publish(&inner);
    }
    drop(inner);
    tell(circuit, plan);
}

fn commit_nothing(circuit: &Circuit, inner: &mut Inner) {
    if inner.mirror.in_step() {
        circuit.publish(inner);
    }
}

fn commit_apart(circuit: &Circuit, inner: &mut Inner, plan: &Plan) {
    if inner.mirror.go_apart(plan) {
        inner.version += 1;
        circuit.publish(inner);
        tell(circuit, plan);
    }
}

fn tell(circuit: &Circuit, plan: &Plan) {
    circuit.watchers.tell(|| Notice::Circuit {
        key: circuit.key.clone(),
        transitions: plan.transitions.clone(),
        moved: false,
    });
    for transition in &plan.transitions {
        let Transition { to, reason, .. } = transition;
        circuit.counter.changed(TransitionKind { to: *to, cause: reason.kind, own: true });
        // A trace knows events only within a span, and no call's span lasts until its circuit's change is written.
        let span = tracing::trace_span!(
            target: TRACES,
            parent: None,
            "circuit_transition",
            switchboard.circuit = %circuit.key,
            switchboard.to = to.as_str(),
            switchboard.reason = reason.kind.as_str(),
        );
        let _entered = span.enter();
        tracing::info!(
            circuit = %circuit.key,
            from = %transition.from,
            to = %transition.to,
            epoch = transition.epoch,
            reason = %transition.reason.in_short(),
            "circuit changed"
        );
    }
}
