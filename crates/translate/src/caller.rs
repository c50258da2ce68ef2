//! The API formats that callers may use.

use dialects::Dialect;

/// An API format of callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    Chat,
    Responses,
    Messages,
    Gemini,
}

impl Caller {
    /// `None`: only providers have it.
    pub(crate) const fn of(dialect: Dialect) -> Option<Self> {
        match dialect {
            Dialect::OpenAiChat => Some(Self::Chat),
            Dialect::OpenAiResponses => Some(Self::Responses),
            Dialect::Anthropic => Some(Self::Messages),
            Dialect::Gemini => Some(Self::Gemini),
            Dialect::BedrockConverse => None,
        }
    }

    pub(crate) const fn dialect(self) -> Dialect {
        match self {
            Self::Chat => Dialect::OpenAiChat,
            Self::Responses => Dialect::OpenAiResponses,
            Self::Messages => Dialect::Anthropic,
            Self::Gemini => Dialect::Gemini,
        }
    }
}
