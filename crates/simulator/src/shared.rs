//! What the handle and all connections share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::behaviour::Behaviour;
use crate::model_names::{self, UnknownName};
use crate::script::Script;
use crate::seen::Journal;
use crate::server::Settings;

pub(crate) struct Shared {
    pub(crate) journal: Journal,
    pub(crate) record: bool,
    plan: Mutex<Plan>,
    requests: AtomicU64,
    stop: watch::Sender<bool>,
}

/// What the handle may change at any time.
struct Plan {
    scripts: HashMap<String, Script>,
    others: Script,
    /// What a model's name adds its wishes to.
    base: Behaviour,
    api_key: Option<String>,
}

impl Shared {
    pub(crate) fn new(settings: Settings) -> Self {
        let plan = Plan {
            scripts: HashMap::new(),
            base: Behaviour { fault: None, ..settings.others.clone() },
            others: settings.others.into(),
            api_key: settings.api_key,
        };
        Self {
            journal: Journal::default(),
            record: settings.record,
            plan: Mutex::new(plan),
            requests: AtomicU64::new(0),
            stop: watch::Sender::new(false),
        }
    }

    pub(crate) fn script(&self, model: String, script: Script) {
        self.plan().scripts.insert(model, script);
    }

    pub(crate) fn script_others(&self, script: Script) {
        self.plan().others = script;
    }

    pub(crate) fn require_key(&self, api_key: Option<String>) {
        self.plan().api_key = api_key;
    }

    /// The behaviour of the model's next call, which is then used up.
    pub(crate) fn next_behaviour(&self, model: &str) -> Result<Behaviour, UnknownName> {
        let mut plan = self.plan();
        if let Some(script) = plan.scripts.get_mut(model) {
            return Ok(script.next());
        }
        let Some(mut script) = model_names::script(model, &plan.base)? else {
            return Ok(plan.others.next());
        };
        let behaviour = script.next();
        plan.scripts.insert(model.to_owned(), script);
        Ok(behaviour)
    }

    pub(crate) fn scripted_models(&self) -> Vec<String> {
        let mut models: Vec<String> = self.plan().scripts.keys().cloned().collect();
        models.sort_unstable();
        models
    }

    pub(crate) fn accepts_key(&self, sent: Option<&[u8]>) -> bool {
        self.plan().api_key.as_ref().is_none_or(|key| sent == Some(key.as_bytes()))
    }

    /// The number of the next request, from 1.
    pub(crate) fn next_number(&self) -> u64 {
        self.requests.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }

    pub(crate) fn stopping(&self) -> Stopping {
        Stopping::when(&self.stop)
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        // A plan is whole after each statement, so a panic elsewhere spoils nothing.
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells that something is to end.
pub(crate) struct Stopping(watch::Receiver<bool>);

impl Stopping {
    pub(crate) fn when(stop: &watch::Sender<bool>) -> Self {
        Self(stop.subscribe())
    }

    pub(crate) fn has_come(&self) -> bool {
        *self.0.borrow()
    }

    pub(crate) async fn wait(&mut self) {
        // The sender gone is an end too.
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}
