//! The orderly end: calls under way go on, new ones are refused, and what has not ended in time is told so.
//!
//! 1. [`Stage::Serving`].
//! 2. [`Stage::Stopping`]: readiness says no, new calls are refused with `stopping`, the others go on.
//! 3. [`Stage::Over`]: time is up. Calls still under way are answered with an error, and streams end with an error
//!    event and no end marker, so that nobody takes a part for the whole (C3).

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use dialects::{Dialect, error::error_event};
use futures_util::{Stream, StreamExt as _};
use manager::Events;
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

/// While calls still come, the listener stays open so long after the last one, for load balancers to notice that the
/// gateway is not ready any more: a refused call can go elsewhere, a refused connection looks like a fault.
const NOTICE: Duration = Duration::from_secs(2);

/// Where calls never cease, the listener stays open no longer than so long for their sake.
const LONGEST_NOTICE: Duration = Duration::from_secs(10);

/// How a gateway is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Once calls under way have ended and no more come: for SIGTERM, behind a load balancer.
    WhenQuiet,
    /// Once calls under way have ended: for a person at the keyboard.
    AfterCalls,
}

/// How far the end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    Serving,
    Stopping,
    Over,
}

/// Where all connections see that the gateway ends, and where calls under way are counted.
#[derive(Debug)]
pub(crate) struct Lifecycle {
    stage: watch::Sender<Stage>,
    running: AtomicUsize,
    last_call: Mutex<Option<Instant>>,
}

/// A call under way, from its head to its last event.
#[derive(Debug)]
pub(crate) struct Running(Arc<Lifecycle>);

impl Lifecycle {
    pub(crate) fn new() -> Arc<Self> {
        let (stage, _) = watch::channel(Stage::Serving);
        Arc::new(Self { stage, running: AtomicUsize::new(0), last_call: Mutex::default() })
    }

    pub(crate) fn enter(&self, stage: Stage) {
        self.stage.send_replace(stage);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        *self.stage.borrow() > Stage::Serving
    }

    /// Ends when it is told to stop.
    pub(crate) async fn stopping(self: Arc<Self>) {
        let _ = self.stage.subscribe().wait_for(|stage| *stage > Stage::Serving).await;
    }

    /// Ends when requests that are not whole by then are waited for no longer: their callers have had as much time as
    /// load balancers have.
    pub(crate) async fn impatient(self: Arc<Self>) {
        self.stopping().await;
        sleep(NOTICE).await;
    }

    /// Ends when time is up.
    pub(crate) async fn over(self: Arc<Self>) {
        // The sender lives as long as this does.
        let _ = self.stage.subscribe().wait_for(|stage| *stage == Stage::Over).await;
    }

    /// A call has come; `None`: it is to be refused.
    pub(crate) fn begin_call(self: &Arc<Self>) -> Option<Running> {
        *self.last_call.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        // Counted first, so that whoever stops either sees the call or is seen by it.
        self.running.fetch_add(1, Ordering::SeqCst);
        let running = Running(Arc::clone(self));
        (!self.is_stopping()).then_some(running)
    }

    /// Whether no call is under way, and none is likely to come; `since`: when it was told to stop.
    pub(crate) fn is_quiet(&self, stop: Stop, since: Instant) -> bool {
        let last_call = *self.last_call.lock().unwrap_or_else(PoisonError::into_inner);
        let noticed = stop == Stop::AfterCalls
            || last_call.is_none_or(|last| last.elapsed() >= NOTICE)
            || since.elapsed() >= LONGEST_NOTICE;
        noticed && self.running.load(Ordering::SeqCst) == 0
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Whether a stream had begun to speak when its head was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begun {
    Speaking,
    Held,
}

/// A call's events, until the gateway's time is up.
pub(crate) struct Limited {
    dialect: Dialect,
    begun: Begun,
    /// `None` after the last event. Dropping them stops the provider's call.
    events: Option<Events>,
    over: Pin<Box<dyn Future<Output = ()> + Send>>,
    _running: Running,
}

impl Limited {
    pub(crate) fn new(dialect: Dialect, begun: Begun, events: Events, running: Running) -> Self {
        let over = Box::pin(Arc::clone(&running.0).over());
        Self { dialect, begun, events: Some(events), over, _running: running }
    }

    fn last_word(&self) -> Bytes {
        match self.begun {
            Begun::Speaking => {
                let message = "the gateway is stopping and had to break the answer off; what came before is not all of it";
                error_event(self.dialect, 500, "stream_interrupted", message)
            }
            Begun::Held => error_event(self.dialect, 503, STOPPING, BROKEN_OFF),
        }
    }
}

/// The `code` of calls that are refused or broken off because the gateway stops.
pub(crate) const STOPPING: &str = "stopping";

/// What a caller is told that has got nothing yet when time is up.
pub(crate) const BROKEN_OFF: &str =
    "the gateway is stopping and could not wait for the answer any longer: send the request again";

impl Stream for Limited {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let Some(events) = &mut self.events else { return Poll::Ready(None) };
        match events.poll_next_unpin(context) {
            Poll::Ready(Some(event)) => Poll::Ready(Some(event)),
            Poll::Ready(None) => {
                self.events = None;
                Poll::Ready(None)
            }
            Poll::Pending if self.over.as_mut().poll(context).is_ready() => {
                self.events = None;
                Poll::Ready(Some(self.last_word()))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn quiet_is_when_calls_have_ended_and_load_balancers_have_noticed() {
        let (lifecycle, since) = (Lifecycle::new(), Instant::now());
        assert!(lifecycle.is_quiet(Stop::WhenQuiet, since), "nobody has ever called");
        let call = lifecycle.begin_call().unwrap();
        tokio::time::advance(NOTICE).await;
        assert!(
            !lifecycle.is_quiet(Stop::WhenQuiet, since) && !lifecycle.is_quiet(Stop::AfterCalls, since),
            "it runs"
        );
        lifecycle.enter(Stage::Stopping);
        drop(call);
        assert!(lifecycle.is_quiet(Stop::WhenQuiet, since));
        assert!(lifecycle.begin_call().is_none(), "refused");
        assert!(!lifecycle.is_quiet(Stop::WhenQuiet, since), "somebody still calls");
        assert!(lifecycle.is_quiet(Stop::AfterCalls, since));
        tokio::time::advance(LONGEST_NOTICE - NOTICE).await;
        assert!(
            lifecycle.begin_call().is_none() && lifecycle.is_quiet(Stop::WhenQuiet, since),
            "long enough"
        );
    }
}
