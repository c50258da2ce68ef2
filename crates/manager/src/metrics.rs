//! Metrics of calls.
//!
//! Labels are bounded, whatever clients request: routes and their models come from the configuration. Any other model
//! gets a label of its own once it has responded, and at most [`MAX_UNROUTED_LABELS`] do. Callers are named by the
//! configuration, too.

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use breaker::{CallerName, ModelKey};
use dialects::Usage;
use per_core::{CoreArc, PerCore};
use prometheus_client::{collector::Collector, encoding::DescriptorEncoder, registry::Registry};
use tokio::time::Instant;

use crate::{
    Chain, ChainModel, Translated,
    core_counts::{CoreCounts, Tokens},
    exposition::Exposition,
    first_bytes::FirstBytes,
    latency::Latencies,
    outcome::{ABORTED, ANSWERED, CANCELLED, CLIENT_DISCONNECTED},
};

/// The most models without a route that have a label of their own.
const MAX_UNROUTED_LABELS: usize = 100;

/// The label of models without one of their own, and of calls that named nothing that there is.
const OTHER: &str = "other";

/// Metrics of calls. Those that every call counts are counted by core.
#[derive(Default)]
pub struct CallMetrics {
    cores: PerCore<Core>,
    latencies: Latencies,
    first_bytes: FirstBytes,
    /// Models without a route that have responded.
    unrouted: ArcSwap<HashSet<ModelKey>>,
    /// Whether a call that is dropped was aborted by this process.
    aborting: AtomicBool,
}

/// What one core has counted. A call may end on another core than it started on.
#[derive(Default)]
struct Core {
    /// Calls started, less those ended.
    in_flight: AtomicI64,
    /// The same of streaming calls.
    streams: AtomicI64,
    counts: Mutex<CoreCounts>,
}

impl Core {
    fn counts(&self) -> MutexGuard<'_, CoreCounts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The result of a call.
pub(crate) struct CallSummary<'a> {
    /// The name of the caller's key.
    pub(crate) caller: Option<&'a CallerName>,
    /// `None`: unknown route or model.
    pub(crate) chain: Option<&'a Chain>,
    pub(crate) outcome: &'static str,
    /// The model that returned a good, complete response.
    pub(crate) answered_by: Option<&'a ModelKey>,
    /// The tokens of that response.
    pub(crate) usage: Usage,
    pub(crate) duration: Duration,
    pub(crate) first_token: Option<Duration>,
}

impl CallMetrics {
    /// A model of another API format than the caller's has responded.
    pub(crate) fn call_translated(&self, translated: &Translated) {
        let formats = (translated.from.label(), translated.to.label());
        *self.cores.local().counts().translations.entry(formats).or_default() += 1;
    }

    /// Registers all metrics.
    pub fn register(self: &Arc<Self>, registry: &mut Registry) {
        registry.register_collector(Box::new(Arc::clone(self)));
    }

    /// The recent time to first token of each model in this process; only models with a stream in the last minutes.
    #[must_use]
    pub fn ttft_by_model(&self) -> BTreeMap<ModelKey, Duration> {
        self.latencies.snapshot()
    }

    /// From now on, a call that is dropped was aborted by this process, not by a client that disconnected.
    pub(crate) fn mark_aborting(&self) {
        self.aborting.store(true, Ordering::Relaxed);
    }

    /// The outcome of a call that was dropped.
    pub(crate) fn dropped_call_outcome(&self) -> &'static str {
        if self.aborting.load(Ordering::Relaxed) { ABORTED } else { CLIENT_DISCONNECTED }
    }

    /// A call starts.
    pub(crate) fn call_started(&self, stream: bool) {
        let core = self.cores.local();
        core.in_flight.fetch_add(1, Ordering::Relaxed);
        if stream {
            core.streams.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A call has ended.
    pub(crate) fn call_ended(&self, stream: bool, summary: &CallSummary<'_>) {
        let core = self.cores.local();
        core.in_flight.fetch_sub(1, Ordering::Relaxed);
        if stream {
            core.streams.fetch_sub(1, Ordering::Relaxed);
        }
        let route = summary.chain.map(|chain| self.route_label(chain, summary.answered_by.is_some()));
        let caller = summary.caller.map_or("", CallerName::as_str);
        let mut counts = core.counts();
        let route = counts.routes.of(route.unwrap_or(OTHER));
        route.calls.of(caller).count(summary.outcome, 1);
        let Some(chain) = summary.chain else { return };
        route.duration.observe(summary.duration.as_secs_f64());
        if let Some(first_token) = summary.first_token {
            route.first_token.observe(first_token.as_secs_f64());
        }
        let Some(key) = summary.answered_by else { return };
        if !chain.first_group().iter().any(|entry| entry.key == *key) {
            route.fallbacks += 1;
        }
        let Usage { input, output, .. } = summary.usage;
        if input.is_some() || output.is_some() {
            let tokens = Tokens { input, output };
            route.tokens.add(tokens);
            let model = self.model_label(key, chain, true).map_or(OTHER, ModelKey::as_str);
            counts.models.of(model).tokens.add(tokens);
        }
    }

    /// The label of a call's route, or of its model if it named no route.
    fn route_label<'a>(&self, chain: &'a Chain, answered: bool) -> &'a str {
        match chain.models().next() {
            Some(key) if !chain.is_route() => {
                self.model_label(key, chain, answered).map_or(OTHER, ModelKey::as_str)
            }
            _ => chain.name(),
        }
    }

    /// The label of a model of a chain, if it has one of its own.
    fn model_label<'a>(&self, key: &'a ModelKey, chain: &Chain, answered: bool) -> Option<&'a ModelKey> {
        // A label stays. Without a route, a chain has one model.
        let is_found = chain.is_routed_model || chain.has_own_label.get().is_some();
        if !is_found && self.has_own_label(key, answered) {
            chain.has_own_label.get_or_init(|| ());
            return Some(key);
        }
        is_found.then_some(key)
    }

    fn has_own_label(&self, key: &ModelKey, answered: bool) -> bool {
        if self.unrouted.load().contains(key) {
            return true;
        }
        if !answered {
            return false;
        }
        self.unrouted.rcu(|known| {
            let mut known = HashSet::clone(known);
            if known.len() < MAX_UNROUTED_LABELS {
                known.insert(key.clone());
            }
            known
        });
        self.unrouted.load().contains(key)
    }

    /// What all cores have counted.
    pub(crate) fn exposition(&self) -> Exposition {
        let mut exposition = Exposition { counts: CoreCounts::default(), in_flight: 0, streams: 0 };
        for core in self.cores.iter() {
            exposition.in_flight += core.in_flight.load(Ordering::Relaxed);
            exposition.streams += core.streams.load(Ordering::Relaxed);
            exposition.counts.add(&core.counts());
        }
        // The end of a call may be seen without its start.
        exposition.in_flight = exposition.in_flight.max(0);
        exposition.streams = exposition.streams.max(0);
        exposition
    }
}

impl Collector for CallMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.exposition().encode(&mut encoder)
    }
}

/// The metrics of one attempt, which is counted when this is dropped.
pub(crate) struct AttemptMetrics {
    metrics: CoreArc<CallMetrics>,
    model: ChainModel,
    started_at: Instant,
    /// Whether its start was counted under the model's own label: a model may get one meanwhile.
    started_as_own: bool,
    first_token: Option<Duration>,
    /// [`CANCELLED`] unless it is set.
    pub(crate) outcome: &'static str,
}

impl AttemptMetrics {
    /// An attempt at a model starts.
    pub(crate) fn start(metrics: CoreArc<CallMetrics>, model: ChainModel, started_at: Instant) -> Self {
        let mut attempt =
            Self { metrics, model, started_at, started_as_own: false, first_token: None, outcome: CANCELLED };
        attempt.started_as_own = attempt.label(false).is_some();
        let label = attempt.start_label();
        attempt.metrics.cores.local().counts().models.of(label).in_flight += 1;
        attempt
    }

    fn start_label(&self) -> &str {
        if self.started_as_own { self.model.as_str() } else { OTHER }
    }

    fn label(&self, answered: bool) -> Option<&ModelKey> {
        self.metrics.model_label(&self.model, self.model.chain(), answered)
    }

    /// The first token of the stream was received.
    pub(crate) fn on_first_token(&mut self) {
        let first_token = self.started_at.elapsed();
        self.first_token = Some(first_token);
        if let Some(key) = self.label(true) {
            self.metrics.latencies.record(key, first_token);
        }
    }

    /// A good stream of this model had its first byte after this time.
    pub(crate) fn record_first_byte(&self, after: Duration) {
        if let Some(key) = self.label(true) {
            self.metrics.first_bytes.record(key, after);
        }
    }

    /// The 95th percentile of the first bytes of this model's last good streams.
    pub(crate) fn usual_first_byte(&self) -> Option<Duration> {
        self.metrics.first_bytes.percentile_95(&self.model)
    }
}

impl Drop for AttemptMetrics {
    fn drop(&mut self) {
        let answered = self.outcome == ANSWERED;
        let label = self.label(answered).map_or(OTHER, ModelKey::as_str);
        let duration = answered.then(|| self.started_at.elapsed());
        let mut counts = self.metrics.cores.local().counts();
        let model = counts.models.of(label);
        model.attempts.count(self.outcome, 1);
        if let Some(duration) = duration {
            model.duration.observe(duration.as_secs_f64());
        }
        if let Some(first_token) = self.first_token {
            model.first_token.observe(first_token.as_secs_f64());
        }
        if label == self.start_label() {
            model.in_flight -= 1;
        } else {
            counts.models.of(self.start_label()).in_flight -= 1;
        }
    }
}

impl fmt::Debug for AttemptMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttemptMetrics")
            .field("key", &*self.model)
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for CallMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallMetrics").finish_non_exhaustive()
    }
}
