//! The servers behind one store: one, or the masters of a Cluster.

use std::sync::Arc;

use ::redis::{Cmd, FromRedisValue, RedisResult, Value as Reply};
use breaker::{ModelKey, Timestamp};
use bytes::Bytes;
use futures_util::future::{join_all, try_join_all};
use tokio::task::AbortHandle;

use super::{
    KEY_PREFIX, RedisDeployment,
    cluster::Cluster,
    connection::{Connection, Sent},
    feeds::Feeds,
    line::{Destination, KeptLine, model_key, read_error},
    redis_key,
    script::Call,
    sentinel::Sentinels,
    slot::slot,
};
use crate::store::{Changes, LARGEST_VALUE, StoreError};

/// The servers behind one store.
#[derive(Debug)]
pub(super) enum Servers {
    One { kept: KeptLine, feeds: Arc<Feeds> },
    Cluster { cluster: Arc<Cluster>, keeper: AbortHandle },
}

impl Servers {
    pub(super) fn start(deployment: &RedisDeployment, sent: &Arc<Sent>) -> Self {
        let one = |destination| {
            let feeds: Arc<Feeds> = Arc::default();
            let kept = KeptLine::start(destination, Arc::<Feeds>::clone(&feeds), Arc::clone(sent));
            Self::One { kept, feeds }
        };
        match deployment {
            RedisDeployment::One(server) => one(Destination::Server(server.clone())),
            RedisDeployment::Sentinel { sentinels, name, login } => {
                one(Destination::Primary(Sentinels::new(sentinels, name, login)))
            }
            RedisDeployment::Cluster { seeds } => {
                let cluster = Arc::new(Cluster::new(seeds.clone(), Arc::clone(sent)));
                let keeper = tokio::spawn(Arc::clone(&cluster).keep()).abort_handle();
                Self::Cluster { cluster, keeper }
            }
        }
    }

    pub(super) fn feed(&self) -> Changes {
        match self {
            Self::One { kept, feeds } => feeds.add(|| kept.line.is_connected()),
            Self::Cluster { cluster, .. } => cluster.feed(),
        }
    }

    /// Runs a command for one circuit where that circuit is.
    pub(super) async fn call<T: FromRedisValue>(&self, key: &ModelKey, call: &Call) -> Result<T, StoreError> {
        match self {
            Self::One { kept, .. } => {
                call.send(&mut kept.line.commands()?, false).await.map_err(|error| read_error(&error))
            }
            Self::Cluster { cluster, .. } => cluster.call(slot(&redis_key(key)), call).await,
        }
    }

    /// All circuits that there are.
    pub(super) async fn keys(&self) -> Result<Vec<ModelKey>, StoreError> {
        let found = try_join_all(self.every_master()?.into_iter().map(scan)).await;
        Ok(found.map_err(|error| read_error(&error))?.concat())
    }

    /// What stands under these keys; `None` for what is not there, is no text, or is too large, of which only the
    /// beginning is fetched.
    pub(super) async fn texts(&self, keys: &[ModelKey]) -> Result<Vec<Option<Bytes>>, StoreError> {
        let is_whole = |text: &Bytes| (1..=LARGEST_VALUE).contains(&text.len());
        match self {
            Self::One { kept, .. } => {
                let mut get = ::redis::pipe();
                for key in keys {
                    get.add_command(beginning(&redis_key(key)));
                }
                // A key of another type is an error of its own.
                let texts: Vec<RedisResult<Bytes>> = get
                    .ignore_errors()
                    .query_async(&mut kept.line.commands()?)
                    .await
                    .map_err(|error| read_error(&error))?;
                Ok(texts.into_iter().map(|text| text.ok().filter(is_whole)).collect())
            }
            Self::Cluster { cluster, .. } => {
                let texts = keys.iter().map(|key| async move {
                    let name = redis_key(key);
                    match cluster.call::<Bytes>(slot(&name), &Call::plain(beginning(&name))).await {
                        Err(StoreError::Refused(error)) if error.contains("WRONGTYPE") => Ok(None),
                        text => text.map(|text| Some(text).filter(is_whole)),
                    }
                });
                join_all(texts).await.into_iter().collect()
            }
        }
    }

    /// The time; in a Cluster, that of one of its masters.
    pub(super) async fn time(&self) -> Result<Timestamp, StoreError> {
        let time = ::redis::cmd("TIME");
        let mut masters = self.every_master()?;
        let Some(master) = masters.first_mut() else {
            return Err(StoreError::Unreachable("there is no master".to_owned()));
        };
        let (seconds, micros): (u64, u64) =
            time.query_async(master).await.map_err(|error| read_error(&error))?;
        Ok(Timestamp::from_millis(seconds * 1_000 + micros / 1_000))
    }

    fn every_master(&self) -> Result<Vec<Connection>, StoreError> {
        match self {
            Self::One { kept, .. } => kept.line.commands().map(|connection| vec![connection]),
            Self::Cluster { cluster, .. } => cluster.every_master(),
        }
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        if let Self::Cluster { keeper, .. } = self {
            keeper.abort();
        }
    }
}

/// A text as far as it can be one of a circuit, and a byte more.
fn beginning(name: &str) -> Cmd {
    let mut get = ::redis::cmd("GETRANGE");
    get.arg(name).arg(0).arg(LARGEST_VALUE);
    get
}

async fn scan(mut connection: Connection) -> RedisResult<Vec<ModelKey>> {
    let mut keys = Vec::new();
    let mut cursor = 0u64;
    loop {
        let mut scan = ::redis::cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(format!("{KEY_PREFIX}*")).arg("COUNT").arg(1_000);
        let (next, page): (u64, Vec<Reply>) = scan.query_async(&mut connection).await?;
        keys.extend(page.iter().filter_map(model_key));
        if next == 0 {
            return Ok(keys);
        }
        cursor = next;
    }
}
