//! The API formats by name, and the table that leads from a name to its format.

use std::fmt;

use crate::anthropic::Anthropic;
use crate::format::ApiFormat;
use crate::openai_chat::OpenAiChat;

/// An API format: the shape of requests, responses, streams and errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// OpenAI Chat Completions, which many other providers implement.
    OpenAiChat,
    /// Anthropic Messages.
    Anthropic,
}

impl Dialect {
    pub(crate) const fn format(self) -> &'static dyn ApiFormat {
        match self {
            Self::OpenAiChat => &OpenAiChat,
            Self::Anthropic => &Anthropic,
        }
    }
}

/// The name for users.
impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.format().name())
    }
}
