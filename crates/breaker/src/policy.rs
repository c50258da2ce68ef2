//! What a circuit is to do: the `[breaker]` settings (DESIGN 1.3).

use std::time::Duration;

/// How far a circuit's decision is obeyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Mode {
    /// Count, record, and refuse while open.
    #[default]
    Enforce,
    /// Count and record, but never refuse.
    Observe,
    /// Neither count nor refuse.
    Off,
}

/// The rules of one circuit. [`Policy::default`] holds the documented defaults.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// How far decisions are obeyed.
    pub mode: Mode,
    /// Failures in a row that trip the circuit once the row is [`min_failure_span`](Self::min_failure_span) old; at least 1.
    pub failure_threshold: u32,
    /// The least age of a row that trips at [`failure_threshold`](Self::failure_threshold).
    pub min_failure_span: Duration,
    /// Failures in a row that trip however young the row is; at least the threshold.
    pub burst_threshold: u32,
    /// A row is forgotten so long after its last failure.
    pub failures_ttl: Duration,
    /// Share of failed calls, in (0, 1], that trips; `None`: no rate.
    pub failure_rate: Option<f64>,
    /// The least number of calls in [`window`](Self::window) for the rate to be looked at; at least 1.
    pub minimum_calls: u32,
    /// The time over which the rate is taken.
    pub window: Duration,
    /// The longest rest that a provider's word can bring (B9).
    pub max_cooldown: Duration,
    /// The first open period.
    pub open_duration: Duration,
    /// The factor by which it grows with each trip in a row; at least 1.
    pub open_backoff: f64,
    /// The longest open period; at least [`open_duration`](Self::open_duration).
    pub max_open_duration: Duration,
    /// Share of the period, in [0, 1), by which chance may lengthen or shorten it.
    pub open_jitter: f64,
    /// Probes at once, in the whole fleet; at least 1.
    pub half_open_probes: u32,
    /// Successful probes that close the circuit; at least 1.
    pub success_threshold: u32,
    /// After so long without a verdict a probe's place is free again.
    pub probe_lease: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            mode: Mode::Enforce,
            failure_threshold: 3,
            min_failure_span: Duration::from_millis(250),
            burst_threshold: 10,
            failures_ttl: Duration::from_secs(15 * 60),
            failure_rate: Some(0.5),
            minimum_calls: 20,
            window: Duration::from_secs(10),
            max_cooldown: Duration::from_secs(15 * 60),
            open_duration: Duration::from_secs(5),
            open_backoff: 1.5,
            max_open_duration: Duration::from_secs(15),
            open_jitter: 0.1,
            half_open_probes: 1,
            success_threshold: 1,
            probe_lease: Duration::from_secs(15),
        }
    }
}

impl Policy {
    /// What Open SWE does: two failures in a row, however fast, and 180 s to the second; no rate.
    #[must_use]
    pub fn open_swe() -> Self {
        let open_duration = Duration::from_secs(180);
        Self {
            failure_threshold: 2,
            min_failure_span: Duration::ZERO,
            burst_threshold: 2,
            failure_rate: None,
            open_duration,
            open_backoff: 1.0,
            max_open_duration: open_duration,
            open_jitter: 0.0,
            ..Self::default()
        }
    }
}
