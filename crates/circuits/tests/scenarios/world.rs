//! What a scenario runs in: the core alone, or circuits over a store.

use std::{collections::BTreeMap, time::Duration};

use breaker::{Policy, Timestamp, Transition};
use bytes::Bytes;
use circuits::Report;

use crate::event::{By, Ending, Operation};

/// What scenarios run in. Instances start when they are first named.
pub(crate) trait World {
    /// The store's time.
    fn now(&self) -> Timestamp;

    /// Advances time to this long after the scenario's start.
    async fn wait_until(&mut self, since_beginning: Duration) -> Result<(), String>;

    /// Starts an instance, unless it runs.
    async fn start_instance(&mut self, who: &str) -> Result<(), String>;

    /// The calls ask for permits, all together.
    async fn admit(&mut self, calls: &[CallId], by: Option<&By>) -> Result<Vec<AdmitResult>, String>;

    /// An admitted call ends.
    fn end(&mut self, call: &CallId, ending: &Ending) -> Result<(), String>;

    /// An admitted stream produces its first token.
    fn first_token(&mut self, call: &CallId) -> Result<(), String>;

    /// The provider of an admitted call does not know the model.
    fn unknown_model(&mut self, call: &CallId) -> Result<(), String>;

    /// A manual override through an instance; an error says why it was not applied.
    async fn operate(&mut self, who: &str, operation: &Operation) -> Result<(), String>;

    /// An instance crashes.
    fn crash(&mut self, who: &str);

    /// An instance that has not started yet will have a clock this many ms off.
    fn skew(&mut self, who: &str, millis: i64);

    /// New settings for all instances.
    fn set_policy_for_all(&mut self, policy: &Policy);

    /// The store is written externally.
    async fn external_write(&mut self, does: ExternalWrite<'_>) -> Result<(), String>;

    /// The store becomes unreachable or reachable, for all (`-`) or for one instance.
    async fn set_store_available(&mut self, who: &str, up: bool) -> Result<(), String>;

    /// Waits until everything is done and known everywhere.
    async fn wait_until_settled(&mut self) -> Result<(), String>;

    /// What can be seen.
    async fn snapshot(&mut self) -> Result<Snapshot, String>;
}

/// One call of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct CallId {
    pub(crate) who: String,
    pub(crate) name: String,
}

/// What a caller got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AdmitResult {
    Admitted,
    Probe,
    /// When to retry, if that is known.
    Refused(Option<Duration>),
}

/// An external write of the key.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ExternalWrite<'a> {
    Set(&'a str),
    Rpush(&'a str),
    /// A string where the history should be.
    History(&'a str),
    Delete,
    Flush,
}

/// What can be seen of the circuit.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// The value in the store, if there is one and the store can be read.
    pub(crate) raw: Option<Bytes>,
    /// How long the key will live; `None`: it does not expire, or does not exist.
    pub(crate) ttl: Option<Duration>,
    /// Newest first.
    pub(crate) history: Vec<Transition>,
    /// What each running instance sees.
    pub(crate) views: BTreeMap<String, View>,
    /// Writes to the store since the start.
    pub(crate) write_count: usize,
}

/// What an instance sees.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) report: Report,
    /// It can reach the store, so it must see what the others see.
    pub(crate) connected: bool,
}
