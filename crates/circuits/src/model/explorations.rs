//! The explorations: each with a few disturbances, so that each ends, and all of them together with everything.

use breaker::Policy;

use super::bounds::{Bounds, CallEnd, Disturbances, ExternalWrite, OperatorCommand, Start, model_policy};

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

/// A circuit begins, by whoever comes first, and trips.
pub(super) fn birth() -> Bounds {
    Bounds { start: Start::Empty, moments: &[0], ..Bounds::new("birth") }
}

/// A trip, a probe, and what it decides.
pub(super) fn outage() -> Bounds {
    Bounds { calls: 4, moments: &[0, 600], one_probe: true, ..Bounds::new("outage") }
}

/// Failures that cannot trip, told by all at once.
pub(super) fn counts() -> Bounds {
    let policy = Policy { failure_threshold: 9, burst_threshold: 9, ..model_policy() };
    let most = Disturbances { slow_reads: 1, ..NO_DISTURBANCES };
    Bounds {
        policy,
        calls: 5,
        call_ends: &[CallEnd::Fails],
        moments: &[0],
        all_failures_count: true,
        max_disturbances: most,
        ..Bounds::new("counts")
    }
}

/// Probes whose holders die or are silent for longer than their lease, and outcomes of before the outage.
pub(super) fn crashes() -> Bounds {
    Bounds {
        start: Start::OpenWithCallsInFlight,
        max_disturbances: Disturbances { crashes: 1, ..NO_DISTURBANCES },
        moments: &[0, 600, 1_200],
        one_probe: true,
        ..Bounds::new("crashes, late outcomes")
    }
}

/// Two places for probes, and two successes that close.
pub(super) fn two_places() -> Bounds {
    let policy = Policy { half_open_probes: 2, success_threshold: 2, ..model_policy() };
    Bounds {
        policy,
        start: Start::Open,
        calls: 3,
        moments: &[0, 600],
        one_probe: true,
        ..Bounds::new("two places")
    }
}

/// Streams, whose probe has its verdict while the call goes on, and rests that a provider asks for.
pub(super) fn streams() -> Bounds {
    Bounds {
        start: Start::Open,
        call_ends: &[CallEnd::FirstToken, CallEnd::Succeeds, CallEnd::Fails, CallEnd::RateLimited(800)],
        calls: 3,
        moments: &[0, 600],
        ..Bounds::new("streams and rests")
    }
}

/// Clocks that differ by as much as the store tolerates, and one that is set an hour forward.
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

/// An instance loses the store, and a write is given up that may still arrive.
pub(super) fn away() -> Bounds {
    Bounds {
        max_disturbances: Disturbances { disconnects: 1, write_timeouts: 1, ..NO_DISTURBANCES },
        moments: &[0, 600],
        ..Bounds::new("store away")
    }
}

/// The same, of an open circuit: what each learns by its own probes comes together.
pub(super) fn away_in_an_outage() -> Bounds {
    Bounds {
        start: Start::Open,
        max_disturbances: Disturbances { disconnects: 1, write_timeouts: 1, ..NO_DISTURBANCES },
        moments: &[0, 600],
        ..Bounds::new("store away in an outage")
    }
}

/// Somebody writes, deletes or scribbles over the key while it is in use.
pub(super) fn strangers() -> Bounds {
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
        ..Bounds::new("strangers")
    }
}

/// Twice, so that the same bytes may come back.
pub(super) fn strangers_again() -> Bounds {
    Bounds {
        name: "strangers again",
        start: Start::Open,
        calls: 0,
        max_disturbances: Disturbances { external_writes: 2, ..NO_DISTURBANCES },
        ..strangers()
    }
}

/// An older value of the fleet's own comes back, also to an instance that was away.
pub(super) fn brought_back() -> Bounds {
    Bounds {
        name: "brought back",
        calls: 1,
        max_disturbances: Disturbances { external_writes: 1, disconnects: 1, ..NO_DISTURBANCES },
        external_writes: &[ExternalWrite::RestoreOldValue],
        ..strangers()
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

/// A person's word, also through an instance that has no store.
pub(super) fn words() -> Bounds {
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
        ..Bounds::new("a person's word")
    }
}

/// What was read is taken up late, as if it were new.
pub(super) fn slow_reads() -> Bounds {
    Bounds {
        start: Start::Open,
        max_disturbances: Disturbances { slow_reads: 1, ..NO_DISTURBANCES },
        moments: &[0, 600],
        one_probe: true,
        ..Bounds::new("slow reads")
    }
}

/// All of them, further.
pub(super) fn all_deeper() -> Vec<Bounds> {
    let further = |bounds: Bounds, calls: u8, most: Disturbances, moments: &'static [u64]| Bounds {
        calls,
        max_disturbances: most,
        moments,
        ..bounds
    };
    vec![
        further(counts(), 6, Disturbances { slow_reads: 1, ..NO_DISTURBANCES }, &[0]),
        Bounds { call_ends: PROBE_ENDS, ..crashes() },
        further(crashes(), 2, Disturbances { crashes: 1, ..NO_DISTURBANCES }, &[0, 600, 1_200, 1_800]),
        further(streams(), 3, NO_DISTURBANCES, &[0, 600, 1_400]),
        further(
            clocks(),
            2,
            Disturbances { clock_jumps: 1, crashes: 1, ..NO_DISTURBANCES },
            &[0, 600, 900, 1_200],
        ),
        further(away(), 3, Disturbances { disconnects: 1, write_timeouts: 1, ..NO_DISTURBANCES }, &[0, 600]),
        further(
            away_in_an_outage(),
            2,
            Disturbances { disconnects: 2, write_timeouts: 1, ..NO_DISTURBANCES },
            &[0, 600],
        ),
        further(strangers_again(), 1, Disturbances { external_writes: 2, ..NO_DISTURBANCES }, &[0, 600]),
        further(loss(), 2, Disturbances { flushes: 1, crashes: 1, ..NO_DISTURBANCES }, &[0, 600]),
        Bounds { start: Start::OpenWithCallsInFlight, ..words() },
        further(slow_reads(), 2, Disturbances { slow_reads: 2, ..NO_DISTURBANCES }, &[0, 600, 1_200]),
        Bounds { call_ends: PROBE_ENDS, ..further(two_places(), 3, NO_DISTURBANCES, &[0, 600, 1_200]) },
        further(outage(), 5, NO_DISTURBANCES, &[0, 600, 1_200]),
    ]
}
