//! Where a thought signature stands.
//!
//! Gemini wants a signature back on the very part that it came with. Not every client keeps the order of reasoning and
//! calls (chat has none), so the value that travels in the envelope says the call's id, or that it was a thought's:
//! `call <id> <signature>`, `thought <signature>`. Without such a word it belongs to the part that follows. Base64
//! has no blanks, so the two cannot be confused.
//!
//! The other way round, other makers' reasoning travels through Gemini's clients in `thoughtSignature`. Some clients
//! keep the signatures but not the thoughts, and by default none are shown; so the text is in the envelope too, in a
//! line behind the value.

use crate::envelope;
use crate::form::{Opaque, OpaqueKind, Owner};

/// What Google documents for calls that it did not make, or whose signature is lost. Gemini 3 refuses a call without
/// any signature.
pub(crate) const SKIP_VALIDATOR: &str = "skip_thought_signature_validator";

/// The part that a signature belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignaturePlace<'a> {
    Call(&'a str),
    Thought,
    Next,
}

pub(crate) fn at_call(id: &str, signature: &str) -> String {
    format!("call {id} {signature}")
}

pub(crate) fn at_thought(signature: &str) -> String {
    format!("thought {signature}")
}

/// The place and the signature as Gemini gave it.
pub(crate) fn split(data: &str) -> (SignaturePlace<'_>, &str) {
    if let Some((place, signature)) = data.rsplit_once(' ') {
        if let Some(id) = place.strip_prefix("call ") {
            return (SignaturePlace::Call(id), signature);
        }
        if place == "thought" {
            return (SignaturePlace::Thought, signature);
        }
    }
    (SignaturePlace::Next, data)
}

/// An envelope for a `thoughtSignature`, which has the reasoning's text too.
pub(super) fn seal(opaque: &Opaque, text: &str, owner: &Owner) -> String {
    if opaque.kind == OpaqueKind::ThoughtSignature {
        return envelope::seal(opaque, owner);
    }
    let data = format!("{}\n{text}", opaque.data);
    envelope::seal(&Opaque { data, ..opaque.clone() }, owner)
}

/// What is in a `thoughtSignature`, and the text of the reasoning if it is in there too.
pub(super) fn open(value: &str) -> (Opaque, Option<String>) {
    let mut opaque = envelope::open(value, OpaqueKind::ThoughtSignature);
    if opaque.owner.is_none() || opaque.kind == OpaqueKind::ThoughtSignature {
        return (opaque, None);
    }
    let Some((data, text)) = opaque.data.split_once('\n') else { return (opaque, None) };
    let text = text.to_owned();
    opaque.data.truncate(data.len());
    (opaque, Some(text))
}

#[cfg(test)]
mod tests {
    use super::{SignaturePlace, at_call, at_thought, split};

    #[test]
    fn the_place_survives() {
        assert_eq!(split(&at_call("call_1 b", "Cg==")), (SignaturePlace::Call("call_1 b"), "Cg=="));
        assert_eq!(split(&at_thought("Cg==")), (SignaturePlace::Thought, "Cg=="));
        assert_eq!(split("Cg=="), (SignaturePlace::Next, "Cg=="));
    }
}
