//! Sentinels: who is the primary.
//!
//! All are asked, and the address that most of them name is tried first: one that is cut off from the others may be
//! behind the times.

use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio::{sync::Mutex, time::timeout};

use super::{
    RedisNode,
    line::{connection_config, read_error},
};
use crate::store::StoreError;

/// A Sentinel has so long to answer.
const ANSWER: Duration = Duration::from_secs(1);

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
    /// Kept, as it is asked again and again.
    connection: Mutex<Option<Connected>>,
}

struct Connected(MultiplexedConnection);

impl std::fmt::Debug for Connected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("connected")
    }
}

/// Where a server is.
type Place = (String, u16);

/// What the Sentinels say, the place with the most votes first.
struct Votes {
    places: Vec<(Place, usize)>,
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
        let Votes { places, error } = self.votes().await;
        match error {
            Some(error) if places.is_empty() => Err(error),
            _ => Ok(places.iter().map(|((host, port), _)| self.login.at(host, *port)).collect()),
        }
    }

    /// Whether most Sentinels name another server than this.
    pub(super) async fn name_another(&self, server: &RedisNode) -> bool {
        let votes = self.votes().await;
        votes.places.first().is_some_and(|((host, port), count)| {
            server.host_and_port() != Some((host, *port)) && 2 * count > self.sentinels.len()
        })
    }

    /// Asks all, and waits no longer than until most agree: one that is silent holds nobody up.
    async fn votes(&self) -> Votes {
        let mut votes = Votes { places: Vec::new(), error: None };
        let mut answers: FuturesUnordered<_> =
            self.sentinels.iter().map(|sentinel| sentinel.ask(&self.name)).collect();
        while let Some(answer) = answers.next().await {
            match answer {
                Ok(place) => match votes.places.iter_mut().find(|(known, _)| *known == place) {
                    Some((_, count)) => *count += 1,
                    None => votes.places.push((place, 1)),
                },
                Err(error) => votes.error = Some(error),
            }
            if votes.places.iter().any(|(_, count)| 2 * count > self.sentinels.len()) {
                break;
            }
        }
        votes.places.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        votes
    }
}

impl Sentinel {
    async fn ask(&self, name: &str) -> Result<Place, StoreError> {
        let mut kept = self.connection.lock().await;
        let answer = timeout(ANSWER, self.ask_by(&mut kept, name))
            .await
            .unwrap_or_else(|_| Err(StoreError::Unreachable(format!("Sentinel {} is silent", self.node))));
        if answer.is_err() {
            *kept = None;
        }
        answer
    }

    async fn ask_by(&self, kept: &mut Option<Connected>, name: &str) -> Result<Place, StoreError> {
        let told = |error: &::redis::RedisError| match read_error(error) {
            StoreError::Unreachable(error) => {
                StoreError::Unreachable(format!("Sentinel {}: {error}", self.node))
            }
            StoreError::Refused(error) => StoreError::Refused(format!("Sentinel {}: {error}", self.node)),
            silent @ StoreError::Silent(_) => silent,
        };
        let mut connection = match kept {
            Some(Connected(connection)) => connection.clone(),
            None => {
                let client = self.node.plain_client().map_err(|e| told(&e))?;
                client
                    .get_multiplexed_async_connection_with_config(&connection_config())
                    .await
                    .map_err(|e| told(&e))?
            }
        };
        let mut ask = ::redis::cmd("SENTINEL");
        ask.arg("GET-MASTER-ADDR-BY-NAME").arg(name);
        let place: Option<Place> = ask.query_async(&mut connection).await.map_err(|e| told(&e))?;
        *kept = Some(Connected(connection));
        place.ok_or_else(|| {
            StoreError::Refused(format!("Sentinel {} knows no primary named {name:?}", self.node))
        })
    }
}
