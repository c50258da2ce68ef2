//! The API formats by name, and the table that leads from a name to its format.

use std::fmt;

use crate::anthropic::Anthropic;
use crate::converse::Converse;
use crate::format::ApiFormat;
use crate::gemini::Gemini;
use crate::openai_chat::OpenAiChat;
use crate::openai_responses::OpenAiResponses;

/// An API format: the shape of requests, responses, streams and errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// OpenAI Chat Completions, which many other providers implement.
    OpenAiChat,
    /// OpenAI Responses.
    OpenAiResponses,
    /// Anthropic Messages.
    Anthropic,
    /// Gemini: Google's `generateContent`.
    Gemini,
    /// Amazon Bedrock's Converse: providers have it, and no caller uses it.
    BedrockConverse,
}

impl Dialect {
    /// Those of callers, in the order of their variants. Providers have them, too.
    pub const ALL: [Self; 4] = [Self::OpenAiChat, Self::OpenAiResponses, Self::Anthropic, Self::Gemini];

    /// Those of providers: of callers, too, and Converse.
    pub const OF_PROVIDERS: [Self; 5] =
        [Self::OpenAiChat, Self::OpenAiResponses, Self::Anthropic, Self::Gemini, Self::BedrockConverse];

    /// The short name for headers, logs and metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::OpenAiChat => "openai-chat",
            Self::OpenAiResponses => "openai-responses",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::BedrockConverse => "bedrock-converse",
        }
    }

    /// The callers' format that the configuration calls `chat`, `responses`, `anthropic` or `gemini`; a label is
    /// understood too.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "chat" => Some(Self::OpenAiChat),
            "responses" => Some(Self::OpenAiResponses),
            _ => Self::ALL.into_iter().find(|dialect| dialect.label() == word),
        }
    }

    pub(crate) const fn format(self) -> &'static dyn ApiFormat {
        match self {
            Self::OpenAiChat => &OpenAiChat,
            Self::OpenAiResponses => &OpenAiResponses,
            Self::Anthropic => &Anthropic,
            Self::Gemini => &Gemini,
            Self::BedrockConverse => &Converse,
        }
    }
}

/// The name for users.
impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.format().name())
    }
}

#[cfg(test)]
mod tests {
    use super::Dialect;

    #[test]
    fn names_and_words() {
        for (dialect, name, label, word) in [
            (Dialect::OpenAiChat, "OpenAI Chat Completions", "openai-chat", "chat"),
            (Dialect::OpenAiResponses, "OpenAI Responses", "openai-responses", "responses"),
            (Dialect::Anthropic, "Anthropic Messages", "anthropic", "anthropic"),
            (Dialect::Gemini, "Gemini", "gemini", "gemini"),
        ] {
            assert_eq!((dialect.to_string().as_str(), dialect.label()), (name, label));
            assert_eq!(Dialect::from_word(word), Some(dialect));
            assert_eq!(Dialect::from_word(label), Some(dialect));
        }
        assert_eq!(Dialect::from_word("Chat"), None);
        let converse = Dialect::BedrockConverse;
        assert_eq!(
            (converse.to_string().as_str(), converse.label()),
            ("Amazon Bedrock Converse", "bedrock-converse")
        );
        assert_eq!(Dialect::from_word(converse.label()), None, "no caller uses it");
    }
}
