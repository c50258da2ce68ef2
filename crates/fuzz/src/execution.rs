//! One execution of a target: what it cost, and what is wrong with it.

use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};

use crate::{features::Features, target::Target};

/// What an execution cost.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cost {
    /// The most bytes allocated at one time.
    pub peak_bytes: u64,
    /// The thread's processor time.
    pub time: Duration,
}

/// Why an execution failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// It panicked: a fault of the reader, or a law of the target that does not hold.
    #[error("panicked: {0}")]
    Panic(String),
    /// It allocated more than the target's bound.
    #[error("allocated {peak} bytes at one time, expected at most {bound} for {input} bytes of input")]
    Memory {
        /// The bytes allocated.
        peak: u64,
        /// The bound.
        bound: u64,
        /// The input's length.
        input: usize,
    },
    /// It took longer than the target's bound.
    #[error("took {time:?}, expected at most {bound:?} for {input} bytes of input")]
    Time {
        /// Processor time.
        time: Duration,
        /// The bound.
        bound: Duration,
        /// The input's length.
        input: usize,
    },
    /// A piece of the input that was repeated cost more than in proportion.
    #[error("grows faster than its input: {short:?} for {short_bytes} bytes, {long:?} for {long_bytes}")]
    Growth {
        /// Processor time of the shorter input.
        short: Duration,
        /// Its length.
        short_bytes: usize,
        /// Processor time of the longer input.
        long: Duration,
        /// Its length.
        long_bytes: usize,
    },
}

impl Violation {
    /// Whether another input shows the same fault, as far as can be seen.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Panic(one), Self::Panic(two)) => place(one) == place(two),
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}

thread_local! {
    static LAST_PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps panics from being printed: thousands of them show while an input is minimized. Their place and message are kept.
pub fn silence_panics() {
    std::panic::set_hook(Box::new(|info| {
        LAST_PANIC.with(|last| *last.borrow_mut() = info.to_string());
    }));
}

/// Runs a target once and checks its bounds.
///
/// # Errors
/// What was violated.
pub(crate) fn execute(target: &Target, input: &[u8], features: &mut Features) -> Result<Cost, Violation> {
    let cost = measure(target, input, features)?;
    let bound = target.memory.bound(input.len());
    if cost.peak_bytes > bound {
        return Err(Violation::Memory { peak: cost.peak_bytes, bound, input: input.len() });
    }
    let bound = target.time_bound(input.len());
    if cost.time > bound {
        // Once may be a page fault or a busy machine.
        let time = measure(target, input, &mut Features::default())?.time.min(cost.time);
        if time > bound {
            return Err(Violation::Time { time, bound, input: input.len() });
        }
    }
    Ok(cost)
}

/// Compares an input with a longer one that repeats a piece of it.
///
/// # Errors
/// What was violated.
pub(crate) fn check_growth(target: &Target, short: &[u8], long: &[u8]) -> Result<(), Violation> {
    /// A quadratic reader takes eight times what a linear one takes for an input eight times as long.
    const TOLERANCE: u32 = 3;
    /// Below, noise decides.
    const NOISE: Duration = Duration::from_millis(300);
    let features = &mut Features::default();
    let ratio = u32::try_from(long.len() / short.len().max(1)).unwrap_or(u32::MAX);
    let time = |input: &[u8], features: &mut Features| execute(target, input, features).map(|cost| cost.time);
    let (mut short_time, mut long_time) = (time(short, features)?, time(long, features)?);
    for _ in 0..3 {
        if long_time <= short_time.saturating_mul(ratio).saturating_mul(TOLERANCE) + NOISE {
            return Ok(());
        }
        short_time = short_time.max(time(short, features)?);
        long_time = long_time.min(time(long, features)?);
    }
    Err(Violation::Growth {
        short: short_time,
        short_bytes: short.len(),
        long: long_time,
        long_bytes: long.len(),
    })
}

fn measure(target: &Target, input: &[u8], features: &mut Features) -> Result<Cost, Violation> {
    let before = thread_time();
    let mut outcome = Ok(());
    let allocations = allocation_counter::measure(|| {
        outcome = catch_unwind(AssertUnwindSafe(|| (target.run)(input, features)));
    });
    let time = thread_time().saturating_sub(before);
    match outcome {
        Ok(()) => {
            features.add_magnitude("allocations", allocations.count_total);
            Ok(Cost { peak_bytes: allocations.bytes_max, time })
        }
        Err(_) => Err(Violation::Panic(LAST_PANIC.with(|last| last.borrow().clone()))),
    }
}

/// The processor time of this thread.
pub(crate) fn thread_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// File and line of a panic, which its text begins with.
fn place(panic: &str) -> &str {
    panic.lines().next().unwrap_or_default()
}
