//! The bounds of one exploration.

use std::time::Duration;

use breaker::Policy;

/// The number of instances.
pub(super) const INSTANCES: usize = 3;

/// One exploration: how it begins, what may happen and how often.
#[derive(Debug, Clone)]
pub(super) struct Bounds {
    pub(super) name: &'static str,
    /// The moments that time advances through, in ms since the start.
    pub(super) moments: &'static [u64],
    /// The skew of each instance's clock once it is synchronized, in ms; within the tolerance.
    pub(super) clocks: [i64; INSTANCES],
    pub(super) policy: Policy,
    pub(super) start: Start,
    /// Calls that may be started.
    pub(super) calls: u8,
    /// How calls may end.
    pub(super) call_ends: &'static [CallEnd],
    /// Whose calls they are.
    pub(super) callers: Callers,
    /// How often each disturbance may happen.
    pub(super) max_disturbances: Disturbances,
    /// What may be written externally.
    pub(super) external_writes: &'static [ExternalWrite],
    /// The commands that an operator may send to an instance.
    pub(super) operator_commands: &'static [OperatorCommand],
    /// No failure may be lost, so that a quiescent state has counted them all (B5).
    pub(super) all_failures_count: bool,
    /// Only a probe's own outcome ends a half-open period, so no two calls may probe concurrently (B2).
    pub(super) one_probe: bool,
    /// A built-in fault, which must be found.
    pub(super) mutation: Option<Mutation>,
}

/// The state at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// No key, and instances that have read nothing.
    Empty,
    /// A closed circuit that every instance knows.
    Closed,
    /// An open circuit that every instance knows.
    Open,
    /// The same, with two calls in flight that were admitted before, each of another instance.
    OpenWithCallsInFlight,
}

/// Whose calls they are (B12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Callers {
    /// They name nobody.
    Nobody,
    /// Each instance has a caller of its own.
    OnePerInstance,
    /// The same; the first one's calls always fail, the others' never.
    FirstFails,
}

/// How a call ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum CallEnd {
    Succeeds,
    Fails,
    /// The provider limits its callers for this many ms.
    RateLimited(u64),
    /// Without an outcome.
    Disconnects,
    /// A stream's first token; the call goes on.
    FirstToken,
}

/// How often each disturbance may happen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct Disturbances {
    /// An instance crashes, with its calls and unwritten requests, and restarts.
    pub(super) crashes: u8,
    /// An instance loses the store without a write in flight.
    pub(super) disconnects: u8,
    /// A write times out; it may still arrive, or never.
    pub(super) write_timeouts: u8,
    /// What was read is applied late.
    pub(super) slow_reads: u8,
    /// The key is written externally.
    pub(super) external_writes: u8,
    /// The store loses everything.
    pub(super) flushes: u8,
    /// An operator sends a command.
    pub(super) operator_commands: u8,
    /// An instance's clock jumps an hour forward.
    pub(super) clock_jumps: u8,
}

/// An external write of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum ExternalWrite {
    /// OPEN, opened now.
    SetOpen,
    /// OPEN without `openedAt`: forced.
    SetForcedOpen,
    SetClosed,
    Delete,
    /// A text that is not a circuit.
    SetInvalid,
    /// What the fleet had written before it last changed the state.
    RestoreOldValue,
    /// An Open SWE instance rewrites the fleet's value: a call of its own succeeded.
    OpenSweSuccess,
    /// The same: a call failed.
    OpenSweFailure,
}

/// A command of an operator to an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum OperatorCommand {
    /// Force open for this many ms, or without an end.
    Open(Option<u64>),
    Close,
    Reset,
}

/// A fault that is built in around the real code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mutation {
    /// An outcome counts whatever epoch it was admitted in.
    NoEpochCheck,
    /// A probe's outcome counts even if another probe has the lease by now.
    NoLeaseCheck,
    /// The store writes without comparing.
    NoCompare,
    /// The store compares the value, but not the end of the history.
    NoHistoryCompare,
    /// The store accepts decisions of any clock, and an instance's clock is 300 ms ahead.
    NoClockCheck,
    /// A change of state keeps the epoch.
    NoEpochBump,
    /// A diverged record is dropped instead of merged.
    NoMerge,
    /// A sealed value counts as the fleet's own, however old.
    NoStaleValueCheck,
    /// The history of a deleted circuit is not read.
    NoHistory,
    /// Nothing is read after the start.
    NoRead,
    /// An instance that lost the store does not reconnect.
    NoReconnect,
    /// A transition is written without its history entry.
    NoHistoryEntry,
    /// A lease ends beyond all moments.
    EndlessLease,
    /// No failure says whose it is.
    NoSources,
    /// Admission does not ask whose call it is.
    NoSourceCheck,
    /// What an Open SWE instance carries along of our record is ignored.
    NoCarriedRecord,
    /// What is not written yet refuses nobody.
    NoProvisionalRefusal,
}

impl Bounds {
    /// A closed circuit, two calls and no disturbances.
    pub(super) fn new(name: &'static str) -> Self {
        Self {
            name,
            moments: &[0, 600, 1_200],
            clocks: [0; INSTANCES],
            policy: model_policy(),
            start: Start::Closed,
            calls: 2,
            call_ends: &[CallEnd::Succeeds, CallEnd::Fails],
            callers: Callers::Nobody,
            max_disturbances: Disturbances::default(),
            external_writes: &[],
            operator_commands: &[],
            all_failures_count: false,
            one_probe: false,
            mutation: None,
        }
    }

    /// Whether a call of this instance may end like this.
    pub(super) fn may_end(&self, node: u8, end: CallEnd) -> bool {
        match end {
            CallEnd::Succeeds => self.callers != Callers::FirstFails || node != 0,
            CallEnd::Fails => self.callers != Callers::FirstFails || node == 0,
            _ => true,
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
