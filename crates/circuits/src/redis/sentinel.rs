//! Sentinels: which server is the primary.
//!
//! All are queried, and the address that most of them name is tried first: a Sentinel that is partitioned from the others
//! may be out of date.

use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio::{sync::Mutex, time::timeout};

use super::{connection::connection_config, error::to_store_error, node::RedisNode};
use crate::store::StoreError;

/// A Sentinel has this long to respond.
const SENTINEL_TIMEOUT: Duration = Duration::from_secs(1);

/// The Sentinels of one primary.
#[derive(Debug)]
pub(super) struct Sentinels {
    sentinels: Vec<Sentinel>,
    name: String,
    login: RedisNode,
}

#[derive(Debug)]
struct Sentinel {
    node: RedisNode,
    /// Cached, as it is queried every second.
    connection: Mutex<Option<SentinelConnection>>,
}

struct SentinelConnection(MultiplexedConnection);

impl std::fmt::Debug for SentinelConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("connected")
    }
}

/// The address of a server.
type HostPort = (String, u16);

/// What the Sentinels say, the address with the most votes first.
struct Votes {
    addresses: Vec<(HostPort, usize)>,
    error: Option<StoreError>,
}

impl Sentinels {
    pub(super) fn new(sentinels: &[RedisNode], name: &str, login: &RedisNode) -> Self {
        let sentinels =
            sentinels.iter().map(|node| Sentinel { node: node.clone(), connection: Mutex::default() });
        Self { sentinels: sentinels.collect(), name: name.to_owned(), login: login.clone() }
    }

    /// Servers that may be the primary, the likeliest first.
    pub(super) async fn candidates(&self) -> Result<Vec<RedisNode>, StoreError> {
        let Votes { addresses, error } = self.votes().await;
        match error {
            Some(error) if addresses.is_empty() => Err(error),
            _ => Ok(addresses.iter().map(|((host, port), _)| self.login.with_address(host, *port)).collect()),
        }
    }

    /// Whether most Sentinels name another server than this.
    pub(super) async fn majority_names_other(&self, server: &RedisNode) -> bool {
        let votes = self.votes().await;
        votes.addresses.first().is_some_and(|((host, port), count)| {
            server.host_and_port() != Some((host, *port)) && 2 * count > self.sentinels.len()
        })
    }

    /// Queries all, and waits only until most of them agree: an unresponsive one delays nothing.
    async fn votes(&self) -> Votes {
        let mut votes = Votes { addresses: Vec::new(), error: None };
        let mut responses: FuturesUnordered<_> =
            self.sentinels.iter().map(|sentinel| sentinel.query_primary(&self.name)).collect();
        while let Some(response) = responses.next().await {
            match response {
                Ok(address) => match votes.addresses.iter_mut().find(|(known, _)| *known == address) {
                    Some((_, count)) => *count += 1,
                    None => votes.addresses.push((address, 1)),
                },
                Err(error) => votes.error = Some(error),
            }
            if votes.addresses.iter().any(|(_, count)| 2 * count > self.sentinels.len()) {
                break;
            }
        }
        votes.addresses.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        votes
    }
}

impl Sentinel {
    async fn query_primary(&self, name: &str) -> Result<HostPort, StoreError> {
        let mut cached = self.connection.lock().await;
        let response =
            timeout(SENTINEL_TIMEOUT, self.query_with(&mut cached, name)).await.unwrap_or_else(|_| {
                Err(StoreError::Unreachable(format!("Sentinel {} does not respond", self.node)))
            });
        if response.is_err() {
            *cached = None;
        }
        response
    }

    async fn query_with(
        &self,
        cached: &mut Option<SentinelConnection>,
        name: &str,
    ) -> Result<HostPort, StoreError> {
        let with_sentinel = |error: &::redis::RedisError| match to_store_error(error) {
            StoreError::Unreachable(error) => {
                StoreError::Unreachable(format!("Sentinel {}: {error}", self.node))
            }
            StoreError::Rejected(error) => StoreError::Rejected(format!("Sentinel {}: {error}", self.node)),
            timeout @ StoreError::Timeout(_) => timeout,
        };
        let mut connection = match cached {
            Some(SentinelConnection(connection)) => connection.clone(),
            None => {
                let client = self.node.plain_client().map_err(|e| with_sentinel(&e))?;
                client
                    .get_multiplexed_async_connection_with_config(&connection_config())
                    .await
                    .map_err(|e| with_sentinel(&e))?
            }
        };
        let mut query = ::redis::cmd("SENTINEL");
        query.arg("GET-MASTER-ADDR-BY-NAME").arg(name);
        let address: Option<HostPort> =
            query.query_async(&mut connection).await.map_err(|e| with_sentinel(&e))?;
        *cached = Some(SentinelConnection(connection));
        address.ok_or_else(|| {
            StoreError::Rejected(format!("Sentinel {} knows no primary named {name:?}", self.node))
        })
    }
}
