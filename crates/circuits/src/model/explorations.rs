//! The explorations: each with few disturbances, so that it ends; together they have all.

use breaker::Policy;

use super::bounds::{
    Bounds, CallEnd, Callers, Disturbances, ExternalWrite, OperatorCommand, Start, model_policy,
};

const NO_DISTURBANCES: Disturbances = Disturbances {
    crashes: 0,
    disconnects: 0,
    write_timeouts: 0,
    slow_reads: 0,
    external_writes: 0,
    flushes: 0,
    operator_commands: 0,
    clock_jumps: 0,
};

const PROBE_ENDS: &[CallEnd] = &[CallEnd::Succeeds, CallEnd::Fails, CallEnd::Disconnects];

/// A circuit is created by the first instance, and trips.
pub(super) fn birth() -> Bounds {
    Bounds { start: Start::Empty, moments: &[0], ..Bounds::new("birth") }
}

/// A trip, a probe, and what it decides.
pub(super) fn outage() -> Bounds {
    Bounds { calls: 4, moments: &[0, 600], one_probe: true, ..Bounds::new("outage") }
}

/// Failures that cannot trip, reported by all concurrently.
pub(super) fn counts() -> Bounds {
    let policy = Policy { failure_threshold: 9, burst_threshold: 9, ..model_policy() };
    let max_disturbances = Disturbances { slow_reads: 1, ..NO_DISTURBANCES };
    Bounds {
        policy,
        calls: 5,
        call_ends: &[CallEnd::Fails],
        moments: &[0],
        all_failures_count: true,
        max_disturbances,
        ..Bounds::new("counts")
    }
}

/// Probes whose holders crash or exceed their lease, and outcomes of calls from before the outage.
pub(super) fn crashes() -> Bounds {
    Bounds {
        start: Start::OpenWithCallsInFlight,
        max_disturbances: Disturbances { crashes: 1, ..NO_DISTURBANCES },
        moments: &[0, 600, 1_200],
        one_probe: true,
        ..Bounds::new("crashes, late outcomes")
    }
}

/// Two slots for probes, and two successes to close.
pub(super) fn two_slots() -> Bounds {
    let policy = Policy { half_open_probes: 2, success_threshold: 2, ..model_policy() };
    Bounds {
        policy,
        start: Start::Open,
        calls: 3,
        moments: &[0, 600],
        one_probe: true,
        ..Bounds::new("two slots")
    }
}

/// Streams, whose probe has its verdict while the call goes on, and rate limits.
pub(super) fn streams() -> Bounds {
    Bounds {
        start: Start::Open,
        call_ends: &[CallEnd::FirstToken, CallEnd::Succeeds, CallEnd::Fails, CallEnd::RateLimited(800)],
        calls: 3,
        moments: &[0, 600],
        ..Bounds::new("streams and cooldowns")
    }
}

/// Clocks that differ by as much as the store tolerates, and one that jumps an hour forward.
pub(super) fn clocks() -> Bounds {
    Bounds {
        start: Start::Open,
        max_disturbances: Disturbances { clock_jumps: 1, ..NO_DISTURBANCES },
        call_ends: PROBE_ENDS,
        moments: &[0, 600, 900, 1_200],
        clocks: [-100, 0, 100],
        one_probe: true,
        ..Bounds::new("skewed clocks")
    }
}

/// An instance loses the store, and a write times out that may still arrive.
pub(super) fn disconnects() -> Bounds {
    Bounds {
        max_disturbances: Disturbances { disconnects: 1, write_timeouts: 1, ..NO_DISTURBANCES },
        moments: &[0, 600],
        ..Bounds::new("store unreachable")
    }
}

/// The same for an open circuit: what each instance learns by its own probes is merged.
pub(super) fn disconnects_in_an_outage() -> Bounds {
    Bounds {
        start: Start::Open,
        max_disturbances: Disturbances { disconnects: 1, write_timeouts: 1, ..NO_DISTURBANCES },
        moments: &[0, 600],
        ..Bounds::new("store unreachable in an outage")
    }
}

/// The key is written, deleted or made invalid externally while it is in use.
pub(super) fn external_writes() -> Bounds {
    Bounds {
        start: Start::OpenWithCallsInFlight,
        calls: 1,
        max_disturbances: Disturbances { external_writes: 1, ..NO_DISTURBANCES },
        external_writes: &[
            ExternalWrite::SetOpen,
            ExternalWrite::SetForcedOpen,
            ExternalWrite::SetClosed,
            ExternalWrite::Delete,
            ExternalWrite::SetInvalid,
        ],
        moments: &[0, 600],
        ..Bounds::new("external writes")
    }
}

/// Twice, so that the same bytes may come back.
pub(super) fn repeated_external_writes() -> Bounds {
    Bounds {
        name: "repeated external writes",
        start: Start::Open,
        calls: 0,
        max_disturbances: Disturbances { external_writes: 2, ..NO_DISTURBANCES },
        ..external_writes()
    }
}

/// Open SWE instances count beside the fleet, and report late results.
pub(super) fn open_swe() -> Bounds {
    Bounds {
        name: "Open SWE beside it",
        start: Start::Open,
        calls: 1,
        max_disturbances: Disturbances { external_writes: 2, ..NO_DISTURBANCES },
        external_writes: &[ExternalWrite::OpenSweSuccess, ExternalWrite::OpenSweFailure],
        ..external_writes()
    }
}

/// The same on a circuit that an operator opens for a while.
pub(super) fn open_swe_and_operator() -> Bounds {
    Bounds {
        name: "Open SWE and an operator",
        start: Start::Closed,
        calls: 0,
        max_disturbances: Disturbances { external_writes: 2, operator_commands: 1, ..NO_DISTURBANCES },
        operator_commands: &[
            OperatorCommand::Open(None),
            OperatorCommand::Open(Some(500)),
            OperatorCommand::Close,
        ],
        ..open_swe()
    }
}

/// An old value of the fleet's own is written back, also while an instance is disconnected.
pub(super) fn restored_old_value() -> Bounds {
    Bounds {
        name: "restored old value",
        calls: 1,
        max_disturbances: Disturbances { external_writes: 1, disconnects: 1, ..NO_DISTURBANCES },
        external_writes: &[ExternalWrite::RestoreOldValue],
        ..external_writes()
    }
}

/// The store loses everything.
pub(super) fn loss() -> Bounds {
    Bounds {
        start: Start::Open,
        calls: 1,
        max_disturbances: Disturbances { flushes: 1, crashes: 1, ..NO_DISTURBANCES },
        moments: &[0, 600],
        ..Bounds::new("lost data")
    }
}

/// Manual overrides, also through an instance that has lost the store.
pub(super) fn operator_commands() -> Bounds {
    Bounds {
        start: Start::Open,
        calls: 1,
        max_disturbances: Disturbances { operator_commands: 1, disconnects: 1, ..NO_DISTURBANCES },
        operator_commands: &[
            OperatorCommand::Open(None),
            OperatorCommand::Open(Some(500)),
            OperatorCommand::Close,
            OperatorCommand::Reset,
        ],
        moments: &[0, 600],
        ..Bounds::new("operator commands")
    }
}

/// What was read is applied late, as if it were new.
pub(super) fn slow_reads() -> Bounds {
    Bounds {
        start: Start::Open,
        max_disturbances: Disturbances { slow_reads: 1, ..NO_DISTURBANCES },
        moments: &[0, 600],
        one_probe: true,
        ..Bounds::new("slow reads")
    }
}

/// One caller's calls fail, the others' succeed; also while an instance is disconnected.
pub(super) fn poison() -> Bounds {
    Bounds {
        calls: 4,
        callers: Callers::FirstFails,
        moments: &[0, 600],
        max_disturbances: Disturbances { disconnects: 1, ..NO_DISTURBANCES },
        ..Bounds::new("one caller's failures")
    }
}

/// Each instance has a caller of its own, and calls of all fail and succeed.
pub(super) fn callers() -> Bounds {
    Bounds {
        calls: 4,
        callers: Callers::OnePerInstance,
        moments: &[0, 600],
        ..Bounds::new("several callers")
    }
}

/// All of them, deeper.
pub(super) fn all_deeper() -> Vec<Bounds> {
    let deeper = |bounds: Bounds, calls: u8, max_disturbances: Disturbances, moments: &'static [u64]| {
        Bounds { calls, max_disturbances, moments, ..bounds }
    };
    vec![
        deeper(counts(), 6, Disturbances { slow_reads: 1, ..NO_DISTURBANCES }, &[0]),
        Bounds { call_ends: PROBE_ENDS, ..crashes() },
        deeper(crashes(), 2, Disturbances { crashes: 1, ..NO_DISTURBANCES }, &[0, 600, 1_200, 1_800]),
        deeper(streams(), 3, NO_DISTURBANCES, &[0, 600, 1_400]),
        deeper(
            clocks(),
            2,
            Disturbances { clock_jumps: 1, crashes: 1, ..NO_DISTURBANCES },
            &[0, 600, 900, 1_200],
        ),
        deeper(
            disconnects(),
            3,
            Disturbances { disconnects: 1, write_timeouts: 1, ..NO_DISTURBANCES },
            &[0, 600],
        ),
        deeper(
            disconnects_in_an_outage(),
            2,
            Disturbances { disconnects: 2, write_timeouts: 1, ..NO_DISTURBANCES },
            &[0, 600],
        ),
        deeper(
            repeated_external_writes(),
            1,
            Disturbances { external_writes: 2, ..NO_DISTURBANCES },
            &[0, 600],
        ),
        deeper(loss(), 2, Disturbances { flushes: 1, crashes: 1, ..NO_DISTURBANCES }, &[0, 600]),
        Bounds { start: Start::OpenWithCallsInFlight, ..operator_commands() },
        deeper(slow_reads(), 2, Disturbances { slow_reads: 2, ..NO_DISTURBANCES }, &[0, 600, 1_200]),
        Bounds { call_ends: PROBE_ENDS, ..deeper(two_slots(), 3, NO_DISTURBANCES, &[0, 600, 1_200]) },
        deeper(outage(), 5, NO_DISTURBANCES, &[0, 600, 1_200]),
        deeper(callers(), 5, NO_DISTURBANCES, &[0, 600]),
        deeper(poison(), 5, Disturbances { disconnects: 1, ..NO_DISTURBANCES }, &[0, 600, 1_200]),
    ]
}
