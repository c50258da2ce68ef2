//! Operating: a person's hand on a circuit.

use std::{sync::Arc, time::Duration};

use anyhow::bail;
use breaker::{InstanceId, ModelKey};
use circuits::{Circuits, LinkState, Pacing, Settings, Store as _, Value};

use super::{Seen, words};
use crate::{config::Environment, output::Output};

/// Redis has so long to be read before anything is done.
const READY: Duration = Duration::from_secs(5);

/// A person waits longer for Redis than a call does, which may be far away.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a person is about to do, and where.
pub(super) struct Hand<'a> {
    pub(super) output: Output,
    pub(super) environment: &'a Environment,
    pub(super) circuits: Seen,
    pub(super) key: &'a ModelKey,
}

impl Hand<'_> {
    pub(super) async fn open(self, duration: Option<Duration>, reason: Option<String>) -> anyhow::Result<()> {
        self.take_part().await?.open(self.key, duration, reason).await?;
        self.told().await
    }

    pub(super) async fn close(self, reason: Option<String>) -> anyhow::Result<()> {
        self.take_part().await?.close(self.key, reason).await?;
        self.told().await
    }

    pub(super) async fn reset(self, reason: Option<String>) -> anyhow::Result<()> {
        self.take_part().await?.reset(self.key, reason).await?;
        let key = self.key;
        Ok(self
            .output
            .line(format_args!("{key}: all is forgotten; it appears again with the model's next call."))?)
    }

    /// Becomes an instance for a moment, under the name of the person and the machine.
    async fn take_part(&self) -> anyhow::Result<Circuits> {
        let key = self.key;
        if let Value::OtherType(found) = self.circuits.store.load(key).await?.value {
            bail!(
                "circuit_breaker:{key} is a {found} and no circuit, and is left alone; look at it with redis-cli TYPE"
            );
        }
        let user = self.environment.get("USER").unwrap_or("somebody");
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let settings = Settings {
            policies: self.circuits.policies.clone(),
            pacing: Pacing { patience: PATIENCE, ..Pacing::default() },
            ..Settings::new(InstanceId::new(&format!("cli-{user}@{}", host.trim())))
        };
        let part = Circuits::start(Arc::clone(&self.circuits.store) as Arc<dyn circuits::Store>, settings);
        if tokio::time::timeout(READY, part.ready()).await.is_err() {
            bail!(
                "Redis did not answer within 5 s, and nothing was done; `switchboard doctor` says what is wrong"
            );
        }
        if let LinkState::Degraded { error, .. } = part.link() {
            bail!("nothing was done: {error}; `switchboard doctor` says what is wrong");
        }
        Ok(part)
    }

    async fn told(&self) -> anyhow::Result<()> {
        let (report, now) = self.circuits.one(self.key).await?;
        let sentence = words::sentence(&report, now);
        let key = self.key;
        Ok(self
            .output
            .line(format_args!("{key}: {}", self.output.paint(words::style(report.state), sentence)))?)
    }
}
