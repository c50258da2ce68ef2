//! What admission reads of a circuit: its view, and the same in one number for nearly every call.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use breaker::{AdmissionOfAll, Mode, Policy, Record, Timestamp, admission_of_all};

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
    pub(crate) fn fast_path(&self) -> FastPath {
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
