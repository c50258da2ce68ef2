//! Wakers that know more of a connection's task than that it has to be polled.

use std::{
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

thread_local! {
    /// While it is set, this thread's wakes of [`TaskWaker`]s are only noted.
    static NOTED: Cell<Option<bool>> = const { Cell::new(None) };
}

/// Wakes a connection's task, unless the thread is in [`without_waking`].
struct TaskWaker(Waker);

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if NOTED.get().is_some() {
            NOTED.set(Some(true));
        } else {
            self.0.wake_by_ref();
        }
    }
}

/// A waker of the task that is polled with this one.
pub(crate) fn task_waker(waker: &Waker) -> Waker {
    Waker::from(Arc::new(TaskWaker(waker.clone())))
}

/// Polls something whose only wakes, on this thread, are of the task that polls it. Returns whether there was one: the
/// caller has to wake the task then, or knows that it need not.
pub(crate) fn without_waking<T>(poll: impl FnOnce() -> T) -> (T, bool) {
    struct Noting;
    impl Drop for Noting {
        fn drop(&mut self) {
            NOTED.set(None);
        }
    }
    NOTED.set(Some(false));
    let noting = Noting;
    let result = poll();
    let is_woken = NOTED.get().unwrap_or(false);
    drop(noting);
    (result, is_woken)
}

/// A source of readiness, which need not be asked again before it has woken the task.
#[derive(Debug, Default)]
pub(crate) struct Source {
    /// Since the source was pending, and the task that it was pending for.
    pending: Option<(Arc<SourceWaker>, Waker)>,
    is_pending: bool,
}

#[derive(Debug)]
struct SourceWaker {
    task: Waker,
    was_woken: AtomicBool,
}

impl Wake for SourceWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.was_woken.store(true, Ordering::Release);
        self.task.wake_by_ref();
    }
}

impl Source {
    /// Polls the source, unless it was pending and has not woken the task since.
    pub(crate) fn poll<T>(
        &mut self,
        context: &mut Context<'_>,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let (source, waker) = match &mut self.pending {
            Some(pending) if pending.0.task.will_wake(context.waker()) => {
                if self.is_pending && !pending.0.was_woken.load(Ordering::Acquire) {
                    return Poll::Pending;
                }
                pending
            }
            pending => {
                let task = context.waker().clone();
                let source = Arc::new(SourceWaker { task, was_woken: AtomicBool::new(false) });
                pending.insert((Arc::clone(&source), Waker::from(source)))
            }
        };
        // A wake during the poll is one since.
        source.was_woken.store(false, Ordering::Release);
        let result = poll(&mut Context::from_waker(waker));
        self.is_pending = result.is_pending();
        result
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn wakes_of_this_thread_are_noted_and_those_of_others_pass() {
        let count = Arc::new(Count::default());
        let waker = task_waker(&Waker::from(Arc::clone(&count)));
        let woken = || count.0.load(Ordering::Relaxed);
        assert_eq!(without_waking(|| 1), (1, false));
        assert!(without_waking(|| waker.wake_by_ref()).1);
        assert_eq!(woken(), 0);
        without_waking(|| std::thread::scope(|scope| _ = scope.spawn(|| waker.wake_by_ref())));
        assert_eq!(woken(), 1);
        waker.wake();
        assert_eq!(woken(), 2);
    }

    #[test]
    fn a_source_is_asked_again_once_it_has_woken_its_task() {
        let (count, other) = (Arc::new(Count::default()), Arc::new(Count::default()));
        let (task, other) = (Waker::from(Arc::clone(&count)), Waker::from(other));
        let (mut source, mut polls, mut last) = (Source::default(), 0, None);
        let mut poll = |task: &Waker| {
            let result = source.poll(&mut Context::from_waker(task), |context| {
                polls += 1;
                last = Some(context.waker().clone());
                Poll::<()>::Pending
            });
            assert!(result.is_pending());
            (polls, last.clone().unwrap())
        };
        assert_eq!(poll(&task).0, 1);
        let (polls, waker) = poll(&task);
        assert_eq!(polls, 1, "nothing has happened");
        waker.wake();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert_eq!((poll(&task).0, poll(&task).0), (2, 2));
        assert_eq!(poll(&other).0, 3, "another task has not been asked for");
    }
}
