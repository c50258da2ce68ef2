//! The opaque values that prove who thought something, and how the simulator knows its own.
//!
//! They are readable, so that a test sees at once whose they are, and deterministic. They consist of base64's characters
//! and have a whole number of its groups, since Gemini's clients decode them.

use std::iter;

use crate::content::Thinking;

/// The API format that made a signature: providers accept those of another one as little as those of another account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignatureKind {
    /// `signature` of a `thinking` block.
    Anthropic,
    /// `encrypted_content` of a `reasoning` item.
    OpenAi,
    /// `thoughtSignature` of a part.
    Gemini,
}

impl SignatureKind {
    const fn name(self) -> &'static str {
        match self {
            Self::Anthropic => "anthropic",
            Self::OpenAi => "openai",
            Self::Gemini => "gemini",
        }
    }

    /// What all signatures of this kind begin with that the simulator of this name made.
    fn prefix(self, simulator: &str) -> String {
        format!("simulated/{}/{}/", self.name(), to_base64_characters(simulator))
    }

    /// The signature of a thought.
    pub(crate) fn sign(self, simulator: &str, thinking: &Thinking) -> String {
        let opaque = to_base64_characters(&thinking.opaque);
        let mut signature = format!("{}{}/{opaque}", self.prefix(simulator), hash(&thinking.text));
        let missing = signature.len().next_multiple_of(4) - signature.len();
        signature.extend(iter::repeat_n('/', missing));
        signature
    }

    /// Whether the simulator of this name made it.
    pub(crate) fn is_own(self, simulator: &str, signature: &str) -> bool {
        signature.starts_with(&self.prefix(simulator))
    }

    /// Whether the simulator of this name made it for this very text.
    pub(crate) fn is_own_of(self, simulator: &str, text: &str, signature: &str) -> bool {
        let rest = signature.strip_prefix(&self.prefix(simulator));
        rest.is_some_and(|rest| rest.starts_with(&format!("{}/", hash(text))))
    }
}

/// Gemini 3 takes no step of the present turn without its signature.
pub(crate) fn requires_signatures(model: &str) -> bool {
    model.starts_with("gemini-3")
}

fn to_base64_characters(text: &str) -> String {
    text.chars().map(|character| if character.is_ascii_alphanumeric() { character } else { '+' }).collect()
}

/// FNV-1a: the same in every build, unlike the standard library's.
fn hash(text: &str) -> String {
    let hash =
        text.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    format!("{hash:08x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [SignatureKind; 3] =
        [SignatureKind::Anthropic, SignatureKind::OpenAi, SignatureKind::Gemini];

    #[test]
    fn a_signature_is_its_makers_and_its_texts_alone() {
        let thinking = Thinking { text: "Hm.".into(), opaque: "turn 1".into() };
        for kind in KINDS {
            let signature = kind.sign("a", &thinking);
            assert!(kind.is_own("a", &signature) && kind.is_own_of("a", "Hm.", &signature), "{signature}");
            assert!(!kind.is_own_of("a", "Hm", &signature));
            assert!(!kind.is_own("b", &signature) && !kind.is_own("", &signature));
            for other in KINDS.into_iter().filter(|other| *other != kind) {
                assert!(!other.is_own("a", &signature));
            }
        }
    }

    #[test]
    fn a_signature_is_whole_base64() {
        for opaque in ["", "1", "22", "3 3", "ü"] {
            let thinking = Thinking { text: String::new(), opaque: opaque.into() };
            let signature = SignatureKind::Gemini.sign("an odd näme", &thinking);
            assert_eq!(signature.len() % 4, 0, "{signature}");
            let is_base64 = |c: char| c.is_ascii_alphanumeric() || c == '+' || c == '/';
            assert!(signature.chars().all(is_base64), "{signature}");
        }
    }
}
