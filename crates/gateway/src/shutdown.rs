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
const LB_GRACE: Duration = Duration::from_secs(2);

/// Where calls never cease, the listener stays open no longer than so long for their sake.
const MAX_LB_GRACE: Duration = Duration::from_secs(10);

/// How a gateway is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShutdownMode {
    /// Once calls under way have ended and no more come: for SIGTERM, behind a load balancer.
    WaitForLb,
    /// Once calls under way have ended: for a person at the keyboard.
    Immediate,
}

/// How far the end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Serving,
    Draining,
    Aborting,
}

/// Where all connections see that the gateway ends, and where calls under way are counted.
#[derive(Debug)]
pub(crate) struct Lifecycle {
    phase: watch::Sender<Phase>,
    in_flight: AtomicUsize,
    last_call_at: Mutex<Option<Instant>>,
}

/// A call under way, from its head to its last event.
#[derive(Debug)]
pub(crate) struct InFlightGuard(Arc<Lifecycle>);

impl Lifecycle {
    pub(crate) fn new() -> Arc<Self> {
        let (phase, _) = watch::channel(Phase::Serving);
        Arc::new(Self { phase, in_flight: AtomicUsize::new(0), last_call_at: Mutex::default() })
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.send_replace(phase);
    }

    pub(crate) fn is_shutting_down(&self) -> bool {
        *self.phase.borrow() > Phase::Serving
    }

    /// Ends when it is told to stop.
    pub(crate) async fn shutdown_started(self: Arc<Self>) {
        let _ = self.phase.subscribe().wait_for(|stage| *stage > Phase::Serving).await;
    }

    /// Ends when requests that are not whole by then are waited for no longer: their callers have had as much time as
    /// load balancers have.
    pub(crate) async fn body_grace_elapsed(self: Arc<Self>) {
        self.shutdown_started().await;
        sleep(LB_GRACE).await;
    }

    /// Ends when time is up.
    pub(crate) async fn abort_started(self: Arc<Self>) {
        // The sender lives as long as this does.
        let _ = self.phase.subscribe().wait_for(|stage| *stage == Phase::Aborting).await;
    }

    /// A call has come; `None`: it is to be refused.
    pub(crate) fn try_start_call(self: &Arc<Self>) -> Option<InFlightGuard> {
        *self.last_call_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        // Counted first, so that whoever stops either sees the call or is seen by it.
        self.in_flight.fetch_add(1, Ordering::SeqCst);
        let guard = InFlightGuard(Arc::clone(self));
        (!self.is_shutting_down()).then_some(guard)
    }

    /// Whether no call is under way, and none is likely to come; `since`: when it was told to stop.
    pub(crate) fn is_drained(&self, mode: ShutdownMode, since: Instant) -> bool {
        let last_call_at = *self.last_call_at.lock().unwrap_or_else(PoisonError::into_inner);
        let lb_grace_over = mode == ShutdownMode::Immediate
            || last_call_at.is_none_or(|last| last.elapsed() >= LB_GRACE)
            || since.elapsed() >= MAX_LB_GRACE;
        lb_grace_over && self.in_flight.load(Ordering::SeqCst) == 0
    }
}

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Whether a stream had begun to speak when its head was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreamStage {
    Started,
    Buffered,
}

/// A call's events, until the gateway's time is up.
pub(crate) struct DrainedStream {
    dialect: Dialect,
    stage: StreamStage,
    /// `None` after the last event. Dropping them stops the provider's call.
    events: Option<Events>,
    abort: Pin<Box<dyn Future<Output = ()> + Send>>,
    _in_flight: InFlightGuard,
}

impl DrainedStream {
    pub(crate) fn new(
        dialect: Dialect,
        stage: StreamStage,
        events: Events,
        in_flight: InFlightGuard,
    ) -> Self {
        let abort = Box::pin(Arc::clone(&in_flight.0).abort_started());
        Self { dialect, stage, events: Some(events), abort, _in_flight: in_flight }
    }

    fn abort_event(&self) -> Bytes {
        match self.stage {
            StreamStage::Started => {
                let message = "the gateway is stopping and had to break the answer off; what came before is not all of it";
                error_event(self.dialect, 500, "stream_interrupted", message)
            }
            StreamStage::Buffered => error_event(self.dialect, 503, STOPPING_CODE, ABORTED_MESSAGE),
        }
    }
}

/// The `code` of calls that are refused or broken off because the gateway stops.
pub(crate) const STOPPING_CODE: &str = "stopping";

/// What a caller is told that has got nothing yet when time is up.
pub(crate) const ABORTED_MESSAGE: &str =
    "the gateway is stopping and could not wait for the answer any longer: send the request again";

impl Stream for DrainedStream {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let Some(events) = &mut self.events else { return Poll::Ready(None) };
        match events.poll_next_unpin(context) {
            Poll::Ready(Some(event)) => Poll::Ready(Some(event)),
            Poll::Ready(None) => {
                self.events = None;
                Poll::Ready(None)
            }
            Poll::Pending if self.abort.as_mut().poll(context).is_ready() => {
                self.events = None;
                Poll::Ready(Some(self.abort_event()))
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
        assert!(lifecycle.is_drained(ShutdownMode::WaitForLb, since), "nobody has ever called");
        let call = lifecycle.try_start_call().unwrap();
        tokio::time::advance(LB_GRACE).await;
        assert!(
            !lifecycle.is_drained(ShutdownMode::WaitForLb, since)
                && !lifecycle.is_drained(ShutdownMode::Immediate, since),
            "it runs"
        );
        lifecycle.enter(Phase::Draining);
        drop(call);
        assert!(lifecycle.is_drained(ShutdownMode::WaitForLb, since));
        assert!(lifecycle.try_start_call().is_none(), "refused");
        assert!(!lifecycle.is_drained(ShutdownMode::WaitForLb, since), "somebody still calls");
        assert!(lifecycle.is_drained(ShutdownMode::Immediate, since));
        tokio::time::advance(MAX_LB_GRACE - LB_GRACE).await;
        assert!(
            lifecycle.try_start_call().is_none() && lifecycle.is_drained(ShutdownMode::WaitForLb, since),
            "long enough"
        );
    }
}
