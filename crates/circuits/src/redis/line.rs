//! The connections to one Redis: one for commands, one that hears of changes, and the task that keeps both alive.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ::redis::{
    AsyncConnectionConfig, Client, PushInfo, PushKind, RedisError, Value, aio::MultiplexedConnection,
};
use arc_swap::ArcSwapOption;
use breaker::ModelKey;
use tokio::{
    sync::mpsc,
    time::{Instant, interval_at, sleep, timeout},
};

use super::{KEY_PREFIX, Script};
use crate::store::{Change, Changes, StoreError};

/// Making a connection may take so long, and so may its first commands.
const CONNECT: Duration = Duration::from_secs(2);

/// Both connections are asked for a sign of life so often: a half-open one is found by nothing else.
const KEEP_ALIVE: Duration = Duration::from_secs(1);

/// The first and the longest wait between two tries to connect. It never stops trying (F4).
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// The line to one Redis.
#[derive(Debug)]
pub(super) struct Line {
    client: Client,
    commands: ArcSwapOption<MultiplexedConnection>,
    last_error: Mutex<StoreError>,
    feeds: Mutex<Vec<Changes>>,
}

impl Line {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            commands: ArcSwapOption::empty(),
            last_error: Mutex::new(StoreError::Unreachable("not connected yet".to_owned())),
            feeds: Mutex::default(),
        }
    }

    /// The connection for commands. While there is none nobody waits for it (F3).
    pub(super) fn commands(&self) -> Result<MultiplexedConnection, StoreError> {
        match &*self.commands.load() {
            Some(connection) => Ok(MultiplexedConnection::clone(connection)),
            None => Err(self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()),
        }
    }

    /// A feed of changes; it begins with word of everything, or of what is wrong.
    pub(super) fn feed(&self) -> Changes {
        let feed = Changes::default();
        if self.commands.load().is_some() {
            feed.tell(Change::Everything);
        }
        self.feeds.lock().unwrap_or_else(PoisonError::into_inner).push(feed.clone());
        feed
    }

    /// Connects, follows, and connects again, for as long as it is polled.
    pub(super) async fn keep(self: Arc<Self>) {
        let mut pause = BACKOFF.0;
        loop {
            match self.connect().await {
                Ok(ends) => {
                    pause = BACKOFF.0;
                    let error = self.listen(ends).await;
                    self.lose(error);
                }
                Err(error) => self.lose(error),
            }
            sleep(pause.mul_f64(0.75 + 0.5 * fraction())).await;
            pause = (pause * 2).min(BACKOFF.1);
        }
    }

    async fn connect(&self) -> Result<Ends, StoreError> {
        let (sender, pushes) = mpsc::unbounded_channel();
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(CONNECT));
        let hearing = config.clone().set_push_sender(sender);
        let commands = self
            .client
            .get_multiplexed_async_connection_with_config(&config)
            .await
            .map_err(|e| read_error(&e))?;
        let mut ears = self
            .client
            .get_multiplexed_async_connection_with_config(&hearing)
            .await
            .map_err(|e| read_error(&e))?;
        // Armed first, then everything is read: so no change is missed between the two. Without NOLOOP, which can
        // hide a foreign write behind an own one (redis `trackingRememberKeyToBroadcast`).
        let mut arm = ::redis::cmd("CLIENT");
        arm.arg("TRACKING").arg("ON").arg("BCAST").arg("PREFIX").arg(KEY_PREFIX);
        let _: () = arm.query_async(&mut ears).await.map_err(|e| read_error(&e))?;
        let mut loading = commands.clone();
        for script in [Script::Load, Script::CompareAndSet] {
            script.install(&mut loading).await.map_err(|e| read_error(&e))?;
        }
        Ok(Ends { commands, ears, pushes })
    }

    /// Passes on word of changes until a connection is lost; gives back why.
    async fn listen(&self, ends: Ends) -> StoreError {
        let Ends { commands, ears, mut pushes } = ends;
        self.commands.store(Some(Arc::new(commands.clone())));
        self.tell(&Change::Everything);
        let mut beat = interval_at(Instant::now() + KEEP_ALIVE, KEEP_ALIVE);
        loop {
            tokio::select! {
                push = pushes.recv() => match push {
                    Some(push) => if let Some(error) = self.hear(&push) { return error },
                    None => return StoreError::Unreachable("the connection was closed".to_owned()),
                },
                _ = beat.tick() => {
                    // Pushes that come while it waits are kept in their channel.
                    let (a, b) = tokio::join!(ping(commands.clone()), ping(ears.clone()));
                    if let Err(error) = a.and(b) {
                        return error;
                    }
                }
            }
        }
    }

    fn hear(&self, push: &PushInfo) -> Option<StoreError> {
        match push.kind {
            PushKind::Invalidate => match push.data.first() {
                Some(Value::Array(keys)) => keys.iter().filter_map(model_key).for_each(|key| {
                    self.tell(&Change::Key(key));
                }),
                // FLUSHALL and FLUSHDB: everything.
                _ => self.tell(&Change::Everything),
            },
            PushKind::Disconnection => {
                return Some(StoreError::Unreachable("the connection was closed".to_owned()));
            }
            _ => {}
        }
        None
    }

    fn lose(&self, error: StoreError) {
        self.commands.store(None);
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&error);
        self.tell(&Change::Lost(error));
    }

    fn tell(&self, change: &Change) {
        for feed in self.feeds.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            feed.tell(change.clone());
        }
    }
}

/// A live pair of connections.
struct Ends {
    commands: MultiplexedConnection,
    ears: MultiplexedConnection,
    pushes: mpsc::UnboundedReceiver<PushInfo>,
}

async fn ping(mut connection: MultiplexedConnection) -> Result<(), StoreError> {
    let ping = ::redis::cmd("PING");
    match timeout(KEEP_ALIVE, ping.query_async::<()>(&mut connection)).await {
        Ok(answer) => answer.map_err(|error| read_error(&error)),
        Err(_) => Err(StoreError::Silent(KEEP_ALIVE)),
    }
}

/// The model key in a Redis key, if it is one of a circuit.
pub(super) fn model_key(value: &Value) -> Option<ModelKey> {
    let Value::BulkString(bytes) = value else { return None };
    std::str::from_utf8(bytes).ok()?.strip_prefix(KEY_PREFIX)?.parse().ok()
}

/// Whose fault it is: no answer, no connection, or a refusal.
pub(super) fn read_error(error: &RedisError) -> StoreError {
    if error.is_timeout() {
        StoreError::Silent(CONNECT)
    } else if error.is_io_error() || error.is_connection_dropped() || error.is_connection_refusal() {
        StoreError::Unreachable(error.to_string())
    } else {
        StoreError::Refused(told(error))
    }
}

/// Redis' own words, by which people and manuals know them; without the place in a script, which tells nobody anything.
fn told(error: &RedisError) -> String {
    let text = match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => {
            format!("{code} {}", detail.split(" script: ").next().unwrap_or(detail).trim_end())
        }
        _ => error.to_string(),
    };
    if text.contains("HELLO") || text.starts_with("NOPROTO") {
        return format!("it speaks no RESP3, which Redis does since 6.0: {text}");
    }
    text
}

fn fraction() -> f64 {
    f64::from(uuid::Uuid::new_v4().as_fields().0) / f64::from(u32::MAX)
}
