//! The heartbeats of instances: a key each, and an index of them, so that nobody has to search a large Redis.

use std::time::Duration;

use ::redis::{Cmd, FromRedisValue, cmd};
use breaker::{InstanceId, Timestamp, millis};
use bytes::Bytes;
use futures_util::stream::{StreamExt as _, TryStreamExt as _, iter};

use super::{
    keys::{INSTANCES_KEY, instance_key},
    script::CircuitCommand,
    servers::Servers,
};
use crate::store::{MAX_VALUE_BYTES, StoreError};

/// A heartbeat lives this long: three times the interval at which they are sent.
const TTL: Duration = Duration::from_secs(30);

/// The index forgets an instance after this time, and ends itself this long after the last heartbeat.
const INDEX_TTL: Duration = Duration::from_secs(60);

/// The most instances that are read, those with the newest heartbeats.
const MAX_READ: usize = 1_000;

/// Concurrent reads.
const CONCURRENCY: usize = 64;

/// Writes the heartbeat of an instance, or deletes it.
pub(super) async fn set(
    servers: &Servers,
    instance: &InstanceId,
    heartbeat: Option<Bytes>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (key, id) = (instance_key(instance.as_str()), instance.as_str());
    let Some(heartbeat) = heartbeat else {
        () = run(servers, &key, cmd("DEL").arg(&key)).await?;
        return run(servers, INSTANCES_KEY, cmd("ZREM").arg(INSTANCES_KEY).arg(id)).await;
    };
    let set = cmd("SET").arg(&key).arg(&heartbeat[..]).arg("PX").arg(millis(TTL)).to_owned();
    () = run(servers, &key, &set).await?;
    let at = now.as_millis();
    () = run(servers, INSTANCES_KEY, cmd("ZADD").arg(INSTANCES_KEY).arg(at).arg(id)).await?;
    let before = at.saturating_sub(millis(INDEX_TTL));
    () = run(servers, INSTANCES_KEY, cmd("ZREMRANGEBYSCORE").arg(INSTANCES_KEY).arg("-inf").arg(before))
        .await?;
    run(servers, INSTANCES_KEY, cmd("PEXPIRE").arg(INSTANCES_KEY).arg(millis(INDEX_TTL))).await
}

/// The heartbeats of all instances of the index.
pub(super) async fn read(servers: &Servers) -> Result<Vec<(InstanceId, Bytes)>, StoreError> {
    let first = -i64::try_from(MAX_READ).unwrap_or(i64::MAX);
    let ids: Vec<String> =
        run(servers, INSTANCES_KEY, cmd("ZRANGE").arg(INSTANCES_KEY).arg(first).arg(-1)).await?;
    let reads = ids.into_iter().map(|id| async move {
        let key = instance_key(&id);
        match run::<Bytes>(servers, &key, cmd("GETRANGE").arg(&key).arg(0).arg(MAX_VALUE_BYTES)).await {
            Ok(text) => Ok((!text.is_empty()).then(|| (InstanceId::new(&id), text))),
            Err(StoreError::Rejected(error)) if error.contains("WRONGTYPE") => Ok(None),
            Err(error) => Err(error),
        }
    });
    let found: Vec<Option<_>> = iter(reads).buffered(CONCURRENCY).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

async fn run<T: FromRedisValue>(servers: &Servers, key: &str, command: &Cmd) -> Result<T, StoreError> {
    servers.execute_at(key, &CircuitCommand::plain(command.clone())).await
}
