//! What is counted of calls, for whoever scrapes it.
//!
//! Labels are bounded, whatever clients ask for: routes and their models are the configuration's; another model gets
//! a label of its own once it has answered, and at most [`OTHERS`] do.

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use breaker::ModelKey;
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

use crate::{Chain, latency::Latencies};

/// So many models that stand on no route have a label of their own.
const OTHERS: usize = 100;

/// Counts calls.
pub struct Meter {
    calls: Family<CallLabels, Counter>,
    attempts: Family<AttemptLabels, Counter>,
    fallbacks: Family<RouteLabels, Counter>,
    duration: Family<RouteLabels, Histogram, NewHistogram>,
    first_token: Family<RouteLabels, Histogram, NewHistogram>,
    tokens: Family<TokenLabels, Counter>,
    in_flight: Gauge,
    streams: Gauge,
    latencies: Latencies,
    /// Models off all routes that have answered.
    others: RwLock<HashSet<ModelKey>>,
    /// From now on a call that is dropped was broken off by this process.
    breaks_off: AtomicBool,
}

type NewHistogram = fn() -> Histogram;

/// A name that a label may have.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Name {
    Route(Arc<str>),
    Model(ModelKey),
    Other,
}

impl EncodeLabelValue for Name {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        let text: &str = match self {
            Self::Route(name) => name,
            Self::Model(key) => key.as_str(),
            Self::Other => "other",
        };
        EncodeLabelValue::encode(&text, encoder)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    /// The route, or the model that was asked for directly.
    route: Name,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AttemptLabels {
    model: Name,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: Name,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TokenLabels {
    model: Name,
    direction: &'static str,
}

/// What a call came to.
pub(crate) struct Ended<'a> {
    /// `None`: behind the name that was asked for is no model.
    pub(crate) chain: Option<&'a Chain>,
    pub(crate) outcome: &'static str,
    /// The model that gave a good, whole answer.
    pub(crate) answered: Option<&'a ModelKey>,
    /// What that answer cost.
    pub(crate) usage: Usage,
    pub(crate) duration: Duration,
    pub(crate) first_token: Option<Duration>,
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            calls: Family::default(),
            attempts: Family::default(),
            fallbacks: Family::default(),
            duration: Family::new_with_constructor(seconds),
            first_token: Family::new_with_constructor(seconds),
            tokens: Family::default(),
            in_flight: Gauge::default(),
            streams: Gauge::default(),
            latencies: Latencies::default(),
            others: RwLock::default(),
            breaks_off: AtomicBool::new(false),
        }
    }
}

/// From a hundredth of a second, doubling, to five and a half minutes.
fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.01, 2.0, 16))
}

impl Meter {
    /// Shows the counts in a registry.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("calls", "Calls that have ended, by requested route or model", self.calls.clone());
        registry.register("attempts", "Calls made to providers that have ended", self.attempts.clone());
        let help = "Calls answered by another model than the first of the chain";
        registry.register("fallbacks", help, self.fallbacks.clone());
        let help = "From a call's arrival to the end of its response";
        registry.register_with_unit("call_duration", help, Unit::Seconds, self.duration.clone());
        let help = "From a streaming call's arrival to its first token";
        registry.register_with_unit("time_to_first_token", help, Unit::Seconds, self.first_token.clone());
        let help = "Tokens of complete responses, as counted by the providers";
        registry.register("tokens", help, self.tokens.clone());
        registry.register("calls_in_flight", "Calls in flight", self.in_flight.clone());
        registry.register("streams_open", "Streaming calls in flight", self.streams.clone());
    }

    /// How long each model's streams have taken lately until their first content, as this process saw it; only
    /// models that had a stream in the last minutes.
    #[must_use]
    pub fn first_content_by_model(&self) -> BTreeMap<ModelKey, Duration> {
        self.latencies.now()
    }

    /// From now on a call that is dropped was broken off by this process, and not left by its client.
    pub(crate) fn breaks_off(&self) {
        self.breaks_off.store(true, Ordering::Relaxed);
    }

    /// What a call came to that was dropped.
    pub(crate) fn outcome_of_a_drop(&self) -> &'static str {
        if self.breaks_off.load(Ordering::Relaxed) { "aborted" } else { "client_disconnected" }
    }

    /// A call begins.
    pub(crate) fn call_begins(&self, stream: bool) {
        self.in_flight.inc();
        self.streams.inc_by(i64::from(stream));
    }

    /// A call that began has ended.
    pub(crate) fn call_ends(&self, stream: bool, ended: &Ended<'_>) {
        self.in_flight.dec();
        self.streams.dec_by(i64::from(stream));
        let route = ended.chain.map_or(Name::Other, |chain| self.name_of(chain, ended.answered.is_some()));
        let labels = CallLabels { route: route.clone(), outcome: ended.outcome };
        self.calls.get_or_create(&labels).inc();
        let Some(chain) = ended.chain else { return };
        let route = RouteLabels { route };
        self.duration.get_or_create(&route).observe(ended.duration.as_secs_f64());
        if let Some(first_token) = ended.first_token {
            self.first_token.get_or_create(&route).observe(first_token.as_secs_f64());
        }
        let Some(key) = ended.answered else { return };
        if chain.models().next() != Some(key) {
            self.fallbacks.get_or_create(&route).inc();
        }
        for (direction, tokens) in [("input", ended.usage.input), ("output", ended.usage.output)] {
            if let Some(tokens) = tokens {
                let model = self.name_of_model(key, chain.model_is_on_a_route, true);
                self.tokens.get_or_create(&TokenLabels { model, direction }).inc_by(tokens);
            }
        }
    }

    /// A call to a model begins; `on_a_route`: whether some route names it.
    pub(crate) fn attempt(self: &Arc<Self>, key: &ModelKey, on_a_route: bool) -> Attempt {
        Attempt {
            meter: Arc::clone(self),
            key: key.clone(),
            on_a_route,
            began: Instant::now(),
            outcome: "stopped",
        }
    }

    fn name_of(&self, chain: &Chain, answered: bool) -> Name {
        match chain.models().next() {
            Some(key) if !chain.is_route() => self.name_of_model(key, chain.model_is_on_a_route, answered),
            _ => Name::Route(Arc::clone(&chain.name)),
        }
    }

    fn name_of_model(&self, key: &ModelKey, on_a_route: bool, answered: bool) -> Name {
        if on_a_route || self.is_named(key, answered) { Name::Model(key.clone()) } else { Name::Other }
    }

    fn is_named(&self, key: &ModelKey, answered: bool) -> bool {
        let named = self.others.read().unwrap_or_else(PoisonError::into_inner).contains(key);
        if named || !answered {
            return named;
        }
        let mut others = self.others.write().unwrap_or_else(PoisonError::into_inner);
        others.contains(key) || (others.len() < OTHERS && others.insert(key.clone()))
    }
}

/// A call to a provider. Counted when it is dropped.
pub(crate) struct Attempt {
    meter: Arc<Meter>,
    key: ModelKey,
    on_a_route: bool,
    began: Instant,
    /// What it came to; as long as nothing else is said, it was stopped: its client left, or another was sooner.
    pub(crate) outcome: &'static str,
}

impl Attempt {
    /// The stream said its first content.
    pub(crate) fn first_token(&self) {
        if let Name::Model(key) = self.meter.name_of_model(&self.key, self.on_a_route, true) {
            self.meter.latencies.note(&key, self.began.elapsed());
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let answered = self.outcome == crate::blame::ANSWERED;
        let model = self.meter.name_of_model(&self.key, self.on_a_route, answered);
        self.meter.attempts.get_or_create(&AttemptLabels { model, outcome: self.outcome }).inc();
    }
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt")
            .field("key", &self.key)
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meter").field("in_flight", &self.in_flight.get()).finish_non_exhaustive()
    }
}
