//! The end of a wait, and the timeout that sets it.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

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
    sleep: Option<Pin<Box<Sleep>>>,
    /// Whom it will wake.
    waker: Option<Waker>,
}

impl Timer {
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
        let is_waker = self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
        is_waker && self.sleep.as_ref().is_some_and(|sleep| !sleep.is_elapsed())
    }

    /// Ready at that time, with the error for it.
    pub(crate) fn poll_end(&mut self, deadline: Deadline, cx: &mut Context<'_>) -> Poll<ProviderError> {
        let will_wake = self.will_wake(cx);
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline.at)));
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
            self.waker = Some(cx.waker().clone());
        }
        Poll::Pending
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
}
