//! Metrics of calls.
//!
//! Labels are bounded, whatever clients request: routes and their models come from the configuration. Any other model
//! gets a label of its own once it has responded, and at most [`MAX_UNROUTED_LABELS`] do. Callers are named by the
//! configuration, too.

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use breaker::{CallerName, ModelKey};
use dialects::Usage;
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};
use tokio::time::Instant;

use crate::{
    Chain, Translated,
    first_bytes::FirstBytes,
    latency::Latencies,
    outcome::{ABORTED, ANSWERED, CANCELLED, CLIENT_DISCONNECTED},
};

/// The most models without a route that have a label of their own.
const MAX_UNROUTED_LABELS: usize = 100;

/// Metrics of calls.
pub struct CallMetrics {
    calls: Family<CallLabels, Counter>,
    attempts: Family<AttemptLabels, Counter>,
    fallbacks: Family<RouteLabels, Counter>,
    duration: Family<RouteLabels, Histogram, NewHistogram>,
    first_token: Family<RouteLabels, Histogram, NewHistogram>,
    tokens: Family<TokenLabels, Counter>,
    translations: Family<TranslationLabels, Counter>,
    in_flight: Gauge,
    streams: Gauge,
    latencies: Latencies,
    first_bytes: FirstBytes,
    /// Models without a route that have responded.
    unrouted: RwLock<HashSet<ModelKey>>,
    /// Whether a call that is dropped was aborted by this process.
    aborting: AtomicBool,
}

type NewHistogram = fn() -> Histogram;

/// The value of a label for a route or model.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum ModelLabel {
    Route(Arc<str>),
    Model(ModelKey),
    Other,
}

impl EncodeLabelValue for ModelLabel {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        let text: &str = match self {
            Self::Route(name) => name,
            Self::Model(key) => key.as_str(),
            Self::Other => "other",
        };
        EncodeLabelValue::encode(&text, encoder)
    }
}

/// The value of a label for a caller; empty, which is no label to Prometheus, where the gateway has no keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct CallerLabel(Option<CallerName>);

impl EncodeLabelValue for CallerLabel {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        let text = self.0.as_ref().map_or("", CallerName::as_str);
        EncodeLabelValue::encode(&text, encoder)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    /// The route, or the model that was requested without a route.
    route: ModelLabel,
    outcome: &'static str,
    caller: CallerLabel,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AttemptLabels {
    model: ModelLabel,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: ModelLabel,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TokenLabels {
    model: ModelLabel,
    direction: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TranslationLabels {
    from: &'static str,
    to: &'static str,
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

impl Default for CallMetrics {
    fn default() -> Self {
        Self {
            calls: Family::default(),
            attempts: Family::default(),
            fallbacks: Family::default(),
            duration: Family::new_with_constructor(latency_histogram),
            first_token: Family::new_with_constructor(latency_histogram),
            tokens: Family::default(),
            translations: Family::default(),
            in_flight: Gauge::default(),
            streams: Gauge::default(),
            latencies: Latencies::default(),
            first_bytes: FirstBytes::default(),
            unrouted: RwLock::default(),
            aborting: AtomicBool::new(false),
        }
    }
}

/// Buckets from 10 ms, doubling, to 5.5 minutes.
fn latency_histogram() -> Histogram {
    Histogram::new(exponential_buckets(0.01, 2.0, 16))
}

impl CallMetrics {
    /// A model of another API format than the caller's has responded.
    pub(crate) fn call_translated(&self, translated: &Translated) {
        let labels = TranslationLabels { from: translated.from.label(), to: translated.to.label() };
        self.translations.get_or_create(&labels).inc();
    }

    /// Registers all metrics.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "calls",
            "Calls that have ended, by requested route or model, outcome and the name of the caller's key",
            self.calls.clone(),
        );
        registry.register(
            "attempts",
            "Attempts at models that have ended, by outcome",
            self.attempts.clone(),
        );
        let help = "Calls answered by a model of another API format than the caller's";
        registry.register("translations", help, self.translations.clone());
        let help = "Calls answered by a fallback, not by the first model of the chain";
        registry.register("fallbacks", help, self.fallbacks.clone());
        let help = "Time from a call's arrival to the end of its response";
        registry.register_with_unit("call_duration", help, Unit::Seconds, self.duration.clone());
        let help = "Time from a streaming call's arrival to its first token";
        registry.register_with_unit("time_to_first_token", help, Unit::Seconds, self.first_token.clone());
        let help = "Tokens of complete responses, as reported by the providers";
        registry.register("tokens", help, self.tokens.clone());
        registry.register("calls_in_flight", "Calls in flight", self.in_flight.clone());
        registry.register("streams_open", "Streaming calls in flight", self.streams.clone());
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
        self.in_flight.inc();
        self.streams.inc_by(i64::from(stream));
    }

    /// A call has ended.
    pub(crate) fn call_ended(&self, stream: bool, summary: &CallSummary<'_>) {
        self.in_flight.dec();
        self.streams.dec_by(i64::from(stream));
        let route = summary
            .chain
            .map_or(ModelLabel::Other, |chain| self.route_label(chain, summary.answered_by.is_some()));
        let caller = CallerLabel(summary.caller.cloned());
        let labels = CallLabels { route: route.clone(), outcome: summary.outcome, caller };
        self.calls.get_or_create(&labels).inc();
        let Some(chain) = summary.chain else { return };
        let route = RouteLabels { route };
        self.duration.get_or_create(&route).observe(summary.duration.as_secs_f64());
        if let Some(first_token) = summary.first_token {
            self.first_token.get_or_create(&route).observe(first_token.as_secs_f64());
        }
        let Some(key) = summary.answered_by else { return };
        if !chain.first_group().iter().any(|entry| entry.key == *key) {
            self.fallbacks.get_or_create(&route).inc();
        }
        for (direction, tokens) in [("input", summary.usage.input), ("output", summary.usage.output)] {
            if let Some(tokens) = tokens {
                let model = self.model_label(key, chain.is_routed_model, true);
                self.tokens.get_or_create(&TokenLabels { model, direction }).inc_by(tokens);
            }
        }
    }

    /// An attempt at a model starts; `is_routed`: whether a route has the model.
    pub(crate) fn start_attempt(self: &Arc<Self>, key: &ModelKey, is_routed: bool) -> AttemptMetrics {
        AttemptMetrics {
            metrics: Arc::clone(self),
            key: key.clone(),
            is_routed,
            started_at: Instant::now(),
            outcome: CANCELLED,
        }
    }

    fn route_label(&self, chain: &Chain, answered: bool) -> ModelLabel {
        match chain.models().next() {
            Some(key) if !chain.is_route() => self.model_label(key, chain.is_routed_model, answered),
            _ => ModelLabel::Route(Arc::clone(&chain.name)),
        }
    }

    fn model_label(&self, key: &ModelKey, is_routed: bool, answered: bool) -> ModelLabel {
        if is_routed || self.has_own_label(key, answered) {
            ModelLabel::Model(key.clone())
        } else {
            ModelLabel::Other
        }
    }

    fn has_own_label(&self, key: &ModelKey, answered: bool) -> bool {
        let known = self.unrouted.read().unwrap_or_else(PoisonError::into_inner).contains(key);
        if known || !answered {
            return known;
        }
        let mut unrouted = self.unrouted.write().unwrap_or_else(PoisonError::into_inner);
        unrouted.contains(key) || (unrouted.len() < MAX_UNROUTED_LABELS && unrouted.insert(key.clone()))
    }
}

/// The metrics of one attempt, which is counted when this is dropped.
pub(crate) struct AttemptMetrics {
    metrics: Arc<CallMetrics>,
    key: ModelKey,
    is_routed: bool,
    started_at: Instant,
    /// [`CANCELLED`] unless it is set.
    pub(crate) outcome: &'static str,
}

impl AttemptMetrics {
    /// The first token of the stream was received.
    pub(crate) fn on_first_token(&self) {
        if let ModelLabel::Model(key) = self.metrics.model_label(&self.key, self.is_routed, true) {
            self.metrics.latencies.record(&key, self.started_at.elapsed());
        }
    }

    /// A good stream of this model had its first byte after this time.
    pub(crate) fn record_first_byte(&self, after: Duration) {
        if let ModelLabel::Model(key) = self.metrics.model_label(&self.key, self.is_routed, true) {
            self.metrics.first_bytes.record(&key, after);
        }
    }

    /// The 95th percentile of the first bytes of this model's last good streams.
    pub(crate) fn usual_first_byte(&self) -> Option<Duration> {
        self.metrics.first_bytes.percentile_95(&self.key)
    }
}

impl Drop for AttemptMetrics {
    fn drop(&mut self) {
        let answered = self.outcome == ANSWERED;
        let model = self.metrics.model_label(&self.key, self.is_routed, answered);
        self.metrics.attempts.get_or_create(&AttemptLabels { model, outcome: self.outcome }).inc();
    }
}

impl fmt::Debug for AttemptMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttemptMetrics")
            .field("key", &self.key)
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for CallMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallMetrics").field("in_flight", &self.in_flight.get()).finish_non_exhaustive()
    }
}
