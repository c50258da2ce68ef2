//! What an answer says of itself.

use serde_json::value::RawValue;

/// The longest name that is taken, in bytes: whatever is longer is none.
const LONGEST: usize = 256;

/// The id of an answer and the model that gave it, as the provider calls them; `None`: not told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// For instance `chatcmpl-…`, `msg_…`.
    pub id: Option<Box<str>>,
    /// Often more exact than the name that was asked for: `gpt-5-2025-08-07`.
    pub model: Option<Box<str>>,
}

impl Origin {
    /// Takes what is not known yet. Every event of a stream may tell it, so it is looked at once.
    pub(crate) fn learn(&mut self, id: Option<&RawValue>, model: Option<&RawValue>) {
        for (known, told) in [(&mut self.id, id), (&mut self.model, model)] {
            if known.is_none() {
                *known = told.and_then(name);
            }
        }
    }
}

/// What is no name is not worth failing a good answer for.
fn name(told: &RawValue) -> Option<Box<str>> {
    let name: Box<str> = serde_json::from_str(told.get()).ok()?;
    (1..=LONGEST).contains(&name.len()).then_some(name)
}
