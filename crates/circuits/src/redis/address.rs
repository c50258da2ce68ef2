//! `REDIS_URL`: one Redis, Sentinels, or the nodes of a Cluster. Shown without passwords.

use std::{collections::HashMap, fmt, str::FromStr, sync::Arc};

use super::node::RedisNode;

const SENTINEL_FORM: &str =
    "redis-sentinel://[user:password@]host[:26379],host,host/primary's name[/database]";
const CLUSTER_FORM: &str = "redis-cluster://[user:password@]host[:6379],host,host";

/// A well-formed `REDIS_URL`. Shown without its passwords.
#[derive(Clone)]
pub struct RedisAddress {
    text: String,
    deployment: Arc<RedisDeployment>,
}

/// How Redis is deployed.
#[derive(Debug, Clone)]
pub enum RedisDeployment {
    /// One server.
    Standalone(RedisNode),
    /// A primary that Sentinels monitor.
    Sentinel {
        /// The Sentinels, with their own login.
        sentinels: Vec<RedisNode>,
        /// The primary's name there.
        name: String,
        /// How to log in to the primary; the Sentinels say where it is.
        login: RedisNode,
    },
    /// A Redis Cluster.
    Cluster {
        /// The nodes to query first.
        seeds: Vec<RedisNode>,
    },
}

/// Why a text is not a Redis URL. Quotes nothing that may be a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedisAddressError {
    /// The scheme is not one of Redis'.
    #[error(
        "invalid Redis URL; expected one such as redis://user:password@host:6379/0, rediss://host:6380, {SENTINEL_FORM} or {CLUSTER_FORM}"
    )]
    Scheme,
    /// An invalid URL of one Redis.
    #[error("invalid Redis URL ({0}); expected redis://[user:password@]host[:port][/database]")]
    Standalone(String),
    /// An invalid URL of Sentinels.
    #[error("invalid Sentinel URL ({0}); expected {SENTINEL_FORM}")]
    Sentinel(String),
    /// An invalid URL of a Cluster.
    #[error("invalid Redis Cluster URL ({0}); expected {CLUSTER_FORM}")]
    Cluster(String),
}

impl RedisAddress {
    /// How Redis is deployed.
    #[must_use]
    pub fn deployment(&self) -> &RedisDeployment {
        &self.deployment
    }

    /// The whole URL with its passwords, for connecting; never show it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }
}

impl PartialEq for RedisAddress {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for RedisAddress {}

impl FromStr for RedisAddress {
    type Err = RedisAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let Some((scheme, rest)) = text.split_once("://") else { return Err(RedisAddressError::Scheme) };
        if rest.is_empty() {
            return Err(RedisAddressError::Scheme);
        }
        let scheme = scheme.to_ascii_lowercase();
        let (base, kind) = scheme.split_once(['-', '+']).unwrap_or((&scheme, ""));
        let is_redis = matches!(base, "redis" | "rediss" | "valkey" | "valkeys");
        let deployment = match kind {
            "sentinel" if is_redis => MultiHostUrl::parse(base, rest)?.into_sentinel()?,
            "cluster" if is_redis => MultiHostUrl::parse(base, rest)?.into_cluster()?,
            // Several hosts without a kind: the nodes of a Cluster.
            "" if is_redis && authority(rest).0.contains(',') => {
                MultiHostUrl::parse(base, rest)?.into_cluster()?
            }
            "" | "unix" if is_redis || base == "unix" => RedisDeployment::Standalone(
                // The detail may quote the address; the category does not.
                RedisNode::parse(text).map_err(|e| RedisAddressError::Standalone(e.category().to_owned()))?,
            ),
            _ => return Err(RedisAddressError::Scheme),
        };
        Ok(Self { text: text.to_owned(), deployment: Arc::new(deployment) })
    }
}

/// Splits off path, query and fragment.
fn authority(rest: &str) -> (&str, &str) {
    rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()))
}

/// The parts of a URL with several hosts, which no library parses.
struct MultiHostUrl<'a> {
    /// `redis` or `rediss`, and so on.
    scheme: &'a str,
    login: &'a str,
    hosts: Vec<&'a str>,
    path: Vec<&'a str>,
    query: HashMap<String, String>,
    fragment: &'a str,
}

impl<'a> MultiHostUrl<'a> {
    fn parse(scheme: &'a str, rest: &'a str) -> Result<Self, RedisAddressError> {
        let (authority, tail) = authority(rest);
        if tail.contains('@') && !authority.contains('@') {
            let found = "a / ? or # in the password must be percent-encoded";
            return Err(RedisAddressError::Standalone(found.to_owned()));
        }
        let (login, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (tail, fragment) = tail.split_once('#').unwrap_or((tail, ""));
        let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
        Ok(Self {
            scheme,
            login,
            hosts: hosts.split(',').map(str::trim).collect(),
            path: path.split('/').filter(|part| !part.is_empty()).collect(),
            query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            fragment,
        })
    }

    fn into_sentinel(mut self) -> Result<RedisDeployment, RedisAddressError> {
        let wrong = |what: &str| RedisAddressError::Sentinel(what.to_owned());
        let user = self.query.remove("sentinel_username");
        let password = self.query.remove("sentinel_password");
        // Lettuce names the primary in the fragment or as sentinelMasterId, Python's clients in the path.
        let mut name = Some(self.fragment.to_owned()).filter(|name| !name.is_empty() && name != "insecure");
        for parameter in ["sentinelMasterId", "service_name", "master_name"] {
            name = self.query.remove(parameter).or(name);
        }
        let mut database = self.query.remove("db").or_else(|| self.query.remove("database"));
        self.reject_unknown_parameters(&wrong)?;
        match (self.path.as_slice(), &name) {
            ([], _) => {}
            ([only], Some(_)) => database = Some((*only).to_owned()),
            ([only], None) if only.parse::<u32>().is_err() => name = Some((*only).to_owned()),
            ([first, second], _) => {
                name = Some((*first).to_owned());
                database = Some((*second).to_owned());
            }
            _ => return Err(wrong("it does not name the primary")),
        }
        let name = name.ok_or_else(|| wrong("it does not name the primary"))?;
        let database: u32 = database
            .map_or(Ok(0), |database| database.parse())
            .map_err(|_| wrong("the database is no number"))?;
        let login = self.node(self.login, "primary", 6379, &wrong)?.with_database(database);
        let sentinels = (1..)
            .zip(&self.hosts)
            .map(|(number, host)| {
                self.node("", host, 26379, &|what| wrong(&format!("host {number}: {what}")))
                    .map(|node| node.with_login(user.as_deref(), password.as_deref()))
            })
            .collect::<Result<_, _>>()?;
        Ok(RedisDeployment::Sentinel { sentinels, name, login })
    }

    fn into_cluster(mut self) -> Result<RedisDeployment, RedisAddressError> {
        let wrong = |what: &str| RedisAddressError::Cluster(what.to_owned());
        let database = self.query.remove("db").or_else(|| self.query.remove("database"));
        self.reject_unknown_parameters(&wrong)?;
        let path = self.path.iter().copied().map(str::to_owned);
        if path.chain(database).any(|database| database != "0") {
            return Err(wrong("circuits in a Cluster are in database 0"));
        }
        let seeds = (1..)
            .zip(&self.hosts)
            .map(|(number, host)| {
                self.node(self.login, host, 6379, &|what| wrong(&format!("host {number}: {what}")))
            })
            .collect::<Result<_, _>>()?;
        Ok(RedisDeployment::Cluster { seeds })
    }

    fn reject_unknown_parameters(
        &self,
        wrong: &impl Fn(&str) -> RedisAddressError,
    ) -> Result<(), RedisAddressError> {
        match self.query.keys().next() {
            // The name alone; its value may be a secret.
            Some(name) => Err(wrong(&format!("unknown parameter {name:?}"))),
            None => Ok(()),
        }
    }

    /// One host with a login. The library parses it as a URL of its own, which validates both.
    fn node(
        &self,
        login: &str,
        host: &str,
        default_port: u16,
        wrong: &impl Fn(&str) -> RedisAddressError,
    ) -> Result<RedisNode, RedisAddressError> {
        let at = if login.is_empty() { "" } else { "@" };
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
        let port = if has_port { String::new() } else { format!(":{default_port}") };
        let insecure = if self.fragment == "insecure" { "#insecure" } else { "" };
        RedisNode::parse(&format!("{}://{login}{at}{host}{port}/{insecure}", self.scheme))
            .map_err(|_| wrong("neither host nor host:port, or the login is not percent-encoded"))
    }
}

impl fmt::Display for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((scheme, rest)) = self.text.split_once("://") else { return Ok(()) };
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

impl fmt::Debug for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> RedisDeployment {
        text.parse::<RedisAddress>().unwrap_or_else(|error| panic!("{text}: {error}")).deployment().clone()
    }

    #[test]
    fn passwords_are_hidden() {
        for (url, shown) in [
            ("redis://localhost:6379", "redis://localhost:6379"),
            ("rediss://ann:hush@host:6380/2", "rediss://ann:***@host:6380/2"),
            ("redis://hush@host", "redis://:***@host"),
            ("unix:///run/redis.sock?db=1&pass=hush", "unix:///run/redis.sock?db=1&pass=***"),
            (
                "redis-sentinel://ann:hush@a:1,b:2/main/3?sentinel_password=hush",
                "redis-sentinel://ann:***@a:1,b:2/main/3?sentinel_password=***",
            ),
            ("redis-cluster://:hu@sh@a,b", "redis-cluster://:***@a,b"),
        ] {
            let address: RedisAddress = url.parse().unwrap();
            assert_eq!(address.to_string(), shown);
            assert!(!format!("{address:?} {:?}", address.deployment()).contains("hush"));
            assert!(shown.parse::<RedisAddress>().is_ok());
        }
    }

    #[test]
    fn one_redis() {
        for url in ["redis://h:1/2", "rediss://h", "valkey://h", "valkeys://h", "redis+unix:///s"] {
            assert!(matches!(parse(url), RedisDeployment::Standalone(_)), "{url}");
        }
        let RedisDeployment::Standalone(node) = parse("rediss://app:s3cret@redis.example:6380/2") else {
            panic!()
        };
        assert!(node.uses_tls());
        assert_eq!(node.host_and_port(), Some(("redis.example", 6380)));
    }

    /// As Lettuce, Python's, Java's and Go's clients write them.
    #[test]
    fn sentinels() {
        for url in [
            "redis-sentinel://u:p%40@a:1,b/main/3",
            "redis+sentinel://u:p%40@a:1,b/main/3",
            "valkey-sentinel://u:p%40@a:1,b:26379/main/3",
            "redis-sentinel://u:p%40@a:1,b/3#main",
            "redis-sentinel://u:p%40@a:1,b/3?sentinelMasterId=main",
            "redis+sentinel://u:p%40@a:1,b?service_name=main&db=3",
        ] {
            let RedisDeployment::Sentinel { sentinels, name, login } = parse(url) else { panic!("{url}") };
            let hosts: Vec<_> = sentinels.iter().filter_map(RedisNode::host_and_port).collect();
            assert_eq!((hosts, name.as_str()), (vec![("a", 1), ("b", 26379)], "main"), "{url}");
            assert_eq!((login.database(), login.uses_tls()), (3, false), "{url}");
        }
        let RedisDeployment::Sentinel { sentinels, login, .. } = parse("rediss-sentinel://[::1]:5,[::2]/m")
        else {
            panic!()
        };
        assert_eq!(sentinels[0].host_and_port(), Some(("::1", 5)));
        assert_eq!(sentinels[1].host_and_port(), Some(("::2", 26379)));
        assert!(sentinels[0].uses_tls() && login.uses_tls());
    }

    #[test]
    fn clusters() {
        for url in ["redis-cluster://a:7000,b", "redis+cluster://a:7000,b/0", "redis://u:p@a:7000,b"] {
            let RedisDeployment::Cluster { seeds } = parse(url) else { panic!("{url}") };
            let hosts: Vec<_> = seeds.iter().filter_map(RedisNode::host_and_port).collect();
            assert_eq!(hosts, [("a", 7000), ("b", 6379)], "{url}");
        }
        let RedisDeployment::Cluster { seeds } = parse("rediss-cluster://one.example:7000") else { panic!() };
        assert!(seeds[0].uses_tls());
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, expected) in [
            ("", "expected one such as redis://"),
            ("s3cret", "expected one such as redis://"),
            ("localhost:6379", "expected one such as redis://"),
            ("http://localhost:6379", "expected one such as redis://"),
            ("redis://", "expected one such as redis://"),
            ("redis-other://a", "expected one such as redis://"),
            ("redis://localhost:port", "expected redis://["),
            ("redis://:s3cret@localhost/seven", "expected redis://["),
            ("redis-sentinel://:s3cret@a,b", "does not name the primary"),
            ("redis-sentinel://:s3cret@a,b/0", "does not name the primary"),
            ("redis-sentinel://:s3cret@a,b/main/x", "the database is no number"),
            ("redis-sentinel://:s3cret@a,b:x/main", "host 2: neither host nor host:port"),
            ("redis-sentinel://:s3cret@a,,b/main", "host 2: neither host nor host:port"),
            ("redis-sentinel://:a/s3cret@a,b/main", "must be percent-encoded"),
            ("redis-sentinel://a,b/main?secret=s3cret", "unknown parameter \"secret\""),
            ("redis-cluster://:s3cret@a:1,b:x", "host 2: neither host nor host:port"),
            ("redis://:s3cret@a,b/1", "database 0"),
        ] {
            let error = text.parse::<RedisAddress>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
            assert!(!error.contains("s3cret"), "{text}: {error}");
        }
    }
}
