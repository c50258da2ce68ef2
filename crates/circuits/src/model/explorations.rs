//! The explorations: each with a few disturbances, so that each ends, and all of them together with everything.

use breaker::Policy;

use super::bounds::{Bounds, Disturbances, End, Start, Stranger, Word, policy};

const NONE: Disturbances = Disturbances {
    crashes: 0,
    cuts: 0,
    silences: 0,
    slow_reads: 0,
    strangers: 0,
    flushes: 0,
    words: 0,
    jumps: 0,
};

const ENDS_OF_PROBES: &[End] = &[End::Succeeds, End::Fails, End::Leaves];

/// A circuit begins, by whoever comes first, and trips.
pub(super) fn birth() -> Bounds {
    Bounds { start: Start::Nothing, moments: &[0], ..Bounds::new("birth") }
}

/// A trip, a probe, and what it decides.
pub(super) fn outage() -> Bounds {
    Bounds { calls: 4, moments: &[0, 600], one_probe: true, ..Bounds::new("outage") }
}

/// Failures that cannot trip, told by all at once.
pub(super) fn counts() -> Bounds {
    let policy = Policy { failure_threshold: 9, burst_threshold: 9, ..policy() };
    let most = Disturbances { slow_reads: 1, ..NONE };
    Bounds {
        policy,
        calls: 5,
        ends: &[End::Fails],
        moments: &[0],
        counts: true,
        most,
        ..Bounds::new("counts")
    }
}

/// Probes whose holders die or are silent for longer than their lease, and outcomes of before the outage.
pub(super) fn crashes() -> Bounds {
    Bounds {
        start: Start::Late,
        most: Disturbances { crashes: 1, ..NONE },
        moments: &[0, 600, 1_200],
        one_probe: true,
        ..Bounds::new("crashes, late outcomes")
    }
}

/// Two places for probes, and two successes that close.
pub(super) fn two_places() -> Bounds {
    let policy = Policy { half_open_probes: 2, success_threshold: 2, ..policy() };
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
        ends: &[End::SaysFirst, End::Succeeds, End::Fails, End::Rests(800)],
        calls: 3,
        moments: &[0, 600],
        ..Bounds::new("streams and rests")
    }
}

/// Clocks that differ by as much as the store tolerates, and one that is set an hour forward.
pub(super) fn clocks() -> Bounds {
    Bounds {
        start: Start::Open,
        most: Disturbances { jumps: 1, ..NONE },
        ends: ENDS_OF_PROBES,
        moments: &[0, 600, 900, 1_200],
        clocks: [-100, 0, 100],
        one_probe: true,
        ..Bounds::new("skewed clocks")
    }
}

/// An instance loses the store, and a write is given up that may still arrive.
pub(super) fn away() -> Bounds {
    Bounds {
        most: Disturbances { cuts: 1, silences: 1, ..NONE },
        moments: &[0, 600],
        ..Bounds::new("store away")
    }
}

/// The same, of an open circuit: what each learns by its own probes comes together.
pub(super) fn away_in_an_outage() -> Bounds {
    Bounds {
        start: Start::Open,
        most: Disturbances { cuts: 1, silences: 1, ..NONE },
        moments: &[0, 600],
        ..Bounds::new("store away in an outage")
    }
}

/// Somebody writes, deletes or scribbles over the key while it is in use.
pub(super) fn strangers() -> Bounds {
    Bounds {
        start: Start::Late,
        calls: 1,
        most: Disturbances { strangers: 1, ..NONE },
        strangers: &[
            Stranger::Opens,
            Stranger::Forces,
            Stranger::Closes,
            Stranger::Deletes,
            Stranger::Scribbles,
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
        most: Disturbances { strangers: 2, ..NONE },
        ..strangers()
    }
}

/// An older value of the fleet's own comes back, also to an instance that was away.
pub(super) fn brought_back() -> Bounds {
    Bounds {
        name: "brought back",
        calls: 1,
        most: Disturbances { strangers: 1, cuts: 1, ..NONE },
        strangers: &[Stranger::BringsBack],
        ..strangers()
    }
}

/// The store loses everything.
pub(super) fn loss() -> Bounds {
    Bounds {
        start: Start::Open,
        calls: 1,
        most: Disturbances { flushes: 1, crashes: 1, ..NONE },
        moments: &[0, 600],
        ..Bounds::new("lost data")
    }
}

/// A person's word, also through an instance that has no store.
pub(super) fn words() -> Bounds {
    Bounds {
        start: Start::Open,
        calls: 1,
        most: Disturbances { words: 1, cuts: 1, ..NONE },
        words: &[Word::Open(None), Word::Open(Some(500)), Word::Close, Word::Reset],
        moments: &[0, 600],
        ..Bounds::new("a person's word")
    }
}

/// What was read is taken up late, as if it were new.
pub(super) fn slow_reads() -> Bounds {
    Bounds {
        start: Start::Open,
        most: Disturbances { slow_reads: 1, ..NONE },
        moments: &[0, 600],
        one_probe: true,
        ..Bounds::new("slow reads")
    }
}

/// All of them, further.
pub(super) fn deep() -> Vec<Bounds> {
    let further = |bounds: Bounds, calls: u8, most: Disturbances, moments: &'static [u64]| Bounds {
        calls,
        most,
        moments,
        ..bounds
    };
    vec![
        further(counts(), 6, Disturbances { slow_reads: 1, ..NONE }, &[0]),
        Bounds { ends: ENDS_OF_PROBES, ..crashes() },
        further(crashes(), 2, Disturbances { crashes: 1, ..NONE }, &[0, 600, 1_200, 1_800]),
        further(streams(), 3, NONE, &[0, 600, 1_400]),
        further(clocks(), 2, Disturbances { jumps: 1, crashes: 1, ..NONE }, &[0, 600, 900, 1_200]),
        further(away(), 3, Disturbances { cuts: 1, silences: 1, ..NONE }, &[0, 600]),
        further(away_in_an_outage(), 2, Disturbances { cuts: 2, silences: 1, ..NONE }, &[0, 600]),
        further(strangers_again(), 1, Disturbances { strangers: 2, ..NONE }, &[0, 600]),
        further(loss(), 2, Disturbances { flushes: 1, crashes: 1, ..NONE }, &[0, 600]),
        Bounds { start: Start::Late, ..words() },
        further(slow_reads(), 2, Disturbances { slow_reads: 2, ..NONE }, &[0, 600, 1_200]),
        Bounds { ends: ENDS_OF_PROBES, ..further(two_places(), 3, NONE, &[0, 600, 1_200]) },
        further(outage(), 5, NONE, &[0, 600, 1_200]),
    ]
}
