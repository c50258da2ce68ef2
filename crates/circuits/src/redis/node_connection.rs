//! The connections to one server: one for commands, one for change notifications, and the task that keeps both alive.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ::redis::{PushInfo, PushKind, Value};
use arc_swap::ArcSwapOption;
use tokio::{
    sync::mpsc,
    task::AbortHandle,
    time::{Instant, interval_at, sleep, timeout},
};

use super::{
    connection::{CommandCounters, Connection, connection_config},
    error::to_store_error,
    keys::{HISTORY_PREFIX, KEY_PREFIX, change_of},
    node::RedisNode,
    script::Script,
    sentinel::Sentinels,
    subscribers::ChangeSink,
};
use crate::store::{ChangeNotification, StoreError};

/// How often both connections are pinged: nothing else finds a half-open one.
pub(super) const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(1);

/// The first wait between two attempts to connect; it doubles from there. The attempts never end (F4).
const MIN_RECONNECT_DELAY: Duration = Duration::from_millis(100);

/// The longest wait between two attempts. Short, since nothing is shared while a failover waits for it.
const MAX_RECONNECT_DELAY: Duration = Duration::from_millis(500);

/// Which server to connect to.
#[derive(Debug)]
pub(super) enum Destination {
    /// This server, always.
    Server(RedisNode),
    /// The server that the Sentinels name as the primary.
    Primary(Sentinels),
}

/// The connections to one server.
#[derive(Debug)]
pub(super) struct NodeConnection {
    destination: Destination,
    commands: ArcSwapOption<Connection>,
    /// The last error; `None`: there was none yet.
    last_error: Mutex<Option<StoreError>>,
    sink: Arc<dyn ChangeSink>,
    counters: Arc<CommandCounters>,
}

/// A [`NodeConnection`] with its task, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct ManagedConnection {
    pub(super) node: Arc<NodeConnection>,
    task: AbortHandle,
}

impl ManagedConnection {
    pub(super) fn start(
        destination: Destination,
        sink: Arc<dyn ChangeSink>,
        counters: Arc<CommandCounters>,
    ) -> Self {
        let node = Arc::new(NodeConnection {
            destination,
            commands: ArcSwapOption::empty(),
            last_error: Mutex::default(),
            sink,
            counters,
        });
        let task = tokio::spawn(Arc::clone(&node).run()).abort_handle();
        Self { node, task }
    }
}

impl Drop for ManagedConnection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl NodeConnection {
    /// The connection for commands. If there is none, that is an error immediately: no call waits for one (F3).
    pub(super) fn commands(&self) -> Result<Connection, StoreError> {
        match &*self.commands.load() {
            Some(connection) => Ok(Connection::clone(connection)),
            None => Err(self
                .last_error()
                .unwrap_or_else(|| StoreError::Unreachable("not connected yet".to_owned()))),
        }
    }

    pub(super) fn is_connected(&self) -> bool {
        self.commands.load().is_some()
    }

    /// It has neither connected nor failed yet.
    pub(super) fn is_pending(&self) -> bool {
        !self.is_connected() && self.last_error().is_none()
    }

    fn last_error(&self) -> Option<StoreError> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Connects, forwards changes, and reconnects, for as long as it is polled.
    async fn run(self: Arc<Self>) {
        let mut delay = MIN_RECONNECT_DELAY;
        loop {
            match self.connect().await {
                Ok(pair) => {
                    delay = MIN_RECONNECT_DELAY;
                    let error = self.forward_changes(pair).await;
                    self.mark_lost(error);
                }
                Err(error) => self.mark_lost(error),
            }
            sleep(delay.mul_f64(0.75 + 0.5 * random_unit())).await;
            delay = (delay * 2).min(MAX_RECONNECT_DELAY);
        }
    }

    async fn connect(&self) -> Result<ConnectionPair, StoreError> {
        match &self.destination {
            Destination::Server(server) => open_pair(server, &self.counters).await,
            Destination::Primary(sentinels) => {
                let mut result = Err(StoreError::Unreachable("no Sentinel names a primary".to_owned()));
                for server in sentinels.candidates().await? {
                    result = match open_pair(&server, &self.counters).await {
                        Ok(mut pair) => check_is_primary(&mut pair.commands).await.map(|()| pair),
                        Err(error) => Err(error),
                    };
                    if result.is_ok() {
                        break;
                    }
                }
                result
            }
        }
    }

    /// Forwards changes until a connection is lost; returns why.
    async fn forward_changes(&self, pair: ConnectionPair) -> StoreError {
        let ConnectionPair { server, commands, subscriber, mut pushes } = pair;
        self.commands.store(Some(Arc::new(commands.clone())));
        self.sink.on_change(ChangeNotification::Everything);
        tokio::select! {
            error = self.read_pushes(&mut pushes) => error,
            error = self.keep_alive(&server, commands, subscriber) => error,
        }
    }

    async fn read_pushes(&self, pushes: &mut mpsc::UnboundedReceiver<PushInfo>) -> StoreError {
        while let Some(push) = pushes.recv().await {
            match push.kind {
                PushKind::Invalidate => match push.data.first() {
                    Some(Value::Array(keys)) => {
                        keys.iter().filter_map(change_of).for_each(|change| self.sink.on_change(change));
                    }
                    // FLUSHALL and FLUSHDB: everything.
                    _ => self.sink.on_change(ChangeNotification::Everything),
                },
                PushKind::Disconnection => break,
                _ => {}
            }
        }
        StoreError::Unreachable("the connection was closed".to_owned())
    }

    async fn keep_alive(
        &self,
        server: &RedisNode,
        commands: Connection,
        subscriber: Connection,
    ) -> StoreError {
        let mut beat = interval_at(Instant::now() + KEEPALIVE_INTERVAL, KEEPALIVE_INTERVAL);
        loop {
            beat.tick().await;
            let (commands_live, subscriber_live, still_primary) = tokio::join!(
                ping(commands.clone()),
                ping(subscriber.clone()),
                self.check_still_primary(server, commands.clone())
            );
            if let Err(error) = commands_live.and(subscriber_live).and(still_primary) {
                return error;
            }
        }
    }

    /// A primary that was demoted, or partitioned from the majority of Sentinels, may still respond.
    async fn check_still_primary(
        &self,
        server: &RedisNode,
        mut commands: Connection,
    ) -> Result<(), StoreError> {
        let Destination::Primary(sentinels) = &self.destination else { return Ok(()) };
        match timeout(KEEPALIVE_INTERVAL, check_is_primary(&mut commands)).await {
            Ok(result) => result?,
            Err(_) => return Err(StoreError::Timeout(KEEPALIVE_INTERVAL)),
        }
        if sentinels.majority_names_other(server).await {
            return Err(StoreError::Unreachable(format!("{server} is no longer the primary")));
        }
        Ok(())
    }

    fn mark_lost(&self, error: StoreError) {
        self.commands.store(None);
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.clone());
        self.sink.on_change(ChangeNotification::Lost(error));
    }
}

/// A live pair of connections.
struct ConnectionPair {
    server: RedisNode,
    commands: Connection,
    subscriber: Connection,
    pushes: mpsc::UnboundedReceiver<PushInfo>,
}

async fn open_pair(
    server: &RedisNode,
    counters: &Arc<CommandCounters>,
) -> Result<ConnectionPair, StoreError> {
    let (sender, pushes) = mpsc::unbounded_channel();
    let client = server.client().map_err(|e| to_store_error(&e))?;
    let config = connection_config();
    let push_config = config.clone().set_push_sender(sender);
    let connect = async |config| {
        let connection = client.get_multiplexed_async_connection_with_config(config).await;
        connection.map(|to| Connection::new(to, Arc::clone(counters))).map_err(|e| to_store_error(&e))
    };
    let commands = connect(&config).await?;
    let mut subscriber = connect(&push_config).await?;
    // Subscribed first, then everything is read, so that no change is missed in between. Without NOLOOP, which can hide
    // an external write behind an own one (redis `trackingRememberKeyToBroadcast`).
    let mut subscribe = ::redis::cmd("CLIENT");
    subscribe.arg("TRACKING").arg("ON").arg("BCAST");
    subscribe.arg("PREFIX").arg(KEY_PREFIX).arg("PREFIX").arg(HISTORY_PREFIX);
    let _: () = subscribe.query_async(&mut subscriber).await.map_err(|e| to_store_error(&e))?;
    let mut loading = commands.clone();
    for script in [Script::Load, Script::CompareAndSet] {
        script.install(&mut loading).await.map_err(|e| to_store_error(&e))?;
    }
    Ok(ConnectionPair { server: server.clone(), commands, subscriber, pushes })
}

/// Sentinels may be out of date, so the server itself is asked for its role.
async fn check_is_primary(commands: &mut Connection) -> Result<(), StoreError> {
    let role: Vec<Value> =
        ::redis::cmd("ROLE").query_async(commands).await.map_err(|error| to_store_error(&error))?;
    match role.first() {
        Some(Value::BulkString(role)) if role != b"master" => {
            let role = String::from_utf8_lossy(role);
            Err(StoreError::Rejected(format!("the primary that Sentinels name is a {role}")))
        }
        _ => Ok(()),
    }
}

async fn ping(mut connection: Connection) -> Result<(), StoreError> {
    let ping = ::redis::cmd("PING");
    match timeout(KEEPALIVE_INTERVAL, ping.query_async::<()>(&mut connection)).await {
        Ok(response) => response.map_err(|error| to_store_error(&error)),
        Err(_) => Err(StoreError::Timeout(KEEPALIVE_INTERVAL)),
    }
}

fn random_unit() -> f64 {
    f64::from(uuid::Uuid::new_v4().as_fields().0) / f64::from(u32::MAX)
}
