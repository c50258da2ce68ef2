//! The metrics of calls as Prometheus gets them.

use std::fmt;

use prometheus_client::{
    encoding::{DescriptorEncoder, NoLabelSet},
    metrics::MetricType,
    registry::Unit,
};

use crate::core_counts::{CoreCounts, RouteCounts, Times};

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
        histograms(encoder, "call_duration", help, self.times(|route| &route.duration))?;
        let help = "Time from a streaming call's arrival to its first token.";
        histograms(encoder, "time_to_first_token", help, self.times(|route| &route.first_token))?;
        let help = "Tokens of complete responses, as reported by the providers.";
        counters(encoder, "tokens", help, self.tokens())?;
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

    fn times<'a>(&'a self, times: impl Fn(&'a RouteCounts) -> &'a Times) -> Rows<'a, 1, &'a Times> {
        let routes = self.counts.routes.sorted().into_iter().map(|(route, counts)| (route, times(counts)));
        let observed = routes.filter(|(_, times)| times.count() > 0);
        observed.map(|(route, times)| ([("route", route)], times)).collect()
    }

    fn tokens(&self) -> Rows<'_, 2, u64> {
        let mut rows = Vec::new();
        for (model, counts) in self.counts.models.sorted() {
            for (direction, tokens) in [("input", counts.input_tokens), ("output", counts.output_tokens)] {
                rows.extend(tokens.map(|tokens| ([("model", model), ("direction", direction)], tokens)));
            }
        }
        rows
    }
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
