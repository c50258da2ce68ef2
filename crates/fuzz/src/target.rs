//! A target: a reader, the inputs to begin with, and its bounds.

use std::time::Duration;

use crate::features::Features;

/// A reader of something from outside.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, in tests and on the command line.
    pub name: &'static str,
    /// What it reads.
    pub reads: &'static str,
    /// Reads an input and asserts what must hold. A panic is a fault.
    pub run: fn(&[u8], &mut Features),
    /// Inputs that are valid or nearly so.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// How much it may allocate.
    pub memory: Memory,
    /// The longest input that is made for it.
    pub max_bytes: usize,
    /// Whether its cost is in proportion to its input; of a compressed input it is not.
    pub is_linear: bool,
}

/// A bound on the bytes allocated at one time.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// For each byte of the input.
    pub per_byte: u64,
    /// For any input.
    pub constant: u64,
}

impl Memory {
    /// The bound for an input.
    #[must_use]
    pub const fn bound(self, input: usize) -> u64 {
        self.constant + self.per_byte * input as u64
    }
}

impl Target {
    /// The processor time that an input may take, with all that the target does to check it, in a build without
    /// optimization: generous, so that only what hangs is found by it. What grows too fast is found by comparison.
    pub(crate) const fn time_bound(&self, input: usize) -> Duration {
        let constant = if self.is_linear { Duration::from_secs(1) } else { Duration::from_secs(30) };
        constant.saturating_add(Duration::from_micros(100 * input as u64))
    }
}
