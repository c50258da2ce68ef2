//! The permission to make one call, and the report of how it ended.

use std::{
    fmt,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use breaker::{AdmissionToken, Event, EventResult, Failure, ModelKey, Outcome, Requester as _};
use tokio::sync::oneshot;

use crate::{
    circuit::{Circuit, ProbeResponder, QueuedRequest, Responder},
    counts::ProbeOutcome,
    plan::{ContinuationEpoch, Request, RequestResult},
    reference::CircuitRef,
    source::CallSource,
};

/// The permission to make one call.
///
/// Report how it ended with one of the methods. A permit that is dropped without a report is not counted, and frees a
/// probe's slot immediately (B3). None of the methods waits for the store.
pub struct Permit {
    circuit: CircuitRef,
    epoch: u64,
    probe: Option<Box<Probe>>,
    /// Whose call it is; `None`: it names nobody.
    source: Option<CallSource>,
    /// There was no circuit when it was admitted: its outcome begins it.
    begins_circuit: bool,
}

/// What only a probe's permit has.
struct Probe {
    lease_id: String,
    /// The epoch it continues in after its first token.
    continuation_epoch: ContinuationEpoch,
    decided: bool,
}

impl Permit {
    #[inline]
    pub(crate) fn new(circuit: CircuitRef, epoch: u64, source: Option<&CallSource>) -> Self {
        Self { circuit, epoch, probe: None, source: source.cloned(), begins_circuit: false }
    }

    /// A permit whose outcome begins the circuit.
    pub(crate) fn without_circuit(circuit: &Arc<Circuit>, source: Option<&CallSource>) -> Self {
        let mut permit = Self::new(circuit.into(), 0, source);
        permit.begins_circuit = true;
        permit
    }

    /// A responder that makes a permit of a granted lease, and the receiver of that permit. The permit itself is sent:
    /// if the caller has disconnected by then, the permit is dropped and gives the lease back.
    pub(crate) fn probe_responder(
        source: Option<CallSource>,
    ) -> (Responder, oneshot::Receiver<Option<Self>>) {
        let (sender, permit) = oneshot::channel();
        let respond: ProbeResponder = Box::new(move |circuit, lease| {
            let permit = lease.map(|(lease_id, epoch)| Self::for_probe(circuit, epoch, lease_id, source));
            drop(sender.send(permit));
        });
        (Responder::Probe(respond), permit)
    }

    fn for_probe(circuit: &Arc<Circuit>, epoch: u64, lease_id: String, source: Option<CallSource>) -> Self {
        let probe = Probe { lease_id, continuation_epoch: Arc::new(AtomicU64::new(0)), decided: false };
        Self { circuit: circuit.into(), epoch, probe: Some(Box::new(probe)), source, begins_circuit: false }
    }

    /// The key of its circuit.
    #[must_use]
    pub fn key(&self) -> &ModelKey {
        &self.circuit.key
    }

    /// Whether the call is a probe, which decides if the circuit closes.
    #[must_use]
    pub const fn is_probe(&self) -> bool {
        self.probe.is_some()
    }

    /// From now on keeps no request body that is larger than this: the call may go on for long. If it fails, that is its
    /// caller's failure, whatever the request was.
    pub fn release_body_over(&mut self, max_bytes: usize) {
        if let Some(source) = &mut self.source {
            source.release_body_over(max_bytes);
        }
    }

    /// The epoch it was admitted in.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// A stream has produced its first token. That is a probe's verdict. The permit stays valid, so that a stream that is
    /// truncated later counts (B4).
    pub fn first_token(&mut self) {
        if let Some(probe) = self.probe.as_mut().filter(|probe| !probe.decided) {
            probe.decided = true;
            self.circuit.counter.count_probe(ProbeOutcome::Succeeded);
            let token = AdmissionToken { epoch: self.epoch, lease_id: Some(probe.lease_id.clone()) };
            let continuation = Arc::clone(&probe.continuation_epoch);
            self.circuit.submit(QueuedRequest::event(Event::FirstToken { token }, Some(continuation)));
        }
    }

    /// Prolongs a probe's lease, which ends this long from now, or after [`Policy::probe_lease`](breaker::Policy) if that
    /// is sooner. The future does not borrow the permit. Its output: whether the lease is still held; always so for a permit
    /// that is no probe's, or whose probe has had its verdict.
    pub fn renew(&self, lease: Duration) -> impl Future<Output = bool> + Send + use<> {
        let probe = self.probe.as_ref().filter(|probe| !probe.decided);
        let result = probe.map(|probe| {
            let token = AdmissionToken { epoch: self.epoch, lease_id: Some(probe.lease_id.clone()) };
            let (sender, result) = oneshot::channel();
            let request = Request::RenewLease { token, lease };
            self.circuit.submit(QueuedRequest { request, responder: Responder::Result(sender) });
            result
        });
        async move {
            match result {
                Some(result) => {
                    matches!(result.await, Ok(RequestResult::Applied(EventResult::Recorded)))
                }
                None => true,
            }
        }
    }

    /// A complete, valid response, or a stream's clean end.
    pub fn succeeded(self) {
        let must_report = self.is_probe() || self.begins_circuit;
        if must_report || !self.circuit.try_coalesce_success(self.epoch) {
            self.complete(Outcome::Succeeded);
        }
    }

    /// The provider's fault (C1).
    pub fn failed(self, failure: Failure) {
        self.complete(Outcome::Failed(failure));
    }

    /// The provider limits its callers: for `retry_after`, or, where it does not say, for the longest cooldown (B9).
    pub fn rate_limited(self, failure: Failure, retry_after: Option<Duration>) {
        self.complete(Outcome::RateLimited { failure, retry_after });
    }

    /// The provider does not know the model, and no route names it: its circuit is removed, so that clients' typing errors
    /// do not fill the store.
    pub fn unknown_model(mut self) {
        self.release();
        self.circuit.submit(QueuedRequest::new(Request::RemoveUnknownModel));
    }

    fn complete(mut self, outcome: Outcome) {
        // A stale success changes nothing, whatever has happened since: it needs no write.
        let late =
            !self.is_probe() && !self.begins_circuit && self.epoch != self.circuit.view.load().record.epoch;
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
        // Of a success it does not matter, so hardly any call is hashed.
        let is_failure = matches!(outcome, Outcome::Failed(_));
        let source = self.source.as_ref().filter(|_| is_failure);
        let source = self.circuit.tagged(source).source();
        let event = Event::CallCompleted { token, outcome, source, at: self.circuit.now() };
        self.circuit.submit(if self.begins_circuit {
            QueuedRequest::new(Request::Begin(event))
        } else {
            QueuedRequest::event(event, continuation)
        });
    }

    /// A probe that ends without a report frees its slot, unless it has had its verdict.
    fn release(&mut self) {
        if let Some(probe) = self.probe.take().filter(|probe| !probe.decided) {
            self.circuit.counter.count_probe(ProbeOutcome::Released);
            let token = AdmissionToken { epoch: self.epoch, lease_id: Some(probe.lease_id) };
            self.circuit.submit(QueuedRequest::event(
                Event::PermitReleased { token },
                Some(probe.continuation_epoch),
            ));
        }
    }
}

impl Drop for Permit {
    #[inline]
    fn drop(&mut self) {
        if self.probe.is_some() {
            self.release();
        }
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
