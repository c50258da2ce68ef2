//! The two simulated providers: the demo's own schedule breaks one of them, and people on the page break either.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use breaker::ModelKey;
use gateway::DemoProviders;
use simulator::{Behaviour, ProviderError, Simulator};

/// The time until a provider responds.
const LATENCY: Duration = Duration::from_millis(40);

/// The providers of the demo.
#[derive(Debug)]
pub(super) struct Providers {
    /// The primary first.
    all: [Provider; 2],
    state: Mutex<State>,
}

/// A provider with its one model.
#[derive(Debug)]
struct Provider {
    model: ModelKey,
    simulator: Simulator,
}

#[derive(Debug, Default)]
struct State {
    /// The primary fails by the demo's schedule.
    outage: bool,
    /// Which of them fail until somebody heals them.
    broken: [bool; 2],
    /// What people have done since it was last asked for.
    changes: Vec<ProviderChange>,
}

/// What somebody did on the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ProviderChange {
    pub(super) model: ModelKey,
    pub(super) broken: bool,
}

impl State {
    const fn fails(&self, index: usize) -> bool {
        self.broken[index] || (index == 0 && self.outage)
    }
}

impl Providers {
    pub(super) async fn start(primary: &ModelKey, backup: &ModelKey) -> anyhow::Result<Self> {
        let start = async |model: &ModelKey| {
            // Recorded requests would let a long demo grow without bound.
            let settings = simulator::Settings {
                default_behaviour: healthy(),
                record_requests: false,
                ..simulator::Settings::default()
            };
            let simulator = Simulator::start_with(settings).await;
            let simulator = simulator.context("cannot listen on 127.0.0.1 for a simulated provider")?;
            anyhow::Ok(Provider { model: model.clone(), simulator })
        };
        Ok(Self { all: [start(primary).await?, start(backup).await?], state: Mutex::default() })
    }

    /// The base URLs, the primary's first.
    pub(super) fn base_urls(&self) -> [String; 2] {
        [&self.all[0], &self.all[1]].map(|provider| provider.simulator.openai_base_url())
    }

    /// By schedule, the primary answers every request with HTTP 503 or all of them well. Returns whether that changes anything:
    /// what people have broken stays so.
    pub(super) fn set_outage(&self, outage: bool) -> bool {
        let mut state = self.state();
        let before = state.fails(0);
        state.outage = outage;
        self.apply(&state);
        state.fails(0) != before
    }

    /// What people have done since the last call.
    pub(super) fn take_changes(&self) -> Vec<ProviderChange> {
        std::mem::take(&mut self.state().changes)
    }

    /// Requests sent to the primary, counted by its provider.
    pub(super) fn primary_calls(&self) -> usize {
        let Provider { model, simulator } = &self.all[0];
        simulator.traffic().calls(model.model())
    }

    fn apply(&self, state: &State) {
        for (index, Provider { model, simulator }) in self.all.iter().enumerate() {
            let overloaded = Behaviour::from(ProviderError::overloaded()).latency(LATENCY);
            simulator.script(model.model(), if state.fails(index) { overloaded } else { healthy() });
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DemoProviders for Providers {
    fn names(&self) -> Vec<String> {
        self.all.iter().map(|provider| provider.model.provider().to_owned()).collect()
    }

    fn broken(&self) -> Vec<String> {
        let state = self.state();
        self.names()
            .into_iter()
            .enumerate()
            .filter(|(index, _)| state.fails(*index))
            .map(|(_, name)| name)
            .collect()
    }

    fn set_broken(&self, name: &str, broken: bool) -> bool {
        let Some(index) = self.all.iter().position(|provider| provider.model.provider() == name) else {
            return false;
        };
        let mut state = self.state();
        let before = state.fails(index);
        state.broken[index] = broken;
        // Who heals the primary ends the demo's own outage, too.
        state.outage &= index > 0 || broken;
        if state.fails(index) != before {
            let model = self.all[index].model.clone();
            state.changes.push(ProviderChange { model, broken });
        }
        self.apply(&state);
        true
    }
}

const fn healthy() -> Behaviour {
    Behaviour::ok().latency(LATENCY).gap(Duration::from_millis(10)).words(8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_person_breaks_outlives_the_schedule() {
        let [primary, backup] = ["primary:a", "backup:b"].map(|key| key.parse().unwrap());
        let providers = Providers::start(&primary, &backup).await.unwrap();
        assert_eq!(providers.names(), ["primary", "backup"]);
        let change = |model: &ModelKey, broken| vec![ProviderChange { model: model.clone(), broken }];
        // A step: the schedule's outage, or somebody's break or heal, and what is broken after it.
        assert!(providers.set_outage(true));
        assert_eq!(providers.broken(), ["primary"]);
        assert!(providers.set_broken("primary", true));
        assert_eq!(providers.take_changes(), [], "it failed already");
        assert!(!providers.set_outage(false));
        assert_eq!(providers.broken(), ["primary"]);
        assert!(providers.set_broken("backup", true));
        assert_eq!((providers.broken().len(), providers.take_changes()), (2, change(&backup, true)));
        assert!(!providers.set_outage(true));
        assert!(providers.set_broken("primary", false), "also the schedule's outage ends");
        assert_eq!(
            (providers.broken(), providers.take_changes()),
            (vec!["backup".to_owned()], change(&primary, false))
        );
        assert!(!providers.set_broken("nobody", true));
    }
}
