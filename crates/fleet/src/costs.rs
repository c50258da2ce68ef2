//! What a fleet costs its Redis.

use std::ops::Sub;

use breaker::Transition;
use circuits::{Loaded, Swap, Value, Write};

/// Commands, pushes and bytes. A script is one command. The sign of life that each of an instance's two connections is
/// asked for once a second is left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Costs {
    /// One circuit read.
    pub loads: u64,
    /// Tries to write a circuit.
    pub swaps: u64,
    /// Of these, the ones that somebody else had overtaken.
    pub conflicts: u64,
    /// Of these, the ones that were decided by a clock too far off.
    pub clocks_away: u64,
    /// SCAN, MGET and TIME of reading everything.
    pub listings: u64,
    /// Words of a change, one an instance and change.
    pub pushes: u64,
    /// Bytes of commands, answers and pushes, about.
    pub bytes: u64,
}

/// Name, digest, keys and the like around a script's own arguments.
const SCRIPT: usize = 200;

impl Costs {
    /// Commands of all kinds; pushes are none.
    #[must_use]
    pub const fn commands(&self) -> u64 {
        self.loads + self.swaps + self.listings
    }

    pub(crate) fn load(&mut self, loaded: &Loaded) {
        self.loads += 1;
        self.add_bytes(SCRIPT + length(&loaded.value));
    }

    pub(crate) fn swap(&mut self, write: &Write, swap: &Swap) {
        self.swaps += 1;
        let mut bytes = SCRIPT + length(&write.expected) + write.next.as_ref().map_or(0, bytes::Bytes::len);
        bytes += write.entries.len() * (size_of::<Transition>() + SCRIPT);
        match swap {
            Swap::Done { .. } => {}
            Swap::Changed(loaded) => {
                self.conflicts += 1;
                bytes += length(&loaded.value);
            }
            Swap::ClockAway { .. } => self.clocks_away += 1,
        }
        self.add_bytes(bytes);
    }

    pub(crate) fn listing(&mut self, values: &[(breaker::ModelKey, Value)], discover: bool) {
        let count = u64::try_from(values.len()).unwrap_or(u64::MAX);
        self.listings += count.div_ceil(500) + 1;
        if discover {
            self.listings += count.div_ceil(1_000).max(1);
        }
        self.add_bytes(values.iter().map(|(key, value)| 2 * key.as_str().len() + 40 + length(value)).sum());
    }

    pub(crate) fn push(&mut self, name: &str) {
        self.pushes += 1;
        self.add_bytes(name.len() + 50);
    }

    fn add_bytes(&mut self, bytes: usize) {
        self.bytes += u64::try_from(bytes).unwrap_or(0);
    }
}

impl Sub for Costs {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            loads: self.loads - before.loads,
            swaps: self.swaps - before.swaps,
            conflicts: self.conflicts - before.conflicts,
            clocks_away: self.clocks_away - before.clocks_away,
            listings: self.listings - before.listings,
            pushes: self.pushes - before.pushes,
            bytes: self.bytes - before.bytes,
        }
    }
}

fn length(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len(),
        _ => 0,
    }
}
