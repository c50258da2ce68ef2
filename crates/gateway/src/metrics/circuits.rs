//! The circuits and their store, read at the scrape.
//!
//! Labels are bounded: a model has a label once it has a circuit, and at most [`MAX_LABELLED_CIRCUITS`] have one, those
//! that are not closed first. `switchboard_circuits` counts all.

use std::fmt;

use breaker::State;
use circuits::{CircuitCounts, Circuits, Report, StoreCounts, StoreStatus};
use prometheus_client::{
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _, MetricEncoder},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Unit,
};

/// The limit of circuits with labels of their own.
const MAX_LABELLED_CIRCUITS: usize = 200;

const STATES: [(State, &str); 3] =
    [(State::Closed, "closed"), (State::Open, "open"), (State::HalfOpen, "half_open")];

/// Reads the circuits at each scrape.
#[derive(Debug)]
pub(super) struct Collector(Circuits);

impl Collector {
    pub(super) const fn new(circuits: Circuits) -> Self {
        Self(circuits)
    }
}

impl prometheus_client::collector::Collector for Collector {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut writer = MetricsWriter(encoder);
        let mut circuits = self.0.counts();
        writer.write_totals(&circuits)?;
        // A stable sort, so that each half stays in the order of names.
        circuits.sort_by_key(|(report, _)| report.state == State::Closed);
        circuits.truncate(MAX_LABELLED_CIRCUITS);
        writer.write_states(&circuits)?;
        writer.write_activity(&circuits)?;
        writer.write_store_state(&self.0.store_status(), self.0.store_info().kind == "redis")?;
        writer.write_store_counters(&self.0.store_counts())
    }
}

type CountedCircuits = [(Report, CircuitCounts)];

struct MetricsWriter<'a>(DescriptorEncoder<'a>);

impl MetricsWriter<'_> {
    fn family<'f>(
        &'f mut self,
        name: &'f str,
        help: &str,
        kind: MetricType,
    ) -> Result<Family<'f>, fmt::Error> {
        Ok(Family(self.0.encode_descriptor(name, help, None, kind)?))
    }

    fn write_totals(&mut self, circuits: &CountedCircuits) -> fmt::Result {
        let mut family = self.family("circuits", "Circuits by state", MetricType::Gauge)?;
        for (state, label) in STATES {
            let count = circuits.iter().filter(|(report, _)| report.state == state).count();
            family.gauge(&[("state", label)], i64::try_from(count).unwrap_or(i64::MAX))?;
        }
        Ok(())
    }

    fn write_states(&mut self, circuits: &CountedCircuits) -> fmt::Result {
        let help = "1 for the current state of a model's circuit, 0 for the others";
        let mut family = self.family("circuit_state", help, MetricType::Gauge)?;
        for (report, _) in circuits {
            for (state, label) in STATES {
                let labels = [("model", report.key.as_str()), ("state", label)];
                family.gauge(&labels, i64::from(report.state == state))?;
            }
        }
        let help = "1 for an open circuit that refuses one source alone, and admits all others";
        let mut family = self.family("circuit_bound", help, MetricType::Gauge)?;
        for (report, _) in circuits {
            family.gauge(&[("model", report.key.as_str())], i64::from(report.bound_to.is_some()))?;
        }
        let help = "1 for a circuit that was forced open by an operator";
        let mut family = self.family("circuit_forced", help, MetricType::Gauge)?;
        for (report, _) in circuits {
            family.gauge(&[("model", report.key.as_str())], i64::from(report.forced))?;
        }
        Ok(())
    }

    fn write_activity(&mut self, circuits: &CountedCircuits) -> fmt::Result {
        let help =
            "State transitions by cause; by=self: made by this instance, by=other: made by another one";
        let mut family = self.family("circuit_transitions", help, MetricType::Counter)?;
        for (report, counts) in circuits {
            for (kind, count) in &counts.transitions {
                let to = STATES.iter().find(|(state, _)| *state == kind.to).map_or("", |(_, label)| *label);
                let by = if kind.own { "self" } else { "other" };
                let model = report.key.as_str();
                family.counter(
                    &[("model", model), ("to", to), ("reason", kind.cause.as_str()), ("by", by)],
                    *count,
                )?;
            }
        }
        let help = "Requests rejected by open circuits";
        let mut family = self.family("circuit_refusals", help, MetricType::Counter)?;
        for (report, counts) in circuits {
            family.counter(&[("model", report.key.as_str())], counts.refusals)?;
        }
        let help = "Completed probes of this instance, by outcome";
        let mut family = self.family("circuit_probes", help, MetricType::Counter)?;
        for (report, CircuitCounts { probes, .. }) in circuits {
            let ends =
                [("succeeded", probes.succeeded), ("failed", probes.failed), ("released", probes.released)];
            for (outcome, count) in ends {
                family.counter(&[("model", report.key.as_str()), ("outcome", outcome)], count)?;
            }
        }
        Ok(())
    }

    fn write_store_state(&mut self, status: &StoreStatus, is_redis: bool) -> fmt::Result {
        let current = match status {
            StoreStatus::Starting => "starting",
            StoreStatus::Connected => "connected",
            StoreStatus::Degraded { .. } => "degraded",
            StoreStatus::Embedded => "embedded",
        };
        let help = "Redis sharing: 1 for the current state; connected: shared, degraded: Redis unreachable, embedded: no Redis";
        let mut family = self.family("store_state", help, MetricType::Gauge)?;
        for state in ["starting", "connected", "degraded", "embedded"] {
            family.gauge(&[("state", state)], i64::from(state == current))?;
        }
        let help = "1 while the circuits are shared through Redis";
        let family = self.family("redis_up", help, MetricType::Gauge)?;
        family.write_unlabelled(&ConstGauge::new(i64::from(is_redis && *status == StoreStatus::Connected)))
    }

    fn write_store_counters(&mut self, counts: &StoreCounts) -> fmt::Result {
        if let Some(age) = counts.since_last_response {
            let help = "Circuit state age: time since the store last responded with circuits";
            let name = ("circuit_state_age", &Unit::Seconds);
            let encoder = self.0.encode_descriptor(name.0, help, Some(name.1), MetricType::Gauge)?;
            Family(encoder).write_unlabelled(&ConstGauge::new(age.as_secs_f64()))?;
        }
        let help = "Circuit writes (CAS) by result; conflict: another instance wrote first, and the write was retried";
        let mut family = self.family("store_writes", help, MetricType::Counter)?;
        let results = [
            ("written", counts.written),
            ("conflict", counts.conflicts),
            ("clock_skew", counts.clock_skew),
            ("failed", counts.failed),
        ];
        for (result, count) in results {
            family.counter(&[("result", result)], count)?;
        }
        let help = "Commands sent to Redis";
        let mut family = self.family("redis_commands", help, MetricType::Counter)?;
        for (command, count) in &counts.commands {
            family.counter(&[("command", *command)], *count)?;
        }
        Ok(())
    }
}

/// The values of one name.
struct Family<'a>(MetricEncoder<'a>);

impl Family<'_> {
    fn gauge(&mut self, labels: &impl EncodeLabelSet, value: i64) -> fmt::Result {
        ConstGauge::new(value).encode(self.0.encode_family(labels)?)
    }

    fn counter(&mut self, labels: &impl EncodeLabelSet, value: u64) -> fmt::Result {
        ConstCounter::new(value).encode(self.0.encode_family(labels)?)
    }

    fn write_unlabelled(self, value: &impl prometheus_client::encoding::EncodeMetric) -> fmt::Result {
        value.encode(self.0)
    }
}
