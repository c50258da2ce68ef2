//! `[redis]`: where the circuits are stored.

use std::fmt;

use circuits::{RedisAddress, RedisAddressError};

use super::{document::Section, environment::names};

/// Where the circuits are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisConfig {
    /// The store.
    pub url: RedisUrl,
    /// Whether it is configured; if not, it is the default address, which may have no Redis.
    pub explicit: bool,
}

/// The address of the store. Displayed without passwords.
#[derive(Clone, PartialEq, Eq)]
pub enum RedisUrl {
    /// In this process only: `memory:`.
    Memory,
    /// In Redis.
    Redis(RedisAddress),
}

impl RedisUrl {
    const MEMORY: &str = "memory:";
    /// The default address.
    pub const DEFAULT: &str = "redis://localhost:6379";

    /// Parses a URL of Redis, Sentinels or a Cluster, or `memory:`.
    ///
    /// # Errors
    /// The expected form, without the text, which may contain a password.
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

    /// The whole URL with its password, for connecting; never display it.
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
            Err(error) => value.report(format_args!("is an {error}")),
        });
        if let Some(text) = section.context.environment.get(names::REDIS_URL) {
            match RedisUrl::parse(text) {
                Ok(parsed) => url = Some(parsed),
                Err(error) => section.context.report_variable(names::REDIS_URL, error.to_string()),
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
    fn urls_are_parsed() {
        assert!(RedisUrl::parse(" memory: ").unwrap().is_memory());
        assert!(!RedisUrl::parse(RedisUrl::DEFAULT).unwrap().is_memory(), "the default is well formed");
        assert_eq!(RedisUrl::parse("redis://u:hush@h").unwrap().to_string(), "redis://u:***@h");
        assert!(RedisUrl::parse("memory").is_err());
    }
}
