//! Leave to make one call, and the word of how it ended.

use std::{
    fmt,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use breaker::{Event, Failure, ModelKey, Outcome, Stamp};

use crate::{
    circuit::{Circuit, Waiting},
    counts::ProbeEnd,
    plan::{Onward, Request},
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
    lease: String,
    /// The epoch it goes on in after its first content.
    onward: Onward,
    had_verdict: bool,
}

impl Permit {
    pub(crate) fn new(circuit: &Arc<Circuit>, epoch: u64) -> Self {
        Self { circuit: Arc::clone(circuit), epoch, probe: None }
    }

    pub(crate) fn to_probe(circuit: &Arc<Circuit>, epoch: u64, lease: String) -> Self {
        let probe = Probe { lease, onward: Arc::new(AtomicU64::new(0)), had_verdict: false };
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
        if let Some(probe) = self.probe.as_mut().filter(|probe| !probe.had_verdict) {
            probe.had_verdict = true;
            self.circuit.counter.probed(ProbeEnd::Succeeded);
            let stamp = Stamp { epoch: self.epoch, lease: Some(probe.lease.clone()) };
            let onward = Arc::clone(&probe.onward);
            self.request(Waiting::event(Event::FirstContent { stamp }, Some(onward)));
        }
    }

    /// A whole, valid answer, or a stream's clean finish.
    pub fn succeeded(self) {
        if self.is_probe() || !self.circuit.success_goes_untold(self.epoch) {
            self.end(Outcome::Succeeded);
        }
    }

    /// The provider's fault (C1).
    pub fn failed(self, failure: Failure) {
        self.end(Outcome::Failed(failure));
    }

    /// The provider asks to be left alone for `wait`, or, where it does not say, for the longest rest (B9).
    pub fn rest(self, failure: Failure, wait: Option<Duration>) {
        self.end(Outcome::Rest { failure, wait });
    }

    /// The provider says there is no such model, and no route names it: its circuit is taken away again, so that
    /// clients' typing errors fill nothing (DESIGN 1.1).
    pub fn no_such_model(mut self) {
        self.leave();
        self.request(Waiting::of(Request::Forget));
    }

    fn end(mut self, outcome: Outcome) {
        // A late success changes nothing, whatever has happened since: it need not be told.
        let late = !self.is_probe() && self.epoch != self.circuit.view.load().record.epoch;
        if late && !self.circuit.busy.load(std::sync::atomic::Ordering::Acquire) {
            return;
        }
        if self.probe.as_ref().is_some_and(|probe| !probe.had_verdict) {
            let succeeded = matches!(outcome, Outcome::Succeeded);
            self.circuit.counter.probed(if succeeded { ProbeEnd::Succeeded } else { ProbeEnd::Failed });
        }
        let (lease, onward) = self.probe.take().map(|probe| (probe.lease, probe.onward)).unzip();
        let stamp = Stamp { epoch: self.epoch, lease };
        self.request(Waiting::event(Event::Ended { stamp, outcome, at: self.circuit.now() }, onward));
    }

    /// A probe that ends without a word frees its place, unless it has had its verdict.
    fn leave(&mut self) {
        if let Some(probe) = self.probe.take().filter(|probe| !probe.had_verdict) {
            self.circuit.counter.probed(ProbeEnd::Left);
            let stamp = Stamp { epoch: self.epoch, lease: Some(probe.lease) };
            self.request(Waiting::event(Event::Left { stamp }, Some(probe.onward)));
        }
    }

    /// Of an instance that has ended nobody is left to be told.
    fn request(&self, waiting: Waiting) {
        if let Some(shared) = self.circuit.shared.upgrade() {
            shared.request(&self.circuit, waiting);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.leave();
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
