//! The fleet's store in a real Redis, whose clock a test advances.

use std::{sync::Arc, time::Duration};

use ::redis::{Cmd, FromRedisValue, cmd};
use breaker::{ModelKey, Timestamp, Transition, millis};
use circuits::{RedisAddress, RedisDeployment, RedisStore, Store, SystemClock, TimeShift, Value, WallClock};
use testbed::RedisServer;
use tokio::sync::OnceCell;

use crate::{instances::Backend, world::ExternalWrite};

/// The machine's clock, advanced with Redis', and this many ms off.
#[derive(Debug)]
struct ShiftedClock {
    system: Arc<SystemClock>,
    shift: TimeShift,
    skew: i64,
}

impl WallClock for ShiftedClock {
    fn now(&self) -> Timestamp {
        let offset = self.shift.millis() + self.skew;
        Timestamp::from_millis(self.system.now().as_millis().saturating_add_signed(offset))
    }
}

/// The one server of a whole run; each scenario has a database of its own.
#[derive(Debug, Default)]
pub(crate) struct SharedServer(OnceCell<RedisServer>);

impl SharedServer {
    async fn get(&self) -> &RedisServer {
        self.0.get_or_init(|| RedisServer::start_with(&["--databases", "4096"])).await
    }
}

/// A real Redis.
pub(crate) struct RedisBackend {
    key: ModelKey,
    url: String,
    /// A scenario with an outage of Redis has a server of its own.
    own: Option<RedisServer>,
    system: Arc<SystemClock>,
    shift: TimeShift,
    observer: Arc<RedisStore>,
}

impl RedisBackend {
    /// In this database of the shared server, or on a server of its own.
    pub(crate) async fn new(
        key: &ModelKey,
        shared: &SharedServer,
        database: usize,
        needs_own: bool,
    ) -> Result<Self, String> {
        let own = match needs_own {
            true => Some(RedisServer::start_with(&["--appendonly", "yes", "--appendfsync", "always"]).await),
            false => None,
        };
        let url = match &own {
            Some(server) => server.url(),
            None => format!("{}/{database}", shared.get().await.url()),
        };
        let shift = TimeShift::default();
        let observer = connect_store(&url, &shift)?;
        observer.wait_connected().await.map_err(|error| error.to_string())?;
        let system = Arc::new(SystemClock::default());
        Ok(Self { key: key.clone(), url, own, system, shift, observer })
    }

    fn redis_keys(&self) -> [String; 2] {
        [format!("circuit_breaker:{}", self.key), format!("{{circuit_breaker:{}}}:events", self.key)]
    }

    async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, String> {
        let connect = async {
            let address: RedisAddress = self.url.parse().map_err(|error| format!("{error}"))?;
            let RedisDeployment::Standalone(server) = address.deployment() else {
                return Err(format!("{} is not one Redis", self.url));
            };
            let client = server.client().map_err(|error| error.to_string())?;
            client.get_multiplexed_async_connection().await.map_err(|error| error.to_string())
        };
        command.query_async(&mut connect.await?).await.map_err(|error| error.to_string())
    }
}

fn connect_store(url: &str, shift: &TimeShift) -> Result<Arc<RedisStore>, String> {
    let address: RedisAddress = url.parse().map_err(|error| format!("{error}"))?;
    Ok(Arc::new(RedisStore::start_shifted(address, shift.clone())))
}

impl Backend for RedisBackend {
    async fn connect(&mut self) -> Result<Arc<dyn Store>, String> {
        let store = connect_store(&self.url, &self.shift)?;
        // Without a server there is nothing to wait for.
        let _ = store.wait_connected().await;
        Ok(store)
    }

    fn clock(&self, skew: i64) -> Arc<dyn WallClock> {
        Arc::new(ShiftedClock { system: Arc::clone(&self.system), shift: self.shift.clone(), skew })
    }

    fn now(&self) -> Timestamp {
        self.clock(0).now()
    }

    async fn advance(&mut self, length: Duration) -> Result<(), String> {
        self.shift.advance(length);
        if self.value().await?.is_none() {
            return Ok(());
        }
        for name in self.redis_keys() {
            let left: i64 = self.query(cmd("PTTL").arg(&name)).await?;
            if let Ok(left) = u64::try_from(left) {
                let left = left.saturating_sub(millis(length));
                self.query::<()>(cmd("PEXPIRE").arg(&name).arg(left)).await?;
            }
        }
        Ok(())
    }

    async fn external_write(&mut self, does: ExternalWrite<'_>) -> Result<(), String> {
        let [name, _] = self.redis_keys();
        match does {
            ExternalWrite::Set(text) => self.query(cmd("SET").arg(name).arg(text)).await,
            ExternalWrite::Rpush(value) => {
                self.query::<()>(cmd("DEL").arg(&name)).await?;
                self.query(cmd("RPUSH").arg(name).arg(value)).await
            }
            ExternalWrite::History(text) => {
                let [_, history] = self.redis_keys();
                self.query(cmd("SET").arg(history).arg(text)).await
            }
            ExternalWrite::Delete => self.query(cmd("DEL").arg(name)).await,
            ExternalWrite::Flush => self.query(&cmd("FLUSHDB")).await,
        }
    }

    async fn set_available(&mut self, up: bool) -> Result<(), String> {
        let server = self.own.as_mut().ok_or("only a server of its own can be stopped")?;
        if up {
            server.restart().await;
        } else {
            server.kill();
        }
        Ok(())
    }

    async fn value(&mut self) -> Result<Option<Value>, String> {
        Ok(self.observer.load(&self.key).await.ok().map(|loaded| loaded.value))
    }

    async fn history(&mut self) -> Result<Vec<Transition>, String> {
        Ok(self.observer.history(&self.key, 1_000).await.unwrap_or_default())
    }

    async fn ttl(&mut self) -> Result<Option<Duration>, String> {
        if self.value().await?.is_none() {
            return Ok(None);
        }
        let [name, _] = self.redis_keys();
        let left: i64 = self.query(cmd("PTTL").arg(name)).await?;
        Ok(u64::try_from(left).ok().map(Duration::from_millis))
    }
}
