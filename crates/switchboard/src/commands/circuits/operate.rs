//! Operating: a person's hand on a circuit.

use std::{sync::Arc, time::Duration};

use anyhow::bail;
use breaker::{InstanceId, ModelKey};
use circuits::{Circuits, Settings, Store as _, StoreStatus, Timing, Value};

use super::{CircuitReader, format};
use crate::{config::Environment, output::Output};

/// Redis has so long to be read before anything is done.
const READY_TIMEOUT: Duration = Duration::from_secs(5);

/// A person waits longer for Redis than a call does, which may be far away.
const STORE_TIMEOUT: Duration = Duration::from_secs(1);

/// What a person is about to do, and where.
pub(super) struct OperatorSession<'a> {
    pub(super) output: Output,
    pub(super) environment: &'a Environment,
    pub(super) reader: CircuitReader,
    pub(super) key: &'a ModelKey,
}

impl OperatorSession<'_> {
    pub(super) async fn open(self, duration: Option<Duration>, reason: Option<String>) -> anyhow::Result<()> {
        self.join_as_instance().await?.open(self.key, duration, reason).await?;
        self.print_result().await
    }

    pub(super) async fn close(self, reason: Option<String>) -> anyhow::Result<()> {
        self.join_as_instance().await?.close(self.key, reason).await?;
        self.print_result().await
    }

    pub(super) async fn reset(self, reason: Option<String>) -> anyhow::Result<()> {
        self.join_as_instance().await?.reset(self.key, reason).await?;
        let key = self.key;
        Ok(self.output.print_line(format_args!(
            "{key}: all is forgotten; it appears again with the model's next call."
        ))?)
    }

    /// Becomes an instance for a moment, under the name of the person and the machine.
    async fn join_as_instance(&self) -> anyhow::Result<Circuits> {
        let key = self.key;
        if let Value::WrongType(found) = self.reader.store.load(key).await?.value {
            bail!(
                "circuit_breaker:{key} is a {found} and no circuit, and is left alone; look at it with redis-cli TYPE"
            );
        }
        let user = self.environment.get("USER").unwrap_or("somebody");
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let settings = Settings {
            policies: self.reader.policies.clone(),
            timing: Timing { store_timeout: STORE_TIMEOUT, ..Timing::default() },
            ..Settings::new(InstanceId::new(&format!("cli-{user}@{}", host.trim())))
        };
        let circuits = Circuits::start(Arc::clone(&self.reader.store) as Arc<dyn circuits::Store>, settings);
        if tokio::time::timeout(READY_TIMEOUT, circuits.ready()).await.is_err() {
            bail!(
                "Redis did not answer within 5 s, and nothing was done; `switchboard doctor` says what is wrong"
            );
        }
        if let StoreStatus::Degraded { error, .. } = circuits.store_status() {
            bail!("nothing was done: {error}; `switchboard doctor` says what is wrong");
        }
        Ok(circuits)
    }

    async fn print_result(&self) -> anyhow::Result<()> {
        let (report, now) = self.reader.load_report(self.key).await?;
        let sentence = format::describe(&report, now);
        let key = self.key;
        Ok(self.output.print_line(format_args!(
            "{key}: {}",
            self.output.paint(format::state_style(report.state), sentence)
        ))?)
    }
}
