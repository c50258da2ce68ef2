//! `[redis]`: where the circuits are kept.

use std::fmt;

use super::{document::Section, environment::names};

/// Where the circuits are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redis {
    /// The store.
    pub url: RedisUrl,
    /// Whether somebody asked for it; if not, it is the default address, where there may well be no Redis.
    pub asked_for: bool,
}

/// The URL of a Redis, or `memory:`. Shown without its password.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl(String);

impl RedisUrl {
    /// The circuits are kept in this process only.
    pub const MEMORY: &str = "memory:";
    /// Where a Redis is looked for when nobody says otherwise.
    pub const DEFAULT: &str = "redis://localhost:6379";

    /// Takes the text when its scheme is known and something follows it.
    ///
    /// # Errors
    /// What was expected, without the text.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let schemes = ["redis", "rediss", "valkey", "valkeys", "unix", "redis+unix", "valkey+unix"];
        let text = text.trim();
        let known = text == Self::MEMORY
            || text
                .split_once("://")
                .is_some_and(|(scheme, rest)| schemes.contains(&scheme) && !rest.is_empty());
        let expected = "is no Redis URL, expected one such as \"redis://user:password@host:6379/0\", \
                        \"rediss://host:6380\" or \"memory:\"";
        if known { Ok(Self(text.to_owned())) } else { Err(expected) }
    }

    /// Whether it is `memory:`.
    #[must_use]
    pub fn is_memory(&self) -> bool {
        self.0 == Self::MEMORY
    }

    /// The whole URL with its password, for connecting; never to be shown.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((scheme, rest)) = self.0.split_once("://") else { return f.write_str(&self.0) };
        let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
        write!(f, "{scheme}://")?;
        match rest.rsplit_once('@') {
            Some((login, hosts)) => {
                let user = login.split_once(':').map_or("", |(user, _)| user);
                write!(f, "{user}:***@{hosts}")?;
            }
            None => f.write_str(rest)?,
        }
        for (index, pair) in query.into_iter().flat_map(|query| query.split('&')).enumerate() {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = if name.to_ascii_lowercase().contains("pass") { "***" } else { value };
            write!(f, "{}{name}={value}", if index == 0 { '?' } else { '&' })?;
        }
        Ok(())
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Redis {
    /// Reads the table; `REDIS_URL` wins over it.
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let mut url = None;
        section.set("url", &mut url, |value| match RedisUrl::parse(&value.text()?) {
            Ok(url) => Some(Some(url)),
            Err(expected) => value.problem(expected),
        });
        if let Some(text) = section.reading.environment.get(names::REDIS_URL) {
            match RedisUrl::parse(text) {
                Ok(parsed) => url = Some(parsed),
                Err(expected) => section.reading.variable_problem(names::REDIS_URL, expected),
            }
        }
        section.finish();
        let asked_for = url.is_some();
        Self { url: url.unwrap_or_else(|| RedisUrl(RedisUrl::DEFAULT.to_owned())), asked_for }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_hidden() {
        for (url, shown) in [
            ("redis://localhost:6379", "redis://localhost:6379"),
            ("rediss://ann:hush@host:6380/2", "rediss://ann:***@host:6380/2"),
            ("redis://:hu@sh/x@host", "redis://:***@host"),
            ("redis://hush@host", "redis://:***@host"),
            ("unix:///run/redis.sock?db=1&pass=hush", "unix:///run/redis.sock?db=1&pass=***"),
            ("memory:", "memory:"),
        ] {
            let url = RedisUrl::parse(url).unwrap();
            assert_eq!(url.to_string(), shown);
            assert_eq!(format!("{url:?}"), shown);
            assert!(RedisUrl::parse(shown).is_ok());
        }
    }

    #[test]
    fn other_schemes_are_refused() {
        for url in ["", "localhost:6379", "http://localhost", "redis://", "memory"] {
            assert!(RedisUrl::parse(url).is_err(), "{url}");
        }
    }
}
