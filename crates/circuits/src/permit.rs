//! Leave to make one call, and the word of how it ended.

use std::{
    fmt,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use breaker::{Event, Failure, ModelKey, Outcome, Stamp};

use crate::{
    circuit::{Circuit, Waiting},
    plan::{Onward, Request},
};

/// Leave to make one call.
///
/// Say how it ended with one of the methods. A permit that is dropped without a word counts as nothing, and frees a
/// probe's place at once (B3). None of the methods waits for the store.
pub struct Permit {
    circuit: Arc<Circuit>,
    stamp: Stamp,
    /// Of a probe: the epoch it goes on in after its first content.
    onward: Option<Onward>,
    had_verdict: bool,
    told: bool,
}

impl Permit {
    pub(crate) fn new(circuit: &Arc<Circuit>, stamp: Stamp) -> Self {
        let onward = stamp.lease.as_ref().map(|_| Arc::new(AtomicU64::new(0)));
        Self { circuit: Arc::clone(circuit), stamp, onward, had_verdict: false, told: false }
    }

    /// The circuit it is of.
    #[must_use]
    pub fn key(&self) -> &ModelKey {
        &self.circuit.key
    }

    /// Whether the call decides if the circuit closes.
    #[must_use]
    pub const fn is_probe(&self) -> bool {
        self.stamp.lease.is_some()
    }

    /// The epoch it was admitted in.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.stamp.epoch
    }

    /// A stream said its first content. A probe has its verdict with that; the permit goes on, so that a later cut
    /// counts (B4).
    pub fn first_content(&mut self) {
        if self.is_probe() && !self.had_verdict {
            self.had_verdict = true;
            self.send(Event::FirstContent { stamp: self.stamp.clone() });
        }
    }

    /// A whole, valid answer, or a stream's clean finish.
    pub fn succeeded(mut self) {
        self.told = true;
        if self.is_probe() || !self.circuit.success_goes_untold(self.stamp.epoch) {
            self.end(Outcome::Succeeded);
        }
    }

    /// The provider's fault (C1).
    pub fn failed(mut self, failure: Failure) {
        self.told = true;
        self.end(Outcome::Failed(failure));
    }

    /// The provider asks to be left alone for `wait`, or, where it does not say, for the longest rest (B9).
    pub fn rest(mut self, failure: Failure, wait: Option<Duration>) {
        self.told = true;
        self.end(Outcome::Rest { failure, wait });
    }

    /// The provider says there is no such model, and no route names it: its circuit is taken away again, so that
    /// clients' typing errors fill nothing (DESIGN 1.1).
    pub fn no_such_model(mut self) {
        self.told = true;
        self.leave();
        self.request(Waiting::of(Request::Forget));
    }

    fn end(&self, outcome: Outcome) {
        // A late success changes nothing, whatever has happened since: it need not be told.
        let late = !self.is_probe() && self.stamp.epoch != self.circuit.view.load().record.epoch;
        if late && !self.circuit.busy.load(std::sync::atomic::Ordering::Acquire) {
            return;
        }
        self.send(Event::Ended { stamp: self.stamp.clone(), outcome, at: self.circuit.now() });
    }

    fn leave(&self) {
        if self.is_probe() && !self.had_verdict {
            self.send(Event::Left { stamp: self.stamp.clone() });
        }
    }

    fn send(&self, event: Event) {
        self.request(Waiting::event(event, self.onward.clone()));
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
        if !self.told {
            self.leave();
        }
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("key", self.key()).field("stamp", &self.stamp).finish_non_exhaustive()
    }
}
