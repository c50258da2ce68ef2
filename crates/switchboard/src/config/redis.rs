//! `[redis]`: where the circuits are kept.

use std::fmt;

use circuits::{RedisAddress, RedisAddressError};

use super::{document::Section, environment::names};

/// Where the circuits are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisConfig {
    /// The store.
    pub url: RedisUrl,
    /// Whether somebody asked for it; if not, it is the default address, where there may well be no Redis.
    pub explicit: bool,
}

/// Where circuits are kept, as it is written in one line. Shown without passwords.
#[derive(Clone, PartialEq, Eq)]
pub enum RedisUrl {
    /// In this process only: `memory:`.
    Memory,
    /// In Redis.
    Redis(RedisAddress),
}

impl RedisUrl {
    const MEMORY: &str = "memory:";
    /// Where a Redis is looked for when nobody says otherwise.
    pub const DEFAULT: &str = "redis://localhost:6379";

    /// Reads a URL of Redis, Sentinels or a Cluster, or `memory:`.
    ///
    /// # Errors
    /// What was expected, without the text.
    pub fn parse(text: &str) -> Result<Self, RedisAddressError> {
        match text.trim() {
            Self::MEMORY => Ok(Self::Memory),
            text => text.parse().map(Self::Redis),
        }
    }

    /// Whether it is `memory:`.
    #[must_use]
    pub fn is_memory(&self) -> bool {
        *self == Self::Memory
    }

    /// The whole URL with its password, for connecting; never to be shown.
    #[must_use]
    pub fn expose(&self) -> &str {
        match self {
            Self::Memory => Self::MEMORY,
            Self::Redis(address) => address.expose(),
        }
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str(Self::MEMORY),
            Self::Redis(address) => address.fmt(f),
        }
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl RedisConfig {
    /// Reads the table; `REDIS_URL` wins over it.
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let mut url = None;
        section.read_into("url", &mut url, |value| match RedisUrl::parse(&value.text()?) {
            Ok(url) => Some(Some(url)),
            Err(expected) => value.report(expected),
        });
        if let Some(text) = section.context.environment.get(names::REDIS_URL) {
            match RedisUrl::parse(text) {
                Ok(parsed) => url = Some(parsed),
                Err(expected) => section.context.report_variable(names::REDIS_URL, expected.to_string()),
            }
        }
        section.report_unknown_keys();
        let explicit = url.is_some();
        let url = url.or_else(|| RedisUrl::parse(RedisUrl::DEFAULT).ok()).unwrap_or(RedisUrl::Memory);
        Self { url, explicit }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant() {
        assert!(RedisUrl::parse(" memory: ").unwrap().is_memory());
        assert!(!RedisUrl::parse(RedisUrl::DEFAULT).unwrap().is_memory(), "the default is well formed");
        assert_eq!(RedisUrl::parse("redis://u:hush@h").unwrap().to_string(), "redis://u:***@h");
        assert!(RedisUrl::parse("memory").is_err());
    }
}
