//! What a call gets from an open circuit.

use std::{fmt, sync::Arc, time::Duration};

use breaker::{Phase, Record, Timestamp, describe};

use crate::reference::CircuitRef;

/// The circuit is open: why, and when to ask again. The sentence is made only when it is displayed: most refusals just
/// lead to the next model.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// A probe is in flight, whose verdict may come sooner.
    pub probing: bool,
    by: RefusedBy,
}

/// What refused, and until when.
#[derive(Debug, Clone)]
enum RefusedBy {
    View {
        record: Arc<Record>,
        retry_in: Option<Duration>,
    },
    /// A circuit that refuses everyone. To refer to its record, or to read the clock, would cost a call more than all else.
    FastPath {
        circuit: CircuitRef,
        retry_at: Option<Timestamp>,
    },
}

impl Refusal {
    /// The refusal that this record means to a caller.
    #[must_use]
    pub const fn new(record: Arc<Record>, retry_in: Option<Duration>, probing: bool) -> Self {
        Self { probing, by: RefusedBy::View { record, retry_in } }
    }

    #[inline]
    pub(crate) const fn of_all(circuit: CircuitRef, retry_at: Option<Timestamp>) -> Self {
        Self { probing: false, by: RefusedBy::FastPath { circuit, retry_at } }
    }

    /// How long until a call may be tried, from now on or from the refusal on; `None`: not before an operator closes it.
    #[must_use]
    pub fn retry_in(&self) -> Option<Duration> {
        match &self.by {
            RefusedBy::View { retry_in, .. } => *retry_in,
            RefusedBy::FastPath { circuit, retry_at } => retry_at.map(|at| at.since(circuit.now())),
        }
    }

    fn record(&self) -> Arc<Record> {
        match &self.by {
            RefusedBy::View { record, .. } => Arc::clone(record),
            RefusedBy::FastPath { circuit, .. } => circuit.view.last_refusing_record(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (record, retry_in) = (self.record(), self.retry_in());
        if let (Phase::Closed, Some(wait), false) =
            (&record.phase, retry_in, record.blocked_sources.is_empty())
        {
            let seconds = wait.as_secs_f64();
            return write!(f, "refused for {seconds:.1} s more: it failed while calls of others succeeded");
        }
        match retry_in {
            None => f.write_str("open until closed manually")?,
            Some(_) if self.probing => f.write_str("open while a probe is in flight")?,
            Some(wait) => write!(f, "open for {:.1} s more", wait.as_secs_f64())?,
        }
        write!(f, ": {}", describe(&record))
    }
}
