//! `REDIS_URL`: where Redis is, told without its password.

use std::{fmt, str::FromStr};

use ::redis::{ConnectionInfo, IntoConnectionInfo as _, ProtocolVersion, io::tcp::TcpSettings};

/// A well-formed `REDIS_URL`. Shown without its password.
#[derive(Clone)]
pub struct RedisAddress {
    info: ConnectionInfo,
    shown: String,
}

/// Why a text is no address of a Redis. Never holds the password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedisAddressError {
    /// The scheme is not one of Redis's.
    #[error(
        "a Redis address begins with redis:// or rediss://, for instance redis://localhost:6379; this one begins with {0:?}"
    )]
    Scheme(String),
    /// Several hosts, or the scheme of Sentinel or Cluster.
    #[error("Redis Sentinel and Cluster (several hosts) cannot be used yet; give the address of one Redis")]
    SeveralHosts,
    /// Something else is wrong with it.
    #[error("not a Redis address: {0}; expected redis://[user:password@]host[:port][/database]")]
    Malformed(String),
}

impl RedisAddress {
    /// How to connect: RESP3, because changes come as its pushes, and without Nagle's delay.
    pub(crate) fn connection_info(&self) -> ConnectionInfo {
        let settings = self.info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let info = self.info.clone().set_redis_settings(settings);
        info.set_tcp_settings(TcpSettings::default().set_nodelay(true))
    }

    /// The host and port, for looking at each by itself.
    #[must_use]
    pub fn host_and_port(&self) -> Option<(&str, u16)> {
        match self.info.addr() {
            ::redis::ConnectionAddr::Tcp(host, port) | ::redis::ConnectionAddr::TcpTls { host, port, .. } => {
                Some((host, *port))
            }
            _ => None,
        }
    }

    /// Whether it asks for TLS.
    #[must_use]
    pub fn uses_tls(&self) -> bool {
        matches!(self.info.addr(), ::redis::ConnectionAddr::TcpTls { .. })
    }

    /// Opens a client for it, for looking at the server itself.
    ///
    /// # Errors
    /// The address cannot be used.
    pub fn client(&self) -> Result<::redis::Client, ::redis::RedisError> {
        ::redis::Client::open(self.connection_info())
    }
}

impl FromStr for RedisAddress {
    type Err = RedisAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(RedisAddressError::Scheme(text.chars().take_while(|c| *c != ':').take(20).collect()));
        };
        if scheme.contains("sentinel") || scheme.contains("cluster") || rest.contains(',') {
            return Err(RedisAddressError::SeveralHosts);
        }
        if !matches!(
            scheme,
            "redis" | "rediss" | "valkey" | "valkeys" | "redis+unix" | "unix" | "valkey+unix"
        ) {
            return Err(RedisAddressError::Scheme(scheme.to_owned()));
        }
        let info = text.into_connection_info().map_err(|error| {
            // The detail quotes nothing of the address, but the general words are all that is needed.
            RedisAddressError::Malformed(error.category().to_owned())
        })?;
        Ok(Self { info, shown: without_password(text) })
    }
}

/// The address with the password replaced, as it may be shown.
fn without_password(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return "***".to_owned() };
    let rest = rest.split('?').next().unwrap_or(rest);
    match rest.rsplit_once('@') {
        Some((login, place)) => {
            let user = login.split(':').next().unwrap_or("");
            format!("{scheme}://{user}:***@{place}")
        }
        None => format!("{scheme}://{rest}"),
    }
}

impl fmt::Display for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_shows_the_password() {
        let address: RedisAddress = "rediss://app:s3cret@redis.example:6380/2".parse().unwrap();
        assert_eq!(address.to_string(), "rediss://app:***@redis.example:6380/2");
        assert!(!format!("{address:?}").contains("s3cret"));
        assert!(address.uses_tls());
        assert_eq!(address.host_and_port(), Some(("redis.example", 6380)));
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, expected) in [
            ("localhost:6379", "begins with redis://"),
            ("http://localhost:6379", "begins with redis://"),
            ("redis://a:1,b:2", "Sentinel and Cluster"),
            ("redis+cluster://a:1", "Sentinel and Cluster"),
            ("redis://localhost:port", "not a Redis address"),
            ("redis://:s3cret@localhost/seven", "not a Redis address"),
        ] {
            let error = text.parse::<RedisAddress>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
            assert!(!error.contains("s3cret"), "{text}: {error}");
        }
    }
}
