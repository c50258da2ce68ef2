//! What a fleet costs its Redis.

use std::ops::Sub;

use breaker::Transition;
use circuits::{Loaded, Swap, Value, Write};

/// Commands, pushes and bytes. A script is one command. The PING of each of an instance's two connections once a second is
/// left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TrafficCounters {
    /// Reads of one circuit.
    pub loads: u64,
    /// Attempts to write a circuit.
    pub writes: u64,
    /// Of these, those that conflicted with another write.
    pub conflicts: u64,
    /// Of these, those that were rejected for clock skew.
    pub clock_skews: u64,
    /// Commands of full reads: SCAN, pipelines of GETRANGE, TIME.
    pub full_reads: u64,
    /// Change notifications, one per instance and change.
    pub pushes: u64,
    /// Approximate bytes of commands, responses and pushes.
    pub bytes: u64,
}

/// Name, digest, keys and the like around a script's own arguments.
const SCRIPT_OVERHEAD_BYTES: usize = 200;

impl TrafficCounters {
    /// Commands of all kinds, without pushes.
    #[must_use]
    pub const fn commands(&self) -> u64 {
        self.loads + self.writes + self.full_reads
    }

    pub(crate) fn count_load(&mut self, loaded: &Loaded) {
        self.loads += 1;
        self.add_bytes(SCRIPT_OVERHEAD_BYTES + value_len(&loaded.value));
    }

    pub(crate) fn count_write(&mut self, write: &Write, swap: &Swap) {
        self.writes += 1;
        let mut bytes = SCRIPT_OVERHEAD_BYTES
            + value_len(&write.expected)
            + write.new_value.as_ref().map_or(0, bytes::Bytes::len);
        bytes += write.entries.len() * (size_of::<Transition>() + SCRIPT_OVERHEAD_BYTES);
        match swap {
            Swap::Done { .. } => {}
            Swap::Changed(loaded) => {
                self.conflicts += 1;
                bytes += value_len(&loaded.value);
            }
            Swap::ClockSkew { .. } => self.clock_skews += 1,
        }
        self.add_bytes(bytes);
    }

    pub(crate) fn count_full_read(&mut self, values: &[(breaker::ModelKey, Value)], discover: bool) {
        let count = u64::try_from(values.len()).unwrap_or(u64::MAX);
        self.full_reads += count.div_ceil(500) + 1;
        if discover {
            self.full_reads += count.div_ceil(1_000).max(1);
        }
        self.add_bytes(
            values.iter().map(|(key, value)| 2 * key.as_str().len() + 40 + value_len(value)).sum(),
        );
    }

    pub(crate) fn count_push(&mut self, name: &str) {
        self.pushes += 1;
        self.add_bytes(name.len() + 50);
    }

    fn add_bytes(&mut self, bytes: usize) {
        self.bytes += u64::try_from(bytes).unwrap_or(0);
    }
}

impl Sub for TrafficCounters {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            loads: self.loads - before.loads,
            writes: self.writes - before.writes,
            conflicts: self.conflicts - before.conflicts,
            clock_skews: self.clock_skews - before.clock_skews,
            full_reads: self.full_reads - before.full_reads,
            pushes: self.pushes - before.pushes,
            bytes: self.bytes - before.bytes,
        }
    }
}

fn value_len(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len(),
        _ => 0,
    }
}
