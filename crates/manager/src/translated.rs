//! What becomes of a request where the model has another API format than the caller.

use std::fmt;

use dialects::Dialect;

/// What the caller is told of a translation (T3, T9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translated {
    /// The caller's API format.
    pub from: Dialect,
    /// The provider's API format.
    pub to: Dialect,
    /// Fields that were left out or changed without harm, by the caller's names.
    pub dropped: Vec<String>,
}

impl Translated {
    /// The dropped fields as one text, for a header or the log; `None`: none was dropped.
    #[must_use]
    pub fn dropped_list(&self) -> Option<String> {
        (!self.dropped.is_empty()).then(|| self.dropped.join(", "))
    }
}

/// `anthropic>openai-responses`: the caller's API format, then the provider's (T9).
impl fmt::Display for Translated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}>{}", self.from.label(), self.to.label())
    }
}
