//! A value for each core: what calls on different cores write has no cache line in common.

use std::{
    num::NonZero,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread::available_parallelism,
};

static CORES: LazyLock<usize> = LazyLock::new(|| available_parallelism().map_or(1, NonZero::get));

static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Threads that serve have numbers in a row, so with as many of them as cores no two have the same value.
    static THREAD: usize = THREADS.fetch_add(1, Ordering::Relaxed);
}

/// A value for each core.
#[derive(Debug)]
pub(crate) struct PerCore<T>(Box<[Arc<OwnLines<T>>]>);

/// A value that is alone on its cache lines. Processors fetch two of 64 bytes at a time.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct OwnLines<T>(pub(crate) T);

impl<T: Default> Default for PerCore<T> {
    fn default() -> Self {
        Self((0..*CORES).map(|_| Arc::default()).collect())
    }
}

impl<T> PerCore<T> {
    /// This thread's value. Whoever changes it for a while keeps it, since the end may be on another thread.
    pub(crate) fn local(&self) -> &Arc<OwnLines<T>> {
        let thread = THREAD.with(|thread| *thread);
        &self.0[thread % self.0.len()]
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|value| &value.0)
    }
}
