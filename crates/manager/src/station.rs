//! What became of each model of a chain on one call's way.

use circuits::Refusal;
use providers::Fault;

use crate::Why;

/// One model of the chain, as far as this call is concerned.
#[derive(Default)]
pub(crate) struct Station {
    /// Calls to it that failed.
    pub(crate) failures: u32,
    /// Why it did not answer, as far as is known.
    pub(crate) why: Option<Why>,
    turn: Turn,
}

/// Whether it is a model's turn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Turn {
    /// It was not asked yet in this round.
    #[default]
    ToCome,
    /// It is being called, or about to be called again.
    Now,
    /// Its circuit refused; the next round asks again.
    Refused,
    /// It is not called again for this call.
    Over,
}

impl Station {
    /// Whether it may be called next.
    pub(crate) fn waits(&self) -> bool {
        self.turn == Turn::ToCome
    }

    /// It is called now.
    pub(crate) fn begin(&mut self) {
        self.turn = Turn::Now;
    }

    /// Its circuit refused.
    pub(crate) fn refused(&mut self, refusal: Refusal) {
        self.why = Some(Why::Open(refusal));
        self.turn = Turn::Refused;
    }

    /// It is not called again for this call.
    pub(crate) fn give_up(&mut self, why: Why) {
        self.why = Some(why);
        self.turn = Turn::Over;
    }

    /// Another model was sooner: should that one fail after all, it is this one's turn again.
    pub(crate) fn stopped(&mut self) {
        if self.turn == Turn::Now {
            self.turn = Turn::ToCome;
        }
    }

    /// A new round begins: a circuit that refused is asked again.
    pub(crate) fn next_round(&mut self) {
        if self.turn != Turn::Over {
            self.turn = Turn::ToCome;
        }
    }

    pub(crate) fn fault(&self) -> Option<&Fault> {
        match &self.why {
            Some(Why::Failed(fault)) => Some(fault),
            _ => None,
        }
    }

    pub(crate) fn refusal(&self) -> Option<&Refusal> {
        match &self.why {
            Some(Why::Open(refusal)) => Some(refusal),
            _ => None,
        }
    }
}
