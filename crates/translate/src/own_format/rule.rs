//! Which reasoning stays, which returns to its maker, and which goes.

use crate::abilities::Thinking;
use crate::envelope;
use crate::form::{Opaque, OpaqueKind};
use crate::target::Target;

/// What is done with the reasoning in a body.
#[derive(Debug, Clone, Copy)]
pub(super) enum EditRule<'a> {
    Restore(&'a Target<'a>),
    Strip,
}

/// What becomes of an opaque value.
#[derive(Debug)]
pub(super) enum Fate {
    /// It is not ours.
    Stays,
    /// The target made it.
    Returns(Opaque),
    Goes,
}

impl EditRule<'_> {
    pub(super) fn decide(self, value: Option<&str>) -> Fate {
        match (self, value) {
            (Self::Strip, _) => Fate::Goes,
            (Self::Restore(target), Some(value)) if envelope::is_envelope(value) => {
                let opaque = envelope::open(value, OpaqueKind::PlainText);
                if target.owns(&opaque) { Fate::Returns(opaque) } else { Fate::Goes }
            }
            (Self::Restore(_), _) => Fate::Stays,
        }
    }

    /// Whether a Claude that thinks within a budget refuses calls without thinking before them.
    pub(super) fn needs_thinking_before_calls(self) -> bool {
        match self {
            Self::Restore(target) => target.abilities().thinking == Thinking::Budget,
            // Which model refused is not known here.
            Self::Strip => true,
        }
    }

    /// Whether a Gemini call needs a signature, if not its own.
    pub(super) fn needs_call_signature(self) -> bool {
        match self {
            Self::Restore(target) => target.abilities().thinking == Thinking::GeminiLevel,
            // Which model refused is not known here; those that need none take this one too.
            Self::Strip => true,
        }
    }
}
