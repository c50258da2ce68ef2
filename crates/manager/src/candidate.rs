//! The models of a chain, during one call.

use circuits::Refusal;
use providers::ProviderError;

use crate::{SkipReason, Translated};

/// One model of the chain, for one call.
#[derive(Default)]
pub(crate) struct Candidate {
    /// Failed attempts.
    pub(crate) failures: u32,
    /// Why it gave no response so far.
    pub(crate) skip_reason: Option<SkipReason>,
    /// What became of the request that failed last.
    pub(crate) translated: Option<Box<Translated>>,
    state: CandidateState,
}

/// Whether a model may be called.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum CandidateState {
    /// It was not called yet in this round.
    #[default]
    Pending,
    /// It is called, or will be called again after a delay.
    InFlight,
    /// Its circuit gave no permit; the next round tries again.
    NotPermitted,
    /// It is not called again for this call.
    Exhausted,
}

impl Candidate {
    /// Whether it may be called next.
    pub(crate) fn is_pending(&self) -> bool {
        self.state == CandidateState::Pending
    }

    /// Whether it is called, or will be called again after a delay.
    pub(crate) fn is_in_flight(&self) -> bool {
        self.state == CandidateState::InFlight
    }

    /// It is called.
    pub(crate) fn start(&mut self) {
        self.state = CandidateState::InFlight;
    }

    /// Its circuit gave no permit.
    pub(crate) fn mark_not_permitted(&mut self, refusal: Refusal) {
        self.skip_reason = Some(SkipReason::CircuitOpen(refusal));
        self.state = CandidateState::NotPermitted;
    }

    /// It is not called again for this call.
    pub(crate) fn exhaust(&mut self, reason: SkipReason) {
        self.skip_reason = Some(reason);
        self.state = CandidateState::Exhausted;
    }

    /// Another model was faster. Should that one fail, this one may be called again.
    pub(crate) fn cancel(&mut self) {
        if self.state == CandidateState::InFlight {
            self.state = CandidateState::Pending;
        }
    }

    /// A new round starts: a circuit that gave no permit is tried again.
    pub(crate) fn reset_for_retry(&mut self) {
        if self.state != CandidateState::Exhausted {
            self.state = CandidateState::Pending;
        }
    }

    pub(crate) fn error(&self) -> Option<&ProviderError> {
        match &self.skip_reason {
            Some(SkipReason::Failed(error)) => Some(error),
            _ => None,
        }
    }

    pub(crate) fn has_simulated_failure(&self) -> bool {
        matches!(self.skip_reason, Some(SkipReason::Injected(_)))
    }

    pub(crate) fn refusal(&self) -> Option<&Refusal> {
        match &self.skip_reason {
            Some(SkipReason::CircuitOpen(refusal)) => Some(refusal),
            _ => None,
        }
    }
}
