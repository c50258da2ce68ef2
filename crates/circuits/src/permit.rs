//! Leave to make one call, and the word of how it ended.

use std::{
    fmt,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use breaker::{AdmissionToken, Event, Failure, ModelKey, Outcome};

use crate::{
    circuit::{Circuit, QueuedRequest},
    counts::ProbeOutcome,
    plan::{ContinuationEpoch, Request},
};

/// Leave to make one call.
///
/// Say how it ended with one of the methods. A permit that is dropped without a word counts as nothing, and frees a
/// probe's place at once (B3). None of the methods waits for the store.
pub struct Permit {
    circuit: Arc<Circuit>,
    epoch: u64,
    probe: Option<Box<Probe>>,
}

/// What only a probe's permit has.
struct Probe {
    lease_id: String,
    /// The epoch it goes on in after its first content.
    continuation_epoch: ContinuationEpoch,
    decided: bool,
}

impl Permit {
    pub(crate) fn new(circuit: &Arc<Circuit>, epoch: u64) -> Self {
        Self { circuit: Arc::clone(circuit), epoch, probe: None }
    }

    pub(crate) fn for_probe(circuit: &Arc<Circuit>, epoch: u64, lease_id: String) -> Self {
        let probe = Probe { lease_id, continuation_epoch: Arc::new(AtomicU64::new(0)), decided: false };
        Self { circuit: Arc::clone(circuit), epoch, probe: Some(Box::new(probe)) }
    }

    /// The circuit it is of.
    #[must_use]
    pub fn key(&self) -> &ModelKey {
        &self.circuit.key
    }

    /// Whether the call decides if the circuit closes.
    #[must_use]
    pub const fn is_probe(&self) -> bool {
        self.probe.is_some()
    }

    /// The epoch it was admitted in.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// A stream said its first content. A probe has its verdict with that; the permit goes on, so that a later cut
    /// counts (B4).
    pub fn first_token(&mut self) {
        if let Some(probe) = self.probe.as_mut().filter(|probe| !probe.decided) {
            probe.decided = true;
            self.circuit.counter.count_probe(ProbeOutcome::Succeeded);
            let token = AdmissionToken { epoch: self.epoch, lease_id: Some(probe.lease_id.clone()) };
            let continuation = Arc::clone(&probe.continuation_epoch);
            self.enqueue(QueuedRequest::event(Event::FirstToken { token }, Some(continuation)));
        }
    }

    /// A whole, valid answer, or a stream's clean finish.
    pub fn succeeded(self) {
        if self.is_probe() || !self.circuit.try_coalesce_success(self.epoch) {
            self.complete(Outcome::Succeeded);
        }
    }

    /// The provider's fault (C1).
    pub fn failed(self, failure: Failure) {
        self.complete(Outcome::Failed(failure));
    }

    /// The provider asks to be left alone for `wait`, or, where it does not say, for the longest rest (B9).
    pub fn rate_limited(self, failure: Failure, retry_after: Option<Duration>) {
        self.complete(Outcome::RateLimited { failure, retry_after });
    }

    /// The provider says there is no such model, and no route names it: its circuit is taken away again, so that
    /// clients' typing errors fill nothing (DESIGN 1.1).
    pub fn unknown_model(mut self) {
        self.release();
        self.enqueue(QueuedRequest::new(Request::RemoveUnknownModel));
    }

    fn complete(mut self, outcome: Outcome) {
        // A late success changes nothing, whatever has happened since: it need not be told.
        let late = !self.is_probe() && self.epoch != self.circuit.view.load().record.epoch;
        if late && !self.circuit.has_pending_writes.load(std::sync::atomic::Ordering::Acquire) {
            return;
        }
        if self.probe.as_ref().is_some_and(|probe| !probe.decided) {
            let succeeded = matches!(outcome, Outcome::Succeeded);
            self.circuit.counter.count_probe(if succeeded {
                ProbeOutcome::Succeeded
            } else {
                ProbeOutcome::Failed
            });
        }
        let (lease_id, continuation) =
            self.probe.take().map(|probe| (probe.lease_id, probe.continuation_epoch)).unzip();
        let token = AdmissionToken { epoch: self.epoch, lease_id };
        self.enqueue(QueuedRequest::event(
            Event::CallCompleted { token, outcome, at: self.circuit.now() },
            continuation,
        ));
    }

    /// A probe that ends without a word frees its place, unless it has had its verdict.
    fn release(&mut self) {
        if let Some(probe) = self.probe.take().filter(|probe| !probe.decided) {
            self.circuit.counter.count_probe(ProbeOutcome::Released);
            let token = AdmissionToken { epoch: self.epoch, lease_id: Some(probe.lease_id) };
            self.enqueue(QueuedRequest::event(
                Event::PermitReleased { token },
                Some(probe.continuation_epoch),
            ));
        }
    }

    /// Of an instance that has ended nobody is left to be told.
    fn enqueue(&self, queued: QueuedRequest) {
        if let Some(shared) = self.circuit.shared.upgrade() {
            shared.enqueue(&self.circuit, queued);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.release();
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("key", self.key())
            .field("epoch", &self.epoch)
            .field("is_probe", &self.is_probe())
            .finish_non_exhaustive()
    }
}
