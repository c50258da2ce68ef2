//! The API formats by name, and the table that leads from a name to its format.

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
