//! What a scenario happens in: the bare core, or circuits over a store.

use std::{collections::BTreeMap, time::Duration};

use breaker::{Policy, Timestamp, Transition};
use bytes::Bytes;
use circuits::Report;

use crate::event::{Ending, Operation};

/// A place where scenarios happen. Instances are born when they are first named.
pub(crate) trait World {
    /// The store's time.
    fn now(&self) -> Timestamp;

    /// Lets time pass until it is so late since the scenario's beginning.
    async fn wait_until(&mut self, since_beginning: Duration) -> Result<(), String>;

    /// Starts an instance, unless it lives.
    async fn start_instance(&mut self, who: &str) -> Result<(), String>;

    /// The calls ask for leave, all at once.
    async fn admit(&mut self, calls: &[CallId]) -> Result<Vec<AdmitResult>, String>;

    /// An admitted call ends.
    fn end(&mut self, call: &CallId, ending: &Ending) -> Result<(), String>;

    /// An admitted stream says its first content.
    fn first_token(&mut self, call: &CallId) -> Result<(), String>;

    /// The provider says to an admitted call that there is no such model.
    fn unknown_model(&mut self, call: &CallId) -> Result<(), String>;

    /// A person's hand on the circuit, through an instance; why it was not carried out.
    async fn operate(&mut self, who: &str, operation: &Operation) -> Result<(), String>;

    /// An instance dies without a word.
    fn crash(&mut self, who: &str);

    /// An instance that is not born yet will have a clock so many ms off.
    fn skew(&mut self, who: &str, millis: i64);

    /// New settings for everybody.
    fn set_policy_for_all(&mut self, policy: &Policy);

    /// The store is written by a stranger.
    async fn external_write(&mut self, does: ExternalWrite<'_>) -> Result<(), String>;

    /// The store goes away or comes back, for everybody (`-`) or for one instance.
    async fn set_store_available(&mut self, who: &str, up: bool) -> Result<(), String>;

    /// Waits until everything that was begun is done and known everywhere.
    async fn wait_until_settled(&mut self) -> Result<(), String>;

    /// What is to be seen.
    async fn snapshot(&mut self) -> Result<Snapshot, String>;
}

/// One call of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct CallId {
    pub(crate) who: String,
    pub(crate) name: String,
}

/// What a caller was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AdmitResult {
    Admitted,
    Probe,
    /// When it may be tried again, if that is known.
    Refused(Option<Duration>),
}

/// What a stranger does to the key.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ExternalWrite<'a> {
    Set(&'a str),
    Rpush(&'a str),
    /// A string where the history should be.
    History(&'a str),
    Delete,
    Flush,
}

/// What is to be seen of the circuit.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// The value in the store, if there is one and the store can be read.
    pub(crate) raw: Option<Bytes>,
    /// How long the key will live; `None`: for ever, or there is none.
    pub(crate) ttl: Option<Duration>,
    /// Newest first.
    pub(crate) history: Vec<Transition>,
    /// What each living instance sees.
    pub(crate) views: BTreeMap<String, View>,
    /// Writes to the store since the beginning.
    pub(crate) write_count: usize,
}

/// What an instance sees.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) report: Report,
    /// It can reach the store, so it must see what the others see.
    pub(crate) connected: bool,
}
