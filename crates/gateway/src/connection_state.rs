//! What a connection is doing, as the accept loop, its socket and its requests see it.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    },
    task::Waker,
    time::Duration,
};

use tokio::time::Instant;

/// A caller's connection that waits for no model, and is still at the same for this long, may be closed for another.
const MAX_UNFINISHED: Duration = Duration::from_secs(1);

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum ConnectionPhase {
    /// It waits for the first byte of a request.
    Idle,
    /// A part of a request's head has arrived.
    ReadingHead,
    /// A request is in flight, until its response is sent.
    InRequest,
    /// It has to close, to make room for another.
    Closing,
    /// The rest of a request is read that no model answers, or its response is sent.
    Dismissing,
    /// Nobody has looked yet whether a request has come with it.
    New,
}

/// The state of one connection.
#[derive(Debug)]
pub(crate) struct ConnectionState {
    opened_at: Instant,
    phase: AtomicU8,
    /// When the phase began, in milliseconds after `opened_at`.
    phase_since_ms: AtomicU64,
    /// Whether it has made a request that needs a key, and had it.
    is_known: AtomicBool,
    /// Whether it closes as soon as it is idle.
    is_ending: AtomicBool,
    /// Whether it gives back what it does not need while it is idle.
    is_resting: AtomicBool,
    /// What wakes its task.
    task: Mutex<Option<Waker>>,
}

impl ConnectionState {
    pub(crate) fn new() -> Self {
        Self {
            opened_at: Instant::now(),
            phase: AtomicU8::new(ConnectionPhase::New as u8),
            phase_since_ms: AtomicU64::new(0),
            is_known: AtomicBool::new(false),
            is_ending: AtomicBool::new(false),
            is_resting: AtomicBool::new(false),
            task: Mutex::default(),
        }
    }

    pub(crate) fn phase(&self) -> ConnectionPhase {
        match self.phase.load(Ordering::Acquire) {
            0 => ConnectionPhase::Idle,
            1 => ConnectionPhase::ReadingHead,
            2 => ConnectionPhase::InRequest,
            3 => ConnectionPhase::Closing,
            4 => ConnectionPhase::Dismissing,
            _ => ConnectionPhase::New,
        }
    }

    /// Enters a phase, unless it has to close: then nothing else follows. Whether it could.
    pub(crate) fn enter(&self, phase: ConnectionPhase) -> bool {
        // Nobody asks how long a request takes.
        if phase != ConnectionPhase::InRequest {
            let elapsed = self.opened_at.elapsed();
            let elapsed = elapsed.as_secs() * 1_000 + u64::from(elapsed.subsec_millis());
            self.phase_since_ms.store(elapsed, Ordering::Relaxed);
        }
        let is_open = |old: u8| (old != ConnectionPhase::Closing as u8).then_some(phase as u8);
        self.phase.fetch_update(Ordering::AcqRel, Ordering::Acquire, is_open).is_ok()
    }

    /// When its phase began, unless a request is in flight.
    pub(crate) fn phase_since(&self) -> Instant {
        self.opened_at + Duration::from_millis(self.phase_since_ms.load(Ordering::Relaxed))
    }

    /// Whether its client has shown a key.
    pub(crate) fn is_known(&self) -> bool {
        self.is_known.load(Ordering::Relaxed)
    }

    pub(crate) fn mark_known(&self) {
        self.is_known.store(true, Ordering::Relaxed);
    }

    /// Asks for what it does not need while it is idle.
    pub(crate) fn request_rest(&self) {
        if !self.is_resting.swap(true, Ordering::AcqRel) {
            self.wake();
        }
    }

    /// Whether it was asked for that, and can give it.
    pub(crate) fn may_rest(&self) -> bool {
        self.is_resting.load(Ordering::Acquire) && self.phase() == ConnectionPhase::Idle
    }

    /// It needs it again.
    pub(crate) fn end_rest(&self) {
        self.is_resting.store(false, Ordering::Release);
    }

    /// Closes it unless a request is in flight, or, if its client is known, has just begun. Whether it will close.
    pub(crate) fn request_close(&self) -> bool {
        let may_close = |phase: ConnectionPhase| match phase {
            ConnectionPhase::Idle => true,
            ConnectionPhase::ReadingHead | ConnectionPhase::Dismissing => {
                !self.is_known() || self.phase_since().elapsed() >= MAX_UNFINISHED
            }
            ConnectionPhase::InRequest | ConnectionPhase::Closing | ConnectionPhase::New => false,
        };
        let phase = self.phase();
        let closing = ConnectionPhase::Closing as u8;
        let can_close = may_close(phase)
            && self.phase.compare_exchange(phase as u8, closing, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if can_close {
            self.wake();
        }
        can_close
    }

    /// Closes it as soon as it is idle, or now if its client has no key and does not take its response.
    pub(crate) fn end(&self) {
        self.is_ending.store(true, Ordering::Release);
        let is_late = || self.phase_since().elapsed() >= MAX_UNFINISHED;
        if self.phase() == ConnectionPhase::Dismissing && !self.is_known() && is_late() {
            self.request_close();
        }
        self.wake();
    }

    /// Whether it closes as soon as it is idle.
    pub(crate) fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Acquire)
    }

    /// What wakes its task. What it depends on is looked at afterwards.
    pub(crate) fn set_task(&self, waker: &Waker) {
        *self.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(waker.clone());
    }

    /// Lets its task look again at what it depends on.
    pub(crate) fn wake(&self) {
        if let Some(task) = &*self.task.lock().unwrap_or_else(PoisonError::into_inner) {
            task.wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ConnectionPhase::*, *};

    #[tokio::test(start_paused = true)]
    async fn only_who_waits_for_nothing_has_to_close() {
        let moment = Duration::from_millis(999);
        for (phase, is_known, after, expected) in [
            (Idle, false, moment, true),
            (Idle, true, moment, true),
            (ReadingHead, false, moment, true),
            (ReadingHead, true, moment, false),
            (ReadingHead, true, MAX_UNFINISHED, true),
            (Dismissing, false, moment, true),
            (Dismissing, true, moment, false),
            (Dismissing, true, MAX_UNFINISHED, true),
            (InRequest, false, MAX_UNFINISHED, false),
            (InRequest, true, MAX_UNFINISHED, false),
            (New, false, MAX_UNFINISHED, false),
        ] {
            let state = ConnectionState::new();
            if is_known {
                state.mark_known();
            }
            assert!(state.enter(phase));
            tokio::time::advance(after).await;
            assert_eq!(state.request_close(), expected, "{phase:?}, known: {is_known}, after {after:?}");
            assert_eq!(state.enter(InRequest), !expected, "what has to close begins no request");
            assert!(!state.request_close(), "it closes once");
        }
    }
}
