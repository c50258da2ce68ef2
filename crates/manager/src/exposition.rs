//! The metrics of calls as Prometheus gets them.

use std::fmt;

use prometheus_client::{
    encoding::{DescriptorEncoder, NoLabelSet},
    metrics::MetricType,
    registry::Unit,
};

use crate::core_counts::{ByLabel, CoreCounts, Times, Tokens};

/// What Prometheus gets: the counts of all cores, and the calls and streams in flight.
#[derive(Debug)]
pub(crate) struct Exposition {
    pub(crate) counts: CoreCounts,
    pub(crate) in_flight: i64,
    pub(crate) streams: i64,
}

/// A metric of one kind, for each set of labels.
type Rows<'a, const LABELS: usize, T> = Vec<([(&'static str, &'a str); LABELS], T)>;

impl Exposition {
    /// Writes all metrics.
    pub(crate) fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help =
            "Calls that have ended, by requested route or model, outcome and the name of the caller's key.";
        counters(encoder, "calls", help, self.calls())?;
        counters(encoder, "attempts", "Attempts at models that have ended, by outcome.", self.attempts())?;
        let help = "Calls answered by a model of another API format than the caller's.";
        counters(encoder, "translations", help, self.translations())?;
        let help = "Calls answered by a fallback, not by the first model of the chain.";
        counters(encoder, "fallbacks", help, self.fallbacks())?;
        let help = "Time from a call's arrival to the end of its response.";
        let routes = &self.counts.routes;
        histograms(encoder, "call_duration", help, times("route", routes, |route| &route.duration))?;
        let help = "Time from a streaming call's arrival to its first token.";
        histograms(encoder, "time_to_first_token", help, times("route", routes, |route| &route.first_token))?;
        let models = &self.counts.models;
        let help = "Time from the start of an attempt to the end of its good, complete response.";
        histograms(encoder, "attempt_duration", help, times("model", models, |model| &model.duration))?;
        let help = "Time from the start of an attempt at a stream to its first token.";
        let name = "attempt_time_to_first_token";
        histograms(encoder, name, help, times("model", models, |model| &model.first_token))?;
        let help = "Tokens of complete responses, as reported by the providers.";
        counters(encoder, "tokens", help, tokens("model", models, |model| model.tokens))?;
        let help = "The same by requested route or model.";
        counters(encoder, "route_tokens", help, tokens("route", routes, |route| route.tokens))?;
        let help = "Attempts at models in flight.";
        gauges(encoder, "attempts_in_flight", help, self.attempts_in_flight())?;
        gauge(encoder, "calls_in_flight", "Calls in flight.", self.in_flight)?;
        gauge(encoder, "streams_open", "Streaming calls in flight.", self.streams)
    }

    fn calls(&self) -> Rows<'_, 3, u64> {
        let mut rows = Vec::new();
        for (route, counts) in self.counts.routes.sorted() {
            for (caller, outcomes) in counts.calls.sorted() {
                let labels = |outcome| [("route", route), ("outcome", outcome), ("caller", caller)];
                rows.extend(outcomes.iter().map(|(outcome, count)| (labels(outcome), count)));
            }
        }
        rows
    }

    fn attempts(&self) -> Rows<'_, 2, u64> {
        let mut rows = Vec::new();
        for (model, counts) in self.counts.models.sorted() {
            let labels = |outcome| [("model", model), ("outcome", outcome)];
            rows.extend(counts.attempts.iter().map(|(outcome, count)| (labels(outcome), count)));
        }
        rows
    }

    fn translations(&self) -> Rows<'_, 2, u64> {
        let translations = &self.counts.translations;
        translations.iter().map(|(&(from, to), &count)| ([("from", from), ("to", to)], count)).collect()
    }

    fn fallbacks(&self) -> Rows<'_, 1, u64> {
        let routes = self.counts.routes.sorted().into_iter().filter(|(_, counts)| counts.fallbacks > 0);
        routes.map(|(route, counts)| ([("route", route)], counts.fallbacks)).collect()
    }

    fn attempts_in_flight(&self) -> Rows<'_, 1, i64> {
        let models = self.counts.models.sorted().into_iter();
        // The end of an attempt may be seen without its start.
        models.map(|(model, counts)| ([("model", model)], counts.in_flight.max(0))).collect()
    }
}

/// The histograms of what has any.
fn times<'a, T>(
    label: &'static str,
    all: &'a ByLabel<T>,
    times: impl Fn(&'a T) -> &'a Times,
) -> Rows<'a, 1, &'a Times> {
    let all = all.sorted().into_iter().map(|(name, counts)| (name, times(counts)));
    let observed = all.filter(|(_, times)| times.count() > 0);
    observed.map(|(name, times)| ([(label, name)], times)).collect()
}

fn tokens<'a, T>(
    label: &'static str,
    all: &'a ByLabel<T>,
    tokens: impl Fn(&T) -> Tokens,
) -> Rows<'a, 2, u64> {
    let mut rows = Vec::new();
    for (name, counts) in all.sorted() {
        let Tokens { input, output } = tokens(counts);
        for (direction, tokens) in [("input", input), ("output", output)] {
            rows.extend(tokens.map(|tokens| ([(label, name), ("direction", direction)], tokens)));
        }
    }
    rows
}

fn counters<const LABELS: usize>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    rows: Rows<'_, LABELS, u64>,
) -> fmt::Result {
    if rows.is_empty() {
        return Ok(());
    }
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (labels, count) in rows {
        metric.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&count, None)?;
    }
    Ok(())
}

fn histograms(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    rows: Rows<'_, 1, &Times>,
) -> fmt::Result {
    if rows.is_empty() {
        return Ok(());
    }
    let mut metric = encoder.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Histogram)?;
    for (labels, times) in rows {
        let mut metric = metric.encode_family(&labels)?;
        metric.encode_histogram::<NoLabelSet>(times.sum, times.count(), &times.buckets(), None)?;
    }
    Ok(())
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: i64) -> fmt::Result {
    encoder.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
}

fn gauges(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    rows: Rows<'_, 1, i64>,
) -> fmt::Result {
    if rows.is_empty() {
        return Ok(());
    }
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (labels, value) in rows {
        metric.encode_family(&labels)?.encode_gauge(&value)?;
    }
    Ok(())
}
