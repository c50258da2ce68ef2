//! The servers behind one store: one, or the masters of a Cluster.

use std::sync::Arc;

use ::redis::{Cmd, FromRedisValue, RedisResult, Value as Reply};
use breaker::{ModelKey, Timestamp};
use bytes::Bytes;
use futures_util::future::{join_all, try_join_all};
use tokio::task::AbortHandle;

use super::{
    address::RedisDeployment,
    cluster::Cluster,
    connection::{CommandCounters, Connection},
    error::to_store_error,
    keys::{KEY_PREFIX, model_key, redis_key},
    node_connection::{Destination, ManagedConnection},
    script::CircuitCommand,
    sentinel::Sentinels,
    slot::slot,
    subscribers::Subscribers,
};
use crate::store::{Changes, MAX_VALUE_BYTES, StoreError};

/// The servers behind one store.
#[derive(Debug)]
pub(super) enum Servers {
    Standalone { connection: ManagedConnection, subscribers: Arc<Subscribers> },
    Cluster { cluster: Arc<Cluster>, task: AbortHandle },
}

impl Servers {
    pub(super) fn start(deployment: &RedisDeployment, counters: &Arc<CommandCounters>) -> Self {
        let standalone = |destination| {
            let subscribers: Arc<Subscribers> = Arc::default();
            let connection = ManagedConnection::start(
                destination,
                Arc::<Subscribers>::clone(&subscribers),
                Arc::clone(counters),
            );
            Self::Standalone { connection, subscribers }
        };
        match deployment {
            RedisDeployment::Standalone(server) => standalone(Destination::Server(server.clone())),
            RedisDeployment::Sentinel { sentinels, name, login } => {
                standalone(Destination::Primary(Sentinels::new(sentinels, name, login)))
            }
            RedisDeployment::Cluster { seeds } => {
                let cluster = Arc::new(Cluster::new(seeds.clone(), Arc::clone(counters)));
                let task = tokio::spawn(Arc::clone(&cluster).run()).abort_handle();
                Self::Cluster { cluster, task }
            }
        }
    }

    pub(super) fn subscribe(&self) -> Changes {
        match self {
            Self::Standalone { connection, subscribers } => {
                subscribers.subscribe(|| connection.node.is_connected())
            }
            Self::Cluster { cluster, .. } => cluster.subscribe(),
        }
    }

    /// Runs a command at the server that has the circuit.
    pub(super) async fn execute<T: FromRedisValue>(
        &self,
        key: &ModelKey,
        call: &CircuitCommand,
    ) -> Result<T, StoreError> {
        self.execute_at(&redis_key(key), call).await
    }

    /// Runs a command at the server that has this key.
    pub(super) async fn execute_at<T: FromRedisValue>(
        &self,
        name: &str,
        call: &CircuitCommand,
    ) -> Result<T, StoreError> {
        match self {
            Self::Standalone { connection, .. } => call
                .send(&mut connection.node.commands()?, false)
                .await
                .map_err(|error| to_store_error(&error)),
            Self::Cluster { cluster, .. } => cluster.execute(slot(name), call).await,
        }
    }

    /// The keys of all circuits.
    pub(super) async fn scan_keys(&self) -> Result<Vec<ModelKey>, StoreError> {
        let found = try_join_all(self.all_masters()?.into_iter().map(scan)).await;
        Ok(found.map_err(|error| to_store_error(&error))?.concat())
    }

    /// The texts under these keys; `None` for a key that is absent, of another type, or too large. Of a large value only the
    /// beginning is fetched.
    pub(super) async fn get_texts(&self, keys: &[ModelKey]) -> Result<Vec<Option<Bytes>>, StoreError> {
        let is_whole = |text: &Bytes| (1..=MAX_VALUE_BYTES).contains(&text.len());
        match self {
            Self::Standalone { connection, .. } => {
                let mut get = ::redis::pipe();
                for key in keys {
                    get.add_command(getrange_prefix(&redis_key(key)));
                }
                // A key of another type is an error of its own.
                let texts: Vec<RedisResult<Bytes>> = get
                    .ignore_errors()
                    .query_async(&mut connection.node.commands()?)
                    .await
                    .map_err(|error| to_store_error(&error))?;
                Ok(texts.into_iter().map(|text| text.ok().filter(is_whole)).collect())
            }
            Self::Cluster { cluster, .. } => {
                let texts = keys.iter().map(|key| async move {
                    let name = redis_key(key);
                    match cluster
                        .execute::<Bytes>(slot(&name), &CircuitCommand::plain(getrange_prefix(&name)))
                        .await
                    {
                        Err(StoreError::Rejected(error)) if error.contains("WRONGTYPE") => Ok(None),
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
        let mut masters = self.all_masters()?;
        let Some(master) = masters.first_mut() else {
            return Err(StoreError::Unreachable("there is no master".to_owned()));
        };
        let (seconds, micros): (u64, u64) =
            time.query_async(master).await.map_err(|error| to_store_error(&error))?;
        Ok(Timestamp::from_millis(seconds * 1_000 + micros / 1_000))
    }

    fn all_masters(&self) -> Result<Vec<Connection>, StoreError> {
        match self {
            Self::Standalone { connection, .. } => {
                connection.node.commands().map(|connection| vec![connection])
            }
            Self::Cluster { cluster, .. } => cluster.all_masters(),
        }
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        if let Self::Cluster { task, .. } = self {
            task.abort();
        }
    }
}

/// As much of a text as a circuit can have, and one byte more.
fn getrange_prefix(name: &str) -> Cmd {
    let mut get = ::redis::cmd("GETRANGE");
    get.arg(name).arg(0).arg(MAX_VALUE_BYTES);
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
