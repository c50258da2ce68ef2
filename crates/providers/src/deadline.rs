//! The end of a wait, and the timeout that sets it.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use per_core::PerCore;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::error::{ProviderError, ProviderErrorKind, TimeoutKind};

/// The end of a wait, and the timeout that sets it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    at: Instant,
    kind: TimeoutKind,
}

impl Deadline {
    /// `duration` after `start`. A duration beyond the clock's range counts as a year.
    pub(crate) fn new(start: Instant, duration: Duration, kind: TimeoutKind) -> Self {
        const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
        let at = start.checked_add(duration).unwrap_or_else(|| start + YEAR);
        Self { at, kind }
    }

    /// The one that comes first.
    pub(crate) fn earlier(self, other: Self) -> Self {
        if other.at < self.at { other } else { self }
    }
}

/// The wait for a response.
#[derive(Debug)]
pub(crate) struct Wait {
    /// When the request was sent.
    pub(crate) start: Instant,
    pub(crate) deadline: Deadline,
    pub(crate) timer: Timer,
}

impl Wait {
    /// One that begins now.
    pub(crate) fn until(deadline: Deadline) -> Self {
        Self { start: Instant::now(), deadline, timer: Timer::default() }
    }

    /// Waits for what makes one step.
    pub(crate) async fn for_result<T>(
        &mut self,
        step: impl Future<Output = Result<T, ProviderError>>,
    ) -> Result<T, ProviderError> {
        self.timer.timeout(self.deadline, step).await?
    }
}

/// The timer of many waits, one after another. To set a timer costs more than an event does, so it is set anew only for a wait
/// that ends earlier, and where it has rung too early.
#[derive(Debug, Default)]
pub(crate) struct Timer {
    /// `None`: nothing had to be waited for.
    set: Option<SetTimer>,
    /// Where it is from, and is kept afterwards.
    kept: Option<Arc<KeptTimers>>,
}

#[derive(Debug)]
struct SetTimer {
    sleep: Pin<Box<Sleep>>,
    /// Whom it will wake.
    waker: Option<Waker>,
}

/// Timers that are set and in no use, for the next calls of the same runtime, to which a timer belongs.
/// They ring in vain at most once.
#[derive(Debug, Default)]
pub(crate) struct KeptTimers(PerCore<Mutex<Vec<SetTimer>>>);

/// How many timers a runtime keeps. More are made as needed.
const MAX_KEPT: usize = 256;

/// Among so many of the last ones that of a task is looked for.
const LOOKED_AT: usize = 8;

impl KeptTimers {
    /// The one that wakes this task already, else any.
    fn take(&self, waker: &Waker) -> Option<SetTimer> {
        let mut kept = self.lock();
        let first = kept.len().saturating_sub(LOOKED_AT);
        let own = kept[first..].iter().rposition(|timer| timer.wakes(waker));
        own.map(|own| kept.swap_remove(first + own)).or_else(|| kept.pop())
    }

    fn put(&self, timer: SetTimer) {
        let mut kept = self.lock();
        if kept.len() < MAX_KEPT {
            kept.push(timer);
        }
    }

    /// A panic elsewhere leaves the list consistent.
    fn lock(&self) -> MutexGuard<'_, Vec<SetTimer>> {
        self.0.of_runtime().lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SetTimer {
    fn wakes(&self, waker: &Waker) -> bool {
        self.waker.as_ref().is_some_and(|own| own.will_wake(waker))
    }

    /// Whether it will ring, too.
    fn will_wake(&self, cx: &Context<'_>) -> bool {
        self.wakes(cx.waker()) && !self.sleep.is_elapsed()
    }
}

impl Timer {
    /// One of those that are kept.
    pub(crate) fn of(kept: &Arc<KeptTimers>) -> Self {
        Self { set: None, kept: Some(Arc::clone(kept)) }
    }

    /// Waits for `future` until then.
    pub(crate) async fn timeout<F: Future>(
        &mut self,
        deadline: Deadline,
        future: F,
    ) -> Result<F::Output, ProviderError> {
        let mut future = pin!(future);
        poll_fn(|cx| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            self.poll_end(deadline, cx).map(Err)
        })
        .await
    }

    /// Whether it will wake this task, at whatever time it was set to.
    #[inline]
    pub(crate) fn will_wake(&self, cx: &Context<'_>) -> bool {
        self.set.as_ref().is_some_and(|timer| timer.will_wake(cx))
    }

    /// Ready at that time, with the error for it.
    pub(crate) fn poll_end(&mut self, deadline: Deadline, cx: &mut Context<'_>) -> Poll<ProviderError> {
        let timer = self.set.get_or_insert_with(|| {
            let kept = self.kept.as_ref().and_then(|kept| kept.take(cx.waker()));
            kept.unwrap_or_else(|| SetTimer { sleep: Box::pin(sleep_until(deadline.at)), waker: None })
        });
        let will_wake = timer.will_wake(cx);
        let sleep = &mut timer.sleep;
        if deadline.at < sleep.deadline() {
            sleep.as_mut().reset(deadline.at);
        } else if will_wake {
            return Poll::Pending;
        }
        while sleep.as_mut().poll(cx).is_ready() {
            if Instant::now() >= deadline.at {
                let kind = ProviderErrorKind::Timeout(deadline.kind);
                return Poll::Ready(ProviderError::provider_failure(kind));
            }
            sleep.as_mut().reset(deadline.at);
        }
        if !will_wake {
            timer.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let (Some(timer), Some(kept)) = (self.set.take(), &self.kept) {
            kept.put(timer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_timer_serves_later_and_earlier_deadlines() {
        let mut timer = Timer::default();
        let start = Instant::now();
        for (seconds, kind) in [
            (5, TimeoutKind::Idle),
            (9, TimeoutKind::FirstToken),
            (10, TimeoutKind::Idle),
            (10, TimeoutKind::Idle),
        ] {
            // Another wait is over before its deadline, which is far.
            let far = Deadline::new(start, Duration::from_secs(600), TimeoutKind::FirstByte);
            timer.timeout(far, tokio::time::sleep(Duration::from_millis(10))).await.unwrap();
            let deadline = Deadline::new(start, Duration::from_secs(seconds), kind);
            let error = timer.timeout(deadline, std::future::pending::<()>()).await.unwrap_err();
            assert_eq!(error.kind, ProviderErrorKind::Timeout(kind));
            assert!(start.elapsed() < Duration::from_secs(seconds) + Duration::from_millis(50), "{seconds}");
        }
    }
    fn in_seconds(seconds: u64) -> Deadline {
        Deadline::new(Instant::now(), Duration::from_secs(seconds), TimeoutKind::Response)
    }

    #[tokio::test(start_paused = true)]
    async fn a_kept_timer_serves_another_task() {
        let kept = Arc::<KeptTimers>::default();
        async fn short(kept: Arc<KeptTimers>, seconds: u64) {
            let future = tokio::time::sleep(Duration::from_millis(10));
            Timer::of(&kept).timeout(in_seconds(seconds), future).await.unwrap();
        }
        for seconds in [20, 10, 30] {
            tokio::spawn(short(Arc::clone(&kept), seconds)).await.unwrap();
            assert_eq!(kept.lock().len(), 1, "one after another");
        }
        tokio::join!(short(Arc::clone(&kept), 30), short(Arc::clone(&kept), 30));
        assert_eq!(kept.lock().len(), 2);
        // It rings after 10 s, and is set anew; after that it has rung for nobody.
        for seconds in [15, 60] {
            let start = Instant::now();
            let mut timer = Timer::of(&kept);
            timer.timeout(in_seconds(seconds), std::future::pending::<()>()).await.unwrap_err();
            let late = start.elapsed() - Duration::from_secs(seconds);
            assert!(late < Duration::from_millis(50), "{seconds}: {late:?}");
        }
    }
}
