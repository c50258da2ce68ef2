//! What each core has for itself. Calls on different cores that write to the same cache line wait for each other, so what
//! every good call writes is here: as many copies as cores, each on lines of its own.
//!
//! "Core" is the number of a thread. The threads that serve connections have one each ([`set_core`]); others count on in the
//! order in which they ask.
//!
//! Invariants:
//! - A thread uses always the same copy, and whoever adds the copies up sees all.
//! - Two copies share no cache line.

mod first_read;

use std::{
    cell::Cell,
    fmt,
    ops::Deref,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

pub use first_read::first_read;

/// More copies cost memory and save little.
const MAX_CORES: usize = 64;

thread_local! {
    /// The copy that this thread uses.
    static CORE: Cell<usize> = const { Cell::new(usize::MAX) };
    /// The copy of its runtime.
    static RUNTIME: Cell<usize> = const { Cell::new(0) };
}

/// A copy of a value for each core. A thread uses always the same one; where there are more threads than cores, some share.
pub struct PerCore<T>(Box<[OwnLine<T>]>);

/// Alone on its cache lines: two, since processors fetch pairs of them.
#[repr(align(128))]
#[derive(Debug, Default)]
pub struct OwnLine<T>(pub T);

impl<T> PerCore<T> {
    /// A copy for each core of this machine, or of its share of one.
    pub fn new(mut copy: impl FnMut() -> T) -> Self {
        Self((0..core_count()).map(|_| OwnLine(copy())).collect())
    }

    /// The copy of this thread.
    #[must_use]
    pub fn local(&self) -> &T {
        // The remainder is in the array, and a power of two.
        &self.0[core() & (self.0.len() - 1)].0
    }

    /// The copy of this thread's runtime, for what belongs to a runtime, such as a socket: threads that have a runtime of their own
    /// say so ([`set_core`]), and all others share a copy.
    #[must_use]
    pub fn of_runtime(&self) -> &T {
        &self.0[RUNTIME.get() & (self.0.len() - 1)].0
    }

    /// All copies.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|copy| &copy.0)
    }
}

impl<T: Default> Default for PerCore<T> {
    fn default() -> Self {
        Self::new(T::default)
    }
}

impl<T> fmt::Debug for PerCore<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PerCore").field("copies", &self.0.len()).finish_non_exhaustive()
    }
}

/// A shared value with a reference count for each core.
pub struct SharedByCores<T>(PerCore<CoreArc<T>>);

impl<T> SharedByCores<T> {
    /// Shares it.
    #[must_use]
    pub fn new(value: &Arc<T>) -> Self {
        Self(PerCore::new(|| CoreArc::new(Arc::clone(value))))
    }

    /// A reference that this core counts.
    #[must_use]
    pub fn reference(&self) -> CoreArc<T> {
        self.0.local().clone()
    }

    /// The value.
    #[must_use]
    pub fn get(&self) -> &Arc<T> {
        self.0.local().shared()
    }
}

impl<T> fmt::Debug for SharedByCores<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedByCores").finish_non_exhaustive()
    }
}

/// A reference to a value, counted by the core that it comes from.
pub struct CoreArc<T>(Arc<OwnLine<Arc<T>>>);

impl<T> CoreArc<T> {
    /// With a count of its own.
    #[must_use]
    pub fn new(value: Arc<T>) -> Self {
        Self(Arc::new(OwnLine(value)))
    }

    /// The value as all cores count it.
    #[must_use]
    pub fn shared(&self) -> &Arc<T> {
        &self.0.0
    }
}

impl<T> Clone for CoreArc<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Deref for CoreArc<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.0
    }
}

impl<T: fmt::Debug> fmt::Debug for CoreArc<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.shared(), f)
    }
}

/// A power of two.
fn core_count() -> usize {
    static COUNT: OnceLock<usize> = OnceLock::new();
    *COUNT.get_or_init(|| {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        cores.min(MAX_CORES).next_power_of_two()
    })
}

/// Says which core this thread is on, and that it has a runtime of its own; before it uses any copy.
pub fn set_core(number: usize) {
    CORE.set(number % MAX_CORES);
    RUNTIME.set(number % MAX_CORES);
}

/// The number of this thread, in the order in which threads ask: a runtime's workers have different ones.
fn core() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    CORE.with(|core| {
        if core.get() == usize::MAX {
            core.set(NEXT.fetch_add(1, Ordering::Relaxed) % MAX_CORES);
        }
        core.get()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_has_its_copy_and_all_are_seen() {
        let counts = PerCore::<AtomicUsize>::default();
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    (0..100).for_each(|_| _ = counts.local().fetch_add(1, Ordering::Relaxed));
                });
            }
        });
        assert_eq!(counts.iter().map(|count| count.load(Ordering::Relaxed)).sum::<usize>(), 800);
        assert!(std::ptr::eq(counts.local(), counts.local()));
    }

    #[test]
    fn a_thread_can_choose_its_core() {
        let numbers = PerCore::new(AtomicUsize::default);
        let last = numbers.iter().count() - 1;
        thread::scope(|scope| {
            scope.spawn(|| {
                assert!(std::ptr::eq(numbers.of_runtime(), numbers.iter().next().unwrap()));
                set_core(last);
                numbers.local().store(7, Ordering::Relaxed);
                assert!(std::ptr::eq(numbers.of_runtime(), numbers.local()));
            });
        });
        assert_eq!(numbers.iter().last().map(|number| number.load(Ordering::Relaxed)), Some(7));
    }

    #[test]
    fn the_copies_share_no_line() {
        let counts = PerCore::<AtomicUsize>::default();
        let addresses: Vec<_> = counts.iter().map(|count| std::ptr::from_ref(count).addr()).collect();
        assert!(addresses.windows(2).all(|pair| pair[1] - pair[0] >= 128), "{addresses:?}");
    }

    #[test]
    fn a_reference_keeps_the_value() {
        let shared = SharedByCores::new(&Arc::new(7));
        let reference = shared.reference();
        let value = Arc::downgrade(reference.shared());
        drop(shared);
        assert_eq!((*reference, value.strong_count()), (7, 1));
        drop(reference);
        assert_eq!(value.strong_count(), 0);
    }
}
