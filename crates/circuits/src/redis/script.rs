//! The scripts, run by their digest.

use ::redis::{
    Cmd, ErrorKind, FromRedisValue, RedisResult, ServerErrorKind, aio::MultiplexedConnection, cmd,
};
use breaker::ModelKey;

use super::{history_key, redis_key};

/// A script that Redis runs as one step.
#[derive(Debug, Clone, Copy)]
pub(super) enum Script {
    Load,
    CompareAndSet,
}

impl Script {
    fn script(self) -> &'static ::redis::Script {
        use std::sync::LazyLock;
        static LOAD: LazyLock<::redis::Script> =
            LazyLock::new(|| ::redis::Script::new(include_str!("load.lua")));
        static COMPARE_AND_SET: LazyLock<::redis::Script> =
            LazyLock::new(|| ::redis::Script::new(include_str!("compare_and_set.lua")));
        match self {
            Self::Load => &LOAD,
            Self::CompareAndSet => &COMPARE_AND_SET,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Load => include_str!("load.lua"),
            Self::CompareAndSet => include_str!("compare_and_set.lua"),
        }
    }

    /// The call, up to its arguments.
    pub(super) fn call(self, key: &ModelKey) -> Cmd {
        let mut call = cmd("EVALSHA");
        call.arg(self.script().get_hash()).arg(2).arg(redis_key(key)).arg(history_key(key));
        call
    }

    pub(super) async fn install(self, connection: &mut MultiplexedConnection) -> RedisResult<()> {
        cmd("SCRIPT").arg("LOAD").arg(self.text()).query_async(connection).await
    }

    /// Runs it. A Redis that has forgotten its scripts is given them again, once: a server that never keeps them
    /// must not become an endless loop.
    pub(super) async fn run<T: FromRedisValue>(
        self,
        call: &Cmd,
        connection: &mut MultiplexedConnection,
    ) -> RedisResult<T> {
        match call.query_async(connection).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                self.install(connection).await?;
                call.query_async(connection).await
            }
            answer => answer,
        }
    }
}
