//! How far one exploration goes.

use std::time::Duration;

use breaker::Policy;

/// So many instances take part.
pub(super) const INSTANCES: usize = 3;

/// One exploration: how it begins, what may happen and how often.
#[derive(Debug, Clone)]
pub(super) struct Bounds {
    pub(super) name: &'static str,
    /// The moments that time passes through, in ms since the beginning.
    pub(super) moments: &'static [u64],
    /// How far each instance's clock is from the store's once it has heard it, in ms; within the tolerance.
    pub(super) clocks: [i64; INSTANCES],
    pub(super) policy: Policy,
    pub(super) start: Start,
    /// Calls that may be tried.
    pub(super) calls: u8,
    /// How calls may end.
    pub(super) call_ends: &'static [CallEnd],
    /// How often each disturbance may happen.
    pub(super) max_disturbances: Disturbances,
    /// What a stranger may write.
    pub(super) external_writes: &'static [ExternalWrite],
    /// What a person may ask an instance for.
    pub(super) operator_commands: &'static [OperatorCommand],
    /// No outcome may be lost, so that at rest the row counts them all (B5).
    pub(super) all_failures_count: bool,
    /// Nothing but a probe's own outcome ends a half-open period, so no two calls may probe at once (B2).
    pub(super) one_probe: bool,
    /// A fault built in, which must be found.
    pub(super) mutation: Option<Mutation>,
}

/// What is there in the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// No key, and instances that have read nothing.
    Empty,
    /// A closed circuit that every instance knows.
    Closed,
    /// An open circuit that every instance knows.
    Open,
    /// The same, with two calls still under way that were let through before, each of another instance.
    OpenWithCallsInFlight,
}

/// How a call ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum CallEnd {
    Succeeds,
    Fails,
    /// The provider asks to be left alone for so many ms.
    RateLimited(u64),
    /// Without an outcome.
    Disconnects,
    /// A stream's first content; the call goes on.
    FirstToken,
}

/// How often each may happen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct Disturbances {
    /// An instance dies, with its calls and what it has not written, and starts again.
    pub(super) crashes: u8,
    /// An instance loses the store without a write under way.
    pub(super) disconnects: u8,
    /// A write is given up; it may still arrive, or never.
    pub(super) write_timeouts: u8,
    /// What was read is taken up late.
    pub(super) slow_reads: u8,
    /// A stranger writes.
    pub(super) external_writes: u8,
    /// The store loses everything.
    pub(super) flushes: u8,
    /// A person's word.
    pub(super) operator_commands: u8,
    /// An instance's clock is set an hour forward.
    pub(super) clock_jumps: u8,
}

/// What somebody else does with the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum ExternalWrite {
    /// OPEN, opened now.
    SetOpen,
    /// OPEN without `openedAt`: forced.
    SetForcedOpen,
    SetClosed,
    Delete,
    /// A text that is no circuit.
    SetInvalid,
    /// What the fleet had written before it last changed the state.
    RestoreOldValue,
}

/// What a person asks an instance for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum OperatorCommand {
    /// Open for so many ms, or for good.
    Open(Option<u64>),
    Close,
    Reset,
}

/// A fault that is built into the model around the real code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mutation {
    /// An outcome counts whatever epoch it was admitted in.
    NoEpochCheck,
    /// A probe's outcome counts whoever holds the lease by now.
    NoLeaseCheck,
    /// The store writes without comparing.
    NoCompare,
    /// The store compares what stands there, but not where the history ends.
    NoHistoryCompare,
    /// The store takes decisions of any clock, and an instance's clock is 300 ms ahead.
    NoClockCheck,
    /// A change of state keeps the epoch.
    NoEpochBump,
    /// What was learnt apart is forgotten instead of merged.
    NoMerge,
    /// A sealed value is the fleet's own, however old.
    NoStaleValueCheck,
    /// That the history of a deleted circuit stands is not told.
    NoHistory,
    /// Nothing is read after the start.
    NoRead,
    /// An instance that lost the store does not try again.
    NoReconnect,
    /// A transition is written without its history entry.
    NoHistoryEntry,
    /// A lease has no end within reach.
    EndlessLease,
}

impl Bounds {
    /// A closed circuit, two calls and nothing that disturbs.
    pub(super) fn new(name: &'static str) -> Self {
        Self {
            name,
            moments: &[0, 600, 1_200],
            clocks: [0; INSTANCES],
            policy: model_policy(),
            start: Start::Closed,
            calls: 2,
            call_ends: &[CallEnd::Succeeds, CallEnd::Fails],
            max_disturbances: Disturbances::default(),
            external_writes: &[],
            operator_commands: &[],
            all_failures_count: false,
            one_probe: false,
            mutation: None,
        }
    }

    pub(super) fn with_mutation(self, mutation: Mutation) -> Self {
        let mut bounds = Self { mutation: Some(mutation), ..self };
        match mutation {
            Mutation::NoClockCheck => bounds.clocks[2] = 300,
            Mutation::EndlessLease => bounds.policy.probe_lease = Duration::from_secs(3_600),
            _ => {}
        }
        bounds
    }
}

/// Two failures trip, for 500 ms; a lease with its grace lasts 600 ms.
pub(super) fn model_policy() -> Policy {
    Policy {
        failure_threshold: 2,
        min_failure_span: Duration::ZERO,
        burst_threshold: 2,
        failure_rate: None,
        open_duration: Duration::from_millis(500),
        open_backoff: 2.0,
        max_open_duration: Duration::from_millis(1_000),
        open_jitter: 0.0,
        probe_lease: Duration::from_millis(400),
        ..Policy::default()
    }
}
