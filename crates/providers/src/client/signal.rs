//! Wakes the task that waits for a connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

/// How often a connection is polled before the task yields.
const MAX_POLLS: usize = 8;

/// The waker of one connection, whichever task uses it.
///
/// hyper's halves of a connection wake each other, since they usually belong to two tasks. Here one task polls both, so
/// that what happens while it polls must not schedule it once more. An idle connection must not keep the memory of the task
/// that used it last, either.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    task: AtomicWaker,
    is_polling: AtomicBool,
    is_woken: AtomicBool,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_woken.store(true, SeqCst);
        if !self.is_polling.load(SeqCst) {
            self.task.wake();
        }
    }
}

impl Signal {
    /// Polls until nothing more happens. Nobody is woken by what happens meanwhile.
    pub(crate) fn poll<T>(
        &self,
        own: &Waker,
        task: &Waker,
        mut poll_once: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.task.register(task);
        for _ in 0..MAX_POLLS {
            if let Poll::Ready(output) = self.poll_silently(own, &mut poll_once) {
                return Poll::Ready(output);
            }
            if !self.is_woken.load(SeqCst) {
                return Poll::Pending;
            }
        }
        task.wake_by_ref();
        Poll::Pending
    }

    /// Polls once, for no task.
    pub(crate) fn poll_silently<T>(
        &self,
        own: &Waker,
        poll_once: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.is_polling.store(true, SeqCst);
        self.is_woken.store(false, SeqCst);
        let output = poll_once(&mut Context::from_waker(own));
        self.is_polling.store(false, SeqCst);
        output
    }

    /// Forgets the task.
    pub(crate) fn release_task(&self) {
        drop(self.task.take());
    }

    /// Whether something has happened since the last poll.
    pub(crate) fn is_woken(&self) -> bool {
        self.is_woken.load(SeqCst)
    }
}
