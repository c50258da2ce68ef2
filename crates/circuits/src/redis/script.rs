//! Commands for one circuit. Scripts among them are run by their digest.

use ::redis::{Cmd, ErrorKind, FromRedisValue, RedisResult, ServerErrorKind, aio::ConnectionLike, cmd};
use breaker::ModelKey;

use super::keys::{history_key, redis_key};

/// The common beginning of the scripts.
macro_rules! script {
    ($file:literal) => {
        concat!(include_str!("circuit.lua"), include_str!($file))
    };
}

/// A script, which Redis runs atomically.
#[derive(Debug, Clone, Copy)]
pub(super) enum Script {
    Load,
    CompareAndSet,
}

/// A command for one circuit.
#[derive(Debug)]
pub(super) struct CircuitCommand {
    command: Cmd,
    script: Option<Script>,
}

impl Script {
    fn script(self) -> &'static ::redis::Script {
        use std::sync::LazyLock;
        static LOAD: LazyLock<::redis::Script> = LazyLock::new(|| ::redis::Script::new(Script::Load.text()));
        static COMPARE_AND_SET: LazyLock<::redis::Script> =
            LazyLock::new(|| ::redis::Script::new(Script::CompareAndSet.text()));
        match self {
            Self::Load => &LOAD,
            Self::CompareAndSet => &COMPARE_AND_SET,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Load => script!("load.lua"),
            Self::CompareAndSet => script!("compare_and_set.lua"),
        }
    }

    /// The command for one circuit, with the arguments that `add_args` adds.
    pub(super) fn command_for(self, key: &ModelKey, add_args: impl FnOnce(&mut Cmd)) -> CircuitCommand {
        let mut command = cmd("EVALSHA");
        command.arg(self.script().get_hash()).arg(2).arg(redis_key(key)).arg(history_key(key));
        add_args(&mut command);
        CircuitCommand { command, script: Some(self) }
    }

    pub(super) async fn install(self, connection: &mut impl ConnectionLike) -> RedisResult<()> {
        cmd("SCRIPT").arg("LOAD").arg(self.text()).query_async(connection).await
    }
}

impl CircuitCommand {
    pub(super) fn plain(command: Cmd) -> Self {
        Self { command, script: None }
    }

    /// Runs it. If Redis has lost the script, it is loaded once more; only once, since a server that never keeps scripts
    /// must not cause an endless loop.
    pub(super) async fn send<T: FromRedisValue>(
        &self,
        connection: &mut impl ConnectionLike,
        asking: bool,
    ) -> RedisResult<T> {
        match (self.send_once(connection, asking).await, self.script) {
            (Err(error), Some(script)) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                script.install(connection).await?;
                self.send_once(connection, asking).await
            }
            (response, _) => response,
        }
    }

    /// With `asking`, to the node that a slot is migrating to.
    async fn send_once<T: FromRedisValue>(
        &self,
        connection: &mut impl ConnectionLike,
        asking: bool,
    ) -> RedisResult<T> {
        if !asking {
            return self.command.query_async(connection).await;
        }
        let mut pair = ::redis::pipe();
        pair.cmd("ASKING").ignore().add_command(self.command.clone());
        let (response,): (T,) = pair.query_async(connection).await?;
        Ok(response)
    }
}
