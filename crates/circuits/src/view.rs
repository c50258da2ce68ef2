//! What admission reads of a circuit: its view, and the same in one number for nearly every call.

use std::{
    num::NonZeroU64,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use arc_swap::{ArcSwap, ArcSwapOption, Guard};
use breaker::{AdmissionOfAll, Mode, Policy, Record, Timestamp, admission_of_all, bucket_width};

use crate::{expected::Expected, mirror::Mirror};

/// What admission reads.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) record: Arc<Record>,
    /// What is being written, if it admits and refuses others than `record` (F3).
    pub(crate) expected: Option<Arc<Record>>,
    pub(crate) policy: Arc<Policy>,
    /// The circuit is known; if not, it is read before its first call (F2).
    pub(crate) loaded: bool,
}

impl View {
    pub(crate) fn new(mirror: &Mirror, expected: &Expected, policy: &Arc<Policy>) -> Self {
        let record = Arc::new(mirror.record.clone());
        let expected = expected.restriction(mirror).cloned().map(Arc::new);
        Self { record, expected, policy: Arc::clone(policy), loaded: mirror.is_loaded() }
    }

    /// Whether it must be read before the first decision.
    pub(crate) fn needs_load(&self) -> bool {
        !self.loaded && self.policy.mode != Mode::Off
    }

    /// What it says to every call.
    fn fast_path(&self) -> FastPath {
        if !self.loaded {
            return FastPath::LoadView;
        }
        match admission_of_all(&self.record, &self.policy) {
            // Whoever the record refuses is refused, whatever is being written.
            AdmissionOfAll::Refused => FastPath::Refuse,
            AdmissionOfAll::Admitted if self.expected.is_none() => {
                FastPath::Admit { epoch: self.record.epoch }
            }
            // Whether the time is over only the clock can tell, or a timer.
            AdmissionOfAll::Admitted | AdmissionOfAll::RefusedUntil(_) | AdmissionOfAll::Depends => {
                FastPath::LoadView
            }
        }
    }

    /// When everyone is refused before a time: that time.
    pub(crate) fn refuses_all_until(&self) -> Option<Timestamp> {
        match admission_of_all(&self.record, &self.policy) {
            AdmissionOfAll::RefusedUntil(end) if self.loaded => Some(end),
            _ => None,
        }
    }
}

/// What nearly every call gets, whoever makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FastPath {
    /// Only the view can tell.
    LoadView,
    /// A permit, at any time; a success changes nothing.
    Admit {
        /// Of the circuit.
        epoch: u64,
    },
    /// A refusal: this time, when the view is to tell, is not near.
    RefuseUntil(Timestamp),
    /// A refusal at any time.
    Refuse,
}

/// It in one number, so that a call needs neither a lock nor a reference to the view: 0 to load the view; an epoch to
/// admit; [`REFUSES`] with a time, or with 0 for no end, to refuse.
#[derive(Debug, Default)]
pub(crate) struct FastPathCell(AtomicU64);

/// Neither epochs nor times are as large as this: both are milliseconds.
const REFUSES: u64 = 1 << 63;

impl FastPathCell {
    #[inline]
    pub(crate) fn load(&self) -> FastPath {
        match self.0.load(Ordering::Acquire) {
            0 => FastPath::LoadView,
            REFUSES => FastPath::Refuse,
            number if number & REFUSES != 0 => {
                FastPath::RefuseUntil(Timestamp::from_millis(number & !REFUSES))
            }
            epoch => FastPath::Admit { epoch },
        }
    }

    pub(crate) fn store(&self, fast_path: FastPath) {
        let number = match fast_path {
            FastPath::Admit { epoch } if epoch < REFUSES => epoch,
            FastPath::RefuseUntil(end) if (1..REFUSES).contains(&end.as_millis()) => {
                REFUSES | end.as_millis()
            }
            FastPath::Refuse => REFUSES,
            FastPath::LoadView | FastPath::Admit { .. } | FastPath::RefuseUntil(_) => 0,
        };
        self.0.store(number, Ordering::Release);
    }
}

/// The view as all cores read it, with what they need more often. One at a time changes it: who holds the circuit's lock.
pub(crate) struct PublishedView {
    view: ArcSwap<View>,
    fast_path: FastPathCell,
    /// How long a bucket of successes lasts, in ms; 0: they are not counted.
    success_bucket_width: AtomicU64,
    /// The last record that refused everyone, if there was one.
    last_refusing: ArcSwapOption<Record>,
    retired: AtomicBool,
}

impl PublishedView {
    /// The first view, which no call is admitted by.
    pub(crate) fn new(view: View) -> Self {
        Self {
            view: ArcSwap::from_pointee(view),
            fast_path: FastPathCell::default(),
            success_bucket_width: AtomicU64::new(0),
            last_refusing: ArcSwapOption::empty(),
            retired: AtomicBool::new(false),
        }
    }

    pub(crate) fn load(&self) -> Guard<Arc<View>> {
        self.view.load()
    }

    pub(crate) fn store(&self, view: View) {
        let is_retired = self.retired.load(Ordering::Relaxed);
        let fast_path = if is_retired { FastPath::LoadView } else { view.fast_path() };
        if fast_path == FastPath::Refuse || view.refuses_all_until().is_some() {
            self.last_refusing.store(Some(Arc::clone(&view.record)));
        }
        let counts_successes = view.policy.failure_rate.is_some();
        let bucket_width = if counts_successes { bucket_width(&view.policy).get() } else { 0 };
        self.view.store(Arc::new(view));
        self.success_bucket_width.store(bucket_width, Ordering::Relaxed);
        self.fast_path.store(fast_path);
    }

    /// What nearly every call gets, without loading the view.
    #[inline]
    pub(crate) fn fast_path(&self) -> FastPath {
        self.fast_path.load()
    }

    /// From now on refuses calls without a look at the view or the clock, until this is taken back. `false`: it does not,
    /// since the view is no longer this one.
    pub(crate) fn refuse_until(&self, view: &Arc<View>, end: Timestamp) -> bool {
        let is_current = Arc::ptr_eq(view, &self.load()) && !self.retired.load(Ordering::Relaxed);
        if is_current {
            self.fast_path.store(FastPath::RefuseUntil(end));
        }
        is_current
    }

    /// Takes that back, unless the view has changed since.
    pub(crate) fn end_refusal(&self, end: Timestamp) {
        if self.fast_path() == FastPath::RefuseUntil(end) {
            self.fast_path.store(FastPath::LoadView);
        }
    }

    /// From now on says nothing without a look at the view.
    pub(crate) fn retire(&self) {
        self.retired.store(true, Ordering::Relaxed);
        self.fast_path.store(FastPath::LoadView);
    }

    /// How long a bucket of successes lasts, in ms; `None`: they are not counted.
    pub(crate) fn success_bucket_width(&self) -> Option<NonZeroU64> {
        NonZeroU64::new(self.success_bucket_width.load(Ordering::Relaxed))
    }

    /// The record that a call was refused by which saw only the fast path, or a later one that refuses everyone.
    pub(crate) fn last_refusing_record(&self) -> Arc<Record> {
        self.last_refusing.load_full().unwrap_or_else(|| Arc::clone(&self.load().record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_loaded() {
        let cell = FastPathCell::default();
        assert_eq!(cell.load(), FastPath::LoadView);
        let end = Timestamp::from_millis;
        for (stored, loaded) in [
            (FastPath::Admit { epoch: 7 }, FastPath::Admit { epoch: 7 }),
            (FastPath::RefuseUntil(end(7)), FastPath::RefuseUntil(end(7))),
            (FastPath::RefuseUntil(Timestamp::MAX), FastPath::RefuseUntil(Timestamp::MAX)),
            (FastPath::Refuse, FastPath::Refuse),
            (FastPath::LoadView, FastPath::LoadView),
            // What has no number of its own is read in the view.
            (FastPath::Admit { epoch: 0 }, FastPath::LoadView),
            (FastPath::Admit { epoch: u64::MAX }, FastPath::LoadView),
            (FastPath::RefuseUntil(Timestamp::NEVER), FastPath::LoadView),
            (FastPath::RefuseUntil(end(u64::MAX)), FastPath::LoadView),
        ] {
            cell.store(stored);
            assert_eq!(cell.load(), loaded, "{stored:?}");
        }
    }
}
