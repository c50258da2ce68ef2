//! State that the handle and all connections share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::behaviour::Behaviour;
use crate::model_names::{self, UnknownName};
use crate::script::Script;
use crate::settings::Settings;
use crate::stored_responses::StoredResponses;
use crate::traffic::TrafficRecorder;

pub(crate) struct Shared {
    pub(crate) recorder: TrafficRecorder,
    pub(crate) record_requests: bool,
    pub(crate) keep_alive: bool,
    /// Distinguishes this provider from others.
    pub(crate) name: String,
    stored: Mutex<StoredResponses>,
    config: Mutex<RuntimeConfig>,
    request_count: AtomicU64,
    shutdown: watch::Sender<bool>,
}

/// What the handle may change at any time.
struct RuntimeConfig {
    scripts: HashMap<String, Script>,
    /// A text, and the script of all requests whose body contains it.
    request_scripts: Vec<(String, Script)>,
    default_script: Script,
    /// What the options in a model's name are applied to.
    base_behaviour: Behaviour,
    api_key: Option<String>,
}

impl Shared {
    pub(crate) fn new(settings: Settings) -> Self {
        let config = RuntimeConfig {
            scripts: HashMap::new(),
            request_scripts: Vec::new(),
            base_behaviour: Behaviour { fault: None, ..settings.default_behaviour.clone() },
            default_script: settings.default_behaviour.into(),
            api_key: settings.api_key,
        };
        Self {
            recorder: TrafficRecorder::default(),
            record_requests: settings.record_requests,
            keep_alive: settings.keep_alive,
            name: settings.name,
            stored: Mutex::default(),
            config: Mutex::new(config),
            request_count: AtomicU64::new(0),
            shutdown: watch::Sender::new(false),
        }
    }

    pub(crate) fn script(&self, model: String, script: Script) {
        self.config().scripts.insert(model, script);
    }

    pub(crate) fn script_requests(&self, text: String, script: Script) {
        let mut config = self.config();
        config.request_scripts.retain(|(known, _)| *known != text);
        config.request_scripts.push((text, script));
    }

    pub(crate) fn script_default(&self, script: Script) {
        self.config().default_script = script;
    }

    pub(crate) fn require_key(&self, api_key: Option<String>) {
        self.config().api_key = api_key;
    }

    /// Takes the behaviour of the next call of this model with this body.
    pub(crate) fn next_behaviour(&self, model: &str, body: &[u8]) -> Result<Behaviour, UnknownName> {
        let mut config = self.config();
        let contains = |text: &str| memchr::memmem::find(body, text.as_bytes()).is_some();
        if let Some((_, script)) = config.request_scripts.iter_mut().find(|(text, _)| contains(text)) {
            return Ok(script.next());
        }
        if let Some(script) = config.scripts.get_mut(model) {
            return Ok(script.next());
        }
        let Some(mut script) = model_names::script(model, &config.base_behaviour)? else {
            return Ok(config.default_script.next());
        };
        let behaviour = script.next();
        config.scripts.insert(model.to_owned(), script);
        Ok(behaviour)
    }

    pub(crate) fn scripted_models(&self) -> Vec<String> {
        let mut models: Vec<String> = self.config().scripts.keys().cloned().collect();
        models.sort_unstable();
        models
    }

    pub(crate) fn accepts_key(&self, sent: Option<&[u8]>) -> bool {
        self.config().api_key.as_ref().is_none_or(|key| sent == Some(key.as_bytes()))
    }

    /// The number of the next request, from 1.
    pub(crate) fn next_number(&self) -> u64 {
        self.request_count.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn shut_down(&self) {
        self.shutdown.send_replace(true);
    }

    pub(crate) fn shutdown_signal(&self) -> ShutdownSignal {
        ShutdownSignal::subscribe(&self.shutdown)
    }

    pub(crate) fn stored(&self) -> MutexGuard<'_, StoredResponses> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn config(&self) -> MutexGuard<'_, RuntimeConfig> {
        // The configuration is consistent after each statement, so a poisoned lock does no harm.
        self.config.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Signals that something must stop.
pub(crate) struct ShutdownSignal(watch::Receiver<bool>);

impl ShutdownSignal {
    pub(crate) fn subscribe(shutdown: &watch::Sender<bool>) -> Self {
        Self(shutdown.subscribe())
    }

    pub(crate) fn is_triggered(&self) -> bool {
        *self.0.borrow()
    }

    pub(crate) async fn triggered(&mut self) {
        // A dropped sender means a stop, too.
        let _ = self.0.wait_for(|is_triggered| *is_triggered).await;
    }
}
