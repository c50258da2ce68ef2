//! The name of a circuit: `provider:model`.

use std::{fmt, str::FromStr, sync::Arc};

/// The key of one circuit, `provider:model`, as in `anthropic:claude-sonnet-4-5-20250929`.
///
/// One to 256 printable characters without blanks or braces (braces would make a hash tag of the Redis key). Everything
/// after the first colon is the model's name, which may contain colons.
/// Cloning is cheap.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModelKey(Arc<str>);

/// Why a text is not a model key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelKeyError {
    /// The text is longer than [`ModelKey::MAX_CHARS`] characters.
    #[error("a model key has at most 256 characters, this one has {0}")]
    TooLong(usize),
    /// There is no `provider:` before the model, or one of the two is empty.
    #[error("a model key is written provider:model, for instance openai:gpt-5; got {0:?}")]
    NoProvider(String),
    /// It contains a blank, a brace or an unprintable character.
    #[error("a model key has no blanks, braces or unprintable characters; {key:?} has {found:?}")]
    BadCharacter {
        /// The rejected text.
        key: String,
        /// The first character that a key must not contain.
        found: char,
    },
}

impl ModelKey {
    /// The longest key, in characters.
    pub const MAX_CHARS: usize = 256;

    /// Joins a provider's and a model's name.
    ///
    /// # Errors
    /// The same as for parsing the joined text.
    pub fn new(provider: &str, model: &str) -> Result<Self, ModelKeyError> {
        format!("{provider}:{model}").parse()
    }

    /// The whole key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the first colon.
    #[must_use]
    pub fn provider(&self) -> &str {
        self.0.get(..self.colon()).unwrap_or_default()
    }

    /// The part after the first colon.
    #[must_use]
    pub fn model(&self) -> &str {
        self.0.get(self.colon() + 1..).unwrap_or_default()
    }

    /// Where the first colon is. By bytes: a provider's name is short, and to set up the search of a text costs more.
    fn colon(&self) -> usize {
        self.0.bytes().position(|byte| byte == b':').unwrap_or_default()
    }
}

impl FromStr for ModelKey {
    type Err = ModelKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let chars = text.chars().count();
        if chars > Self::MAX_CHARS {
            return Err(ModelKeyError::TooLong(chars));
        }
        let forbidden = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '{' | '}' | '\u{feff}');
        if let Some(found) = text.chars().find(|c| forbidden(*c)) {
            return Err(ModelKeyError::BadCharacter { key: text.to_owned(), found });
        }
        match text.split_once(':') {
            Some((provider, model)) if !provider.is_empty() && !model.is_empty() => Ok(Self(text.into())),
            _ => Err(ModelKeyError::NoProvider(text.to_owned())),
        }
    }
}

impl fmt::Display for ModelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ModelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_at_the_first_colon() {
        let key: ModelKey = "bedrock:anthropic.claude-haiku-4-5-20251001-v1:0".parse().unwrap();
        assert_eq!(key.provider(), "bedrock");
        assert_eq!(key.model(), "anthropic.claude-haiku-4-5-20251001-v1:0");
    }

    #[test]
    fn rejects_what_would_harm_redis_or_a_reader() {
        for bad in [
            "",
            "gpt-5",
            ":gpt-5",
            "openai:",
            "openai:gpt 5",
            "openai:{gpt}",
            "openai:gpt\n5",
            "openai:\u{7f}",
        ] {
            assert!(bad.parse::<ModelKey>().is_err(), "{bad:?}");
        }
        assert!(format!("openai:{}", "x".repeat(249)).parse::<ModelKey>().is_ok());
        assert!(format!("openai:{}", "x".repeat(250)).parse::<ModelKey>().is_err());
    }
}
