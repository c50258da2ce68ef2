//! The connections to one server: one for commands, one that hears of changes, and the task that keeps both alive.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ::redis::{AsyncConnectionConfig, PushInfo, PushKind, RedisError, Value};
use arc_swap::ArcSwapOption;
use breaker::ModelKey;
use tokio::{
    sync::mpsc,
    task::AbortHandle,
    time::{Instant, interval_at, sleep, timeout},
};

use super::{
    KEY_PREFIX, RedisNode, Script,
    connection::{Connection, Sent},
    feeds::Hear,
    sentinel::Sentinels,
};
use crate::store::{Change, StoreError};

/// Making a connection may take so long, and so may its first commands.
pub(super) const CONNECT: Duration = Duration::from_secs(2);

/// Both connections are asked for a sign of life so often: a half-open one is found by nothing else.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(1);

/// The first and the longest wait between two tries to connect. It never stops trying (F4). Short, since during a
/// failover nothing is shared while it waits.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(500));

/// Where a line leads.
#[derive(Debug)]
pub(super) enum Destination {
    /// To this server, whatever becomes of it.
    Server(RedisNode),
    /// To whichever server the Sentinels name as the primary.
    Primary(Sentinels),
}

/// The line to one server.
#[derive(Debug)]
pub(super) struct Line {
    destination: Destination,
    commands: ArcSwapOption<Connection>,
    /// What went wrong last; `None`: nothing has yet.
    last_error: Mutex<Option<StoreError>>,
    listener: Arc<dyn Hear>,
    sent: Arc<Sent>,
}

/// A line with its task, which ends with it.
#[derive(Debug)]
pub(super) struct KeptLine {
    pub(super) line: Arc<Line>,
    keeper: AbortHandle,
}

impl KeptLine {
    pub(super) fn start(destination: Destination, listener: Arc<dyn Hear>, sent: Arc<Sent>) -> Self {
        let line = Arc::new(Line {
            destination,
            commands: ArcSwapOption::empty(),
            last_error: Mutex::default(),
            listener,
            sent,
        });
        let keeper = tokio::spawn(Arc::clone(&line).keep()).abort_handle();
        Self { line, keeper }
    }
}

impl Drop for KeptLine {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl Line {
    /// The connection for commands. While there is none nobody waits for it (F3).
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

    /// It has neither been connected nor failed yet.
    pub(super) fn is_new(&self) -> bool {
        !self.is_connected() && self.last_error().is_none()
    }

    fn last_error(&self) -> Option<StoreError> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Connects, follows, and connects again, for as long as it is polled.
    async fn keep(self: Arc<Self>) {
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
        match &self.destination {
            Destination::Server(server) => open(server, &self.sent).await,
            Destination::Primary(sentinels) => {
                let mut result = Err(StoreError::Unreachable("no Sentinel names a primary".to_owned()));
                for server in sentinels.candidates().await? {
                    result = match open(&server, &self.sent).await {
                        Ok(mut ends) => must_be_primary(&mut ends.commands).await.map(|()| ends),
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

    /// Passes on word of changes until a connection is lost; gives back why.
    async fn listen(&self, ends: Ends) -> StoreError {
        let Ends { server, commands, ears, mut pushes } = ends;
        self.commands.store(Some(Arc::new(commands.clone())));
        self.listener.hear(Change::Everything);
        tokio::select! {
            error = self.hear_all(&mut pushes) => error,
            error = self.keep_alive(&server, commands, ears) => error,
        }
    }

    async fn hear_all(&self, pushes: &mut mpsc::UnboundedReceiver<PushInfo>) -> StoreError {
        while let Some(push) = pushes.recv().await {
            match push.kind {
                PushKind::Invalidate => match push.data.first() {
                    Some(Value::Array(keys)) => keys.iter().filter_map(model_key).for_each(|key| {
                        self.listener.hear(Change::Key(key));
                    }),
                    // FLUSHALL and FLUSHDB: everything.
                    _ => self.listener.hear(Change::Everything),
                },
                PushKind::Disconnection => break,
                _ => {}
            }
        }
        StoreError::Unreachable("the connection was closed".to_owned())
    }

    async fn keep_alive(&self, server: &RedisNode, commands: Connection, ears: Connection) -> StoreError {
        let mut beat = interval_at(Instant::now() + KEEP_ALIVE, KEEP_ALIVE);
        loop {
            beat.tick().await;
            let (commands_live, ears_live, still_primary) = tokio::join!(
                ping(commands.clone()),
                ping(ears.clone()),
                self.is_still_right(server, commands.clone())
            );
            if let Err(error) = commands_live.and(ears_live).and(still_primary) {
                return error;
            }
        }
    }

    /// A primary that was demoted, or cut off from the Sentinels' majority, may go on answering.
    async fn is_still_right(&self, server: &RedisNode, mut commands: Connection) -> Result<(), StoreError> {
        let Destination::Primary(sentinels) = &self.destination else { return Ok(()) };
        match timeout(KEEP_ALIVE, must_be_primary(&mut commands)).await {
            Ok(result) => result?,
            Err(_) => return Err(StoreError::Silent(KEEP_ALIVE)),
        }
        if sentinels.name_another(server).await {
            return Err(StoreError::Unreachable(format!("{server} is the primary no longer")));
        }
        Ok(())
    }

    fn lose(&self, error: StoreError) {
        self.commands.store(None);
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.clone());
        self.listener.hear(Change::Lost(error));
    }
}

/// A live pair of connections.
struct Ends {
    server: RedisNode,
    commands: Connection,
    ears: Connection,
    pushes: mpsc::UnboundedReceiver<PushInfo>,
}

async fn open(server: &RedisNode, sent: &Arc<Sent>) -> Result<Ends, StoreError> {
    let (sender, pushes) = mpsc::unbounded_channel();
    let client = server.client().map_err(|e| read_error(&e))?;
    let config = connection_config();
    let hearing = config.clone().set_push_sender(sender);
    let connect = async |config| {
        let connection = client.get_multiplexed_async_connection_with_config(config).await;
        connection.map(|to| Connection::new(to, Arc::clone(sent))).map_err(|e| read_error(&e))
    };
    let commands = connect(&config).await?;
    let mut ears = connect(&hearing).await?;
    // Armed first, then everything is read: so no change is missed between the two. Without NOLOOP, which can
    // hide a foreign write behind an own one (redis `trackingRememberKeyToBroadcast`).
    let mut arm = ::redis::cmd("CLIENT");
    arm.arg("TRACKING").arg("ON").arg("BCAST").arg("PREFIX").arg(KEY_PREFIX);
    let _: () = arm.query_async(&mut ears).await.map_err(|e| read_error(&e))?;
    let mut loading = commands.clone();
    for script in [Script::Load, Script::CompareAndSet] {
        script.install(&mut loading).await.map_err(|e| read_error(&e))?;
    }
    Ok(Ends { server: server.clone(), commands, ears, pushes })
}

pub(super) fn connection_config() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT)).set_response_timeout(Some(CONNECT))
}

/// Sentinels may be behind the times, so the server has the last word on what it is.
async fn must_be_primary(commands: &mut Connection) -> Result<(), StoreError> {
    let role: Vec<Value> =
        ::redis::cmd("ROLE").query_async(commands).await.map_err(|error| read_error(&error))?;
    match role.first() {
        Some(Value::BulkString(role)) if role != b"master" => {
            let role = String::from_utf8_lossy(role);
            Err(StoreError::Refused(format!("the primary that Sentinels name is a {role}")))
        }
        _ => Ok(()),
    }
}

async fn ping(mut connection: Connection) -> Result<(), StoreError> {
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
