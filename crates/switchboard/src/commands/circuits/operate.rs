//! Manual overrides: open, close, reset.

use std::{sync::Arc, time::Duration};

use anyhow::bail;
use breaker::{CallerName, InstanceId, ModelKey};
use circuits::{Circuits, Settings, Store as _, StoreStatus, Timing, Value};

use super::{
    format,
    reader::{CircuitReader, wrong_type},
};
use crate::{config::Environment, output::Output};

/// How long the first read of Redis may take.
const READY_TIMEOUT: Duration = Duration::from_secs(5);

/// Longer than for a request: an operator may be far from Redis.
const STORE_TIMEOUT: Duration = Duration::from_secs(1);

/// The characters of a user's name that are shown; the whole must be a valid name of a caller.
const MAX_USER_LENGTH: usize = 32;

/// What `reset --json` prints: there is no circuit any more.
#[derive(serde::Serialize)]
struct ResetReport<'a> {
    key: &'a str,
    reset: bool,
}

/// One manual override of one circuit.
pub(super) struct OperatorSession<'a> {
    pub(super) output: Output,
    /// Whether the result is printed as JSON.
    pub(super) json: bool,
    pub(super) environment: &'a Environment,
    pub(super) reader: &'a CircuitReader,
    pub(super) key: &'a ModelKey,
}

impl OperatorSession<'_> {
    pub(super) async fn open(self, duration: Option<Duration>, reason: Option<String>) -> anyhow::Result<()> {
        self.apply_open(duration, reason).await?;
        self.print_result().await
    }

    /// Opens it and prints nothing.
    pub(super) async fn apply_open(
        &self,
        duration: Option<Duration>,
        reason: Option<String>,
    ) -> anyhow::Result<()> {
        Ok(self.join_as_instance().await?.open(self.key, duration, reason, self.operator()).await?)
    }

    pub(super) async fn close(self, reason: Option<String>) -> anyhow::Result<()> {
        self.apply_close(reason).await?;
        self.print_result().await
    }

    /// Closes it and prints nothing.
    pub(super) async fn apply_close(&self, reason: Option<String>) -> anyhow::Result<()> {
        Ok(self.join_as_instance().await?.close(self.key, reason, self.operator()).await?)
    }

    pub(super) async fn reset(self, reason: Option<String>) -> anyhow::Result<()> {
        self.join_as_instance().await?.reset(self.key, reason, self.operator()).await?;
        let key = self.key;
        if self.json {
            return Ok(self.output.print_json(&ResetReport { key: key.as_str(), reset: true })?);
        }
        Ok(self.output.print_line(format_args!("{key}: reset. It reappears on the next request."))?)
    }

    /// The user's name.
    fn user(&self) -> &str {
        let named = ["USER", "LOGNAME"].into_iter().find_map(|variable| self.environment.get(variable));
        named.unwrap_or("unknown")
    }

    /// Who operates, for the history: `cli-` and the user's name, so that no key's name is mistaken for it.
    fn operator(&self) -> Option<CallerName> {
        let is_allowed = |letter: &char| letter.is_ascii_alphanumeric() || "-_.".contains(*letter);
        let user: String = self.user().chars().filter(is_allowed).take(MAX_USER_LENGTH).collect();
        format!("cli-{user}").parse().ok()
    }

    /// Joins the fleet as an instance, named after the user and the host.
    async fn join_as_instance(&self) -> anyhow::Result<Circuits> {
        let key = self.key;
        if let Value::WrongType(found) = self.reader.store.load(key).await?.value {
            bail!("circuit_breaker:{key}: {}, not changed", wrong_type(&found));
        }
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let settings = Settings {
            policies: self.reader.policies.clone(),
            timing: Timing { store_timeout: STORE_TIMEOUT, ..Timing::default() },
            ..Settings::new(InstanceId::new(&format!("cli-{}@{}", self.user(), host.trim())))
        };
        let circuits = Circuits::start(Arc::clone(&self.reader.store) as Arc<dyn circuits::Store>, settings);
        if tokio::time::timeout(READY_TIMEOUT, circuits.ready()).await.is_err() {
            bail!(
                "not applied: Redis did not respond within 5 s; `switchboard doctor` diagnoses Redis problems"
            );
        }
        if let StoreStatus::Degraded { error, .. } = circuits.store_status() {
            bail!("not applied: {error}; `switchboard doctor` diagnoses Redis problems");
        }
        Ok(circuits)
    }

    async fn print_result(&self) -> anyhow::Result<()> {
        let (report, _) = self.reader.load_report(self.key).await?;
        if self.json {
            return Ok(self.output.print_json(&report)?);
        }
        let sentence = format::describe(&report);
        let key = self.key;
        Ok(self.output.print_line(format_args!(
            "{key}: {}",
            self.output.paint(format::state_style(report.state), sentence)
        ))?)
    }
}
