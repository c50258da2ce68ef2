//! What the demonstration is played with: two providers, and the gateway with its circuits.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use breaker::{InstanceId, ModelKey, Policy, State, Transition};
use circuits::{Circuits, MemoryStore, Policies};
use gateway::{Gateway, Keys};
use manager::{ModelManager, OnAuthError, Retry, Route, StreamMode};
use providers::{Kind, ProviderConfig, Timeouts};
use simulator::{ProviderError, Script, Simulator};

use super::{FIRST, SECOND};
use crate::output::Style;

/// The whole of it, on loopback.
pub(super) struct Stage {
    first: Simulator,
    /// Held so that it goes on answering.
    _second: Simulator,
    pub(super) url: String,
    circuits: Circuits,
    key: ModelKey,
    dead: Mutex<Dead>,
}

/// Calls that the first provider received while it was dead, by its own count.
#[derive(Default)]
struct Dead {
    /// All calls at the moment of its death, while it is dead.
    since: Option<usize>,
    calls: usize,
}

impl Stage {
    pub(super) async fn set_up() -> anyhow::Result<Self> {
        let (first, second) = (Simulator::start().await?, Simulator::start().await?);
        let key = ModelKey::new("first", FIRST)?;
        let models = vec![key.clone(), ModelKey::new("second", SECOND)?];
        let circuits = circuits();
        let settings = manager::Settings {
            providers: vec![provider("first", &first)?, provider("second", &second)?],
            routes: BTreeMap::from([("demo".to_owned(), route(models))]),
            retry: retry(),
            timeouts: Timeouts::default(),
        };
        let manager = Arc::new(ModelManager::new(settings, circuits.clone())?);
        let listen = ([127, 0, 0, 1], 0).into();
        let settings = gateway::Settings { listen, keys: Keys::new(Vec::new(), Vec::new()) };
        let gateway = Gateway::bind(settings, manager).await?;
        let url = format!("http://{}", gateway.address());
        circuits.ready().await;
        tokio::spawn(gateway.serve(std::future::pending()));
        Ok(Self { first, _second: second, url, circuits, key, dead: Mutex::default() })
    }

    /// The first model's transitions since an epoch, oldest first.
    pub(super) async fn transitions_since(&self, epoch: u64) -> Vec<Transition> {
        let mut entries = self.circuits.history(&self.key, 1_000).await.unwrap_or_default();
        entries.retain(|entry| entry.epoch > epoch);
        entries.reverse();
        entries
    }

    pub(super) async fn newest_epoch(&self) -> u64 {
        self.transitions_since(0).await.last().map_or(0, |entry| entry.epoch)
    }

    pub(super) fn kill_the_first(&self) {
        self.first.script(FIRST, Script::always(ProviderError::overloaded()));
        self.dead().since = Some(self.first.seen().calls(FIRST));
    }

    pub(super) fn revive_the_first(&self) {
        self.first.script(FIRST, Script::default());
        let calls = self.calls_to_the_dead();
        *self.dead() = Dead { since: None, calls };
    }

    /// Calls that reached the first provider while it was dead, by its own count.
    pub(super) fn calls_to_the_dead(&self) -> usize {
        let dead = self.dead();
        dead.calls + dead.since.map_or(0, |before| self.first.seen().calls(FIRST) - before)
    }

    fn dead(&self) -> MutexGuard<'_, Dead> {
        self.dead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn words_for(&self, entry: &Transition) -> (Style, String) {
        let key = &self.key;
        let wait = self.circuits.reports().into_iter().find(|report| report.key == *key);
        let seconds = wait
            .and_then(|report| report.retry_in_ms)
            .map_or(0.0, |ms| Duration::from_millis(ms).as_secs_f64());
        let reason = entry.reason.in_short();
        match (entry.from, entry.to) {
            (State::HalfOpen, State::Open) => {
                (Style::Bad, format!("{key}: the probe failed ({reason}). OPEN again, for {seconds:.1} s."))
            }
            (_, State::Open) => (
                Style::Bad,
                format!(
                    "{key}: 3 failures in a row ({reason}). OPEN for {seconds:.1} s: calls go to second:{SECOND} at once."
                ),
            ),
            (_, State::HalfOpen) => (
                Style::Warning,
                format!(
                    "{key}: HALF_OPEN. One call goes through as a probe; all others go to second:{SECOND}."
                ),
            ),
            (_, State::Closed) => {
                (Style::Good, format!("{key}: the probe succeeded. CLOSED: calls go to it again."))
            }
        }
    }
}

fn circuits() -> Circuits {
    let policy = Policy { open_for: Duration::from_secs(3), ..Policy::default() };
    let policies = Policies { default: policy, ..Policies::default() };
    let settings = circuits::Settings { policies, ..circuits::Settings::new(InstanceId::new("demo")) };
    Circuits::start(Arc::new(MemoryStore::default()), settings)
}

fn provider(name: &str, simulator: &Simulator) -> anyhow::Result<ProviderConfig> {
    let base_url = simulator.openai_base_url().parse()?;
    Ok(ProviderConfig { name: name.to_owned(), kind: Kind::OpenAi, base_url, api_key: None })
}

fn retry() -> Retry {
    Retry { attempts: 2, backoff: Duration::from_millis(100), ..Retry::default() }
}

fn route(models: Vec<ModelKey>) -> Route {
    Route {
        models,
        retry: retry(),
        timeouts: Timeouts::default(),
        stream: StreamMode::Relay,
        hedge_after: None,
        on_auth_error: OnAuthError::Report,
    }
}
