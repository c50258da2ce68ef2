//! What became of each model of a chain on one call's way.

use circuits::Refusal;
use providers::ProviderError;

use crate::SkipReason;

/// One model of the chain, as far as this call is concerned.
#[derive(Default)]
pub(crate) struct Candidate {
    /// Calls to it that failed.
    pub(crate) failures: u32,
    /// Why it did not answer, as far as is known.
    pub(crate) skip_reason: Option<SkipReason>,
    state: CandidateState,
}

/// Whether it is a model's turn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum CandidateState {
    /// It was not asked yet in this round.
    #[default]
    Pending,
    /// It is being called, or about to be called again.
    InFlight,
    /// Its circuit refused; the next round asks again.
    NotPermitted,
    /// It is not called again for this call.
    Exhausted,
}

impl Candidate {
    /// Whether it may be called next.
    pub(crate) fn is_pending(&self) -> bool {
        self.state == CandidateState::Pending
    }

    /// Whether it is being called, or about to be called again.
    pub(crate) fn is_in_flight(&self) -> bool {
        self.state == CandidateState::InFlight
    }

    /// It is called now.
    pub(crate) fn start(&mut self) {
        self.state = CandidateState::InFlight;
    }

    /// Its circuit refused.
    pub(crate) fn mark_not_permitted(&mut self, refusal: Refusal) {
        self.skip_reason = Some(SkipReason::CircuitOpen(refusal));
        self.state = CandidateState::NotPermitted;
    }

    /// It is not called again for this call.
    pub(crate) fn exhaust(&mut self, reason: SkipReason) {
        self.skip_reason = Some(reason);
        self.state = CandidateState::Exhausted;
    }

    /// Another model was sooner: should that one fail after all, it is this one's turn again.
    pub(crate) fn cancel(&mut self) {
        if self.state == CandidateState::InFlight {
            self.state = CandidateState::Pending;
        }
    }

    /// A new round begins: a circuit that refused is asked again.
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

    pub(crate) fn refusal(&self) -> Option<&Refusal> {
        match &self.skip_reason {
            Some(SkipReason::CircuitOpen(refusal)) => Some(refusal),
            _ => None,
        }
    }
}
