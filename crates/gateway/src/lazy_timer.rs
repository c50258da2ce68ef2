//! A timer that costs nothing unless something has to be waited for: a timer of the runtime takes a lock that all cores
//! share.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

/// A time that begins when something is first waited for.
#[derive(Debug)]
pub(crate) struct LazyTimer {
    duration: Duration,
    deadline: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl LazyTimer {
    pub(crate) const fn new(duration: Duration) -> Self {
        Self { duration, deadline: None, sleep: None }
    }

    /// What was waited for has come: the next wait has a time of its own.
    pub(crate) const fn restart(&mut self) {
        self.deadline = None;
    }

    /// Waits for the end of the time, and begins it if it has not begun.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let deadline = *self.deadline.get_or_insert_with(|| Instant::now() + self.duration);
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        loop {
            ready!(sleep.as_mut().poll(context));
            // The timer of an earlier wait serves again.
            if sleep.deadline() >= deadline {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::time::{advance, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_wait_has_a_time_of_its_own() {
        let second = Duration::from_secs(1);
        let mut timer = LazyTimer::new(second * 10);
        advance(second * 60).await;
        for _ in 0..3 {
            let begun = Instant::now();
            let waited = tokio::select! {
                () = poll_fn(|context| timer.poll(context)) => true,
                () = sleep(second * 9) => false,
            };
            assert!(!waited && begun.elapsed() == second * 9);
            timer.restart();
        }
        let begun = Instant::now();
        poll_fn(|context| timer.poll(context)).await;
        assert_eq!(begun.elapsed(), second * 10);
    }
}
