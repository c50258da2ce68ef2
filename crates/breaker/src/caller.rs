//! Who made a call: the name of a caller's key, never the key.

use std::{fmt, str::FromStr, sync::Arc};

/// The most characters of a [`CallerName`].
const MAX_LENGTH: usize = 64;

/// The name of a caller's key: 1 to 64 ASCII letters, digits, `-`, `_` and `.`. It is shown in log, history and metrics.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CallerName(Arc<str>);

/// A text that is not a [`CallerName`]. Whoever named the key has to change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected 1 to {MAX_LENGTH} ASCII letters, digits, \"-\", \"_\" or \".\"")]
pub struct CallerNameError;

impl CallerName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CallerName {
    type Err = CallerNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if (1..=MAX_LENGTH).contains(&text.len()) && text.bytes().all(is_allowed) {
            Ok(Self(text.into()))
        } else {
            Err(CallerNameError)
        }
    }
}

impl TryFrom<String> for CallerName {
    type Error = CallerNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<CallerName> for String {
    fn from(name: CallerName) -> Self {
        name.as_str().to_owned()
    }
}

impl fmt::Display for CallerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_and_safe_to_print() {
        for good in ["ci", "key-1", "Team_A.prod", &"x".repeat(64)] {
            assert_eq!(good.parse::<CallerName>().unwrap().as_str(), good);
        }
        for bad in ["", "two words", "a\u{1b}[2J", "ü", &"x".repeat(65)] {
            assert_eq!(bad.parse::<CallerName>(), Err(CallerNameError), "{bad:?}");
        }
    }
}
