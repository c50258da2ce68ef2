//! Graceful shutdown: requests in flight drain, new ones are rejected, and what has not ended in time is aborted.
//!
//! 1. [`Phase::Serving`].
//! 2. [`Phase::Draining`]: readiness fails, new calls are rejected with `shutting_down`, those in flight continue.
//! 3. [`Phase::Aborting`]: the timeout is over. Calls in flight get an error, and streams end with an error event and no
//!    end marker, so that no client mistakes a part for the whole (C3).

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use dialects::{Dialect, error::error_event, events::last_array_item};
use futures_util::{Stream, StreamExt as _};
use manager::{Events, StreamAborted};
use per_core::{OwnLine, PerCore};
use tokio::time::Instant;

use crate::fair_share::CountedCall;

/// While calls still arrive, the listener stays open this long after the last one, so that load balancers notice that
/// the gateway is not ready: a rejected call can go to another instance, a refused connection looks like a fault.
pub(crate) const LB_GRACE: Duration = Duration::from_secs(2);

/// The limit of this grace period where calls keep arriving.
const MAX_LB_GRACE: Duration = Duration::from_secs(10);

/// When a gateway that shuts down closes its listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShutdownMode {
    /// Once requests in flight have ended and no more arrive: for SIGTERM, behind a load balancer.
    WaitForLb,
    /// Once requests in flight have ended: for Ctrl-C in a terminal.
    Immediate,
}

/// The phase of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Phase {
    Serving,
    Draining,
    Aborting,
}

/// The phase, for all connections, and the count of calls in flight.
///
/// Requests look at the phase whenever they are polled. So whoever enters another one wakes all connections.
#[derive(Debug)]
pub(crate) struct Lifecycle {
    created_at: Instant,
    cores: PerCore<Arc<OwnLine<CoreLifecycle>>>,
}

/// What the calls of a core read and write. The phase is the same everywhere.
#[derive(Debug, Default)]
struct CoreLifecycle {
    phase: AtomicU8,
    in_flight: AtomicUsize,
    /// When the last call arrived, in milliseconds after the lifecycle was created, and 1; 0: none has.
    last_call_ms: AtomicU64,
}

/// A call in flight, from its head to its last event.
#[derive(Debug)]
pub(crate) struct InFlightGuard {
    core: Arc<OwnLine<CoreLifecycle>>,
    counted: Option<CountedCall>,
}

impl InFlightGuard {
    /// The same call, counted for its caller, too.
    pub(crate) fn with_counted(mut self, counted: Option<CountedCall>) -> Self {
        self.counted = counted;
        self
    }

    /// Whether it must end now.
    pub(crate) fn is_aborted(&self) -> bool {
        self.core.0.phase() == Phase::Aborting
    }
}

impl CoreLifecycle {
    fn phase(&self) -> Phase {
        match self.phase.load(Ordering::SeqCst) {
            0 => Phase::Serving,
            1 => Phase::Draining,
            _ => Phase::Aborting,
        }
    }
}

impl Lifecycle {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { created_at: Instant::now(), cores: PerCore::default() })
    }

    /// Enters a phase. All connections have to be woken then.
    pub(crate) fn enter(&self, phase: Phase) {
        for core in self.cores.iter() {
            core.0.phase.store(phase as u8, Ordering::SeqCst);
        }
    }

    pub(crate) fn is_shutting_down(&self) -> bool {
        self.cores.local().0.phase() > Phase::Serving
    }

    /// Completes when the shutdown starts, in the task of a connection.
    pub(crate) async fn shutdown_started(self: Arc<Self>) {
        poll_fn(|_| if self.is_shutting_down() { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    /// Counts a new call; `None`: it must be rejected.
    pub(crate) fn try_start_call(&self) -> Option<InFlightGuard> {
        let core = self.cores.local();
        core.0.last_call_ms.store(millis(self.created_at.elapsed()) + 1, Ordering::Relaxed);
        // Counted first: then either the shutdown sees the call, or the call sees the shutdown.
        core.0.in_flight.fetch_add(1, Ordering::SeqCst);
        let guard = InFlightGuard { core: Arc::clone(core), counted: None };
        (core.0.phase() == Phase::Serving).then_some(guard)
    }

    /// Whether no call is in flight and none is likely to arrive; `since`: when the shutdown started.
    pub(crate) fn is_drained(&self, mode: ShutdownMode, since: Instant) -> bool {
        let last_call_ms = self.cores.iter().map(|core| core.0.last_call_ms.load(Ordering::Relaxed)).max();
        let since_last_call = last_call_ms
            .unwrap_or(0)
            .checked_sub(1)
            .map(|last_call| self.created_at.elapsed().saturating_sub(Duration::from_millis(last_call)));
        let lb_grace_over = mode == ShutdownMode::Immediate
            || since_last_call.is_none_or(|elapsed| elapsed >= LB_GRACE)
            || since.elapsed() >= MAX_LB_GRACE;
        lb_grace_over && self.cores.iter().all(|core| core.0.in_flight.load(Ordering::SeqCst) == 0)
    }
}

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        self.core.0.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

fn millis(duration: Duration) -> u64 {
    duration.as_secs() * 1_000 + u64::from(duration.subsec_millis())
}

/// Whether a stream had started when its head was sent, or is buffered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreamStage {
    Started,
    Buffered,
}

/// The events of a call, until it ends or is aborted.
pub(crate) struct DrainedStream {
    dialect: Dialect,
    stage: StreamStage,
    /// The caller gets the events as the items of a JSON array.
    json_array: bool,
    /// It is bytes: an end before theirs cannot be said, only shown.
    is_bytes: bool,
    /// Whether the caller got any of them.
    has_begun: bool,
    /// `None` after the last event. Dropping them cancels the attempt.
    events: Option<Events>,
    in_flight: InFlightGuard,
}

impl DrainedStream {
    pub(crate) fn new(
        dialect: Dialect,
        stage: StreamStage,
        json_array: bool,
        events: Events,
        in_flight: InFlightGuard,
    ) -> Self {
        let events = Some(events);
        Self { dialect, stage, json_array, is_bytes: false, has_begun: false, events, in_flight }
    }

    /// The same of bytes.
    pub(crate) fn of_bytes(self) -> Self {
        Self { is_bytes: true, ..self }
    }

    fn abort_event(&self) -> Bytes {
        let event = match self.stage {
            StreamStage::Started => {
                let message = "stream ended early (gateway is shutting down); the response is incomplete";
                error_event(self.dialect, 500, "stream_interrupted", message)
            }
            StreamStage::Buffered => {
                error_event(self.dialect, 503, SHUTTING_DOWN_CODE, SHUTTING_DOWN_MESSAGE)
            }
        };
        if self.json_array { last_array_item(&event, !self.has_begun) } else { event }
    }
}

/// The `code` of requests that are rejected or aborted because the gateway shuts down.
pub(crate) const SHUTTING_DOWN_CODE: &str = "shutting_down";

/// The message of such an error, if no part of a response was sent.
pub(crate) const SHUTTING_DOWN_MESSAGE: &str = "gateway is shutting down; retry the request";

impl Stream for DrainedStream {
    type Item = Result<Bytes, StreamAborted>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(events) = &mut self.events else { return Poll::Ready(None) };
        match events.poll_next_unpin(context) {
            Poll::Ready(Some(event)) => {
                self.has_begun |= event.as_ref().is_ok_and(|event| !event.is_empty());
                Poll::Ready(Some(event))
            }
            Poll::Ready(None) => {
                self.events = None;
                Poll::Ready(None)
            }
            Poll::Pending if self.in_flight.is_aborted() => {
                self.events = None;
                Poll::Ready(Some(if self.is_bytes { Err(StreamAborted) } else { Ok(self.abort_event()) }))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_drained_when_calls_have_ended_and_load_balancers_have_noticed() {
        let (lifecycle, since) = (Lifecycle::new(), Instant::now());
        assert!(lifecycle.is_drained(ShutdownMode::WaitForLb, since), "no call yet");
        let call = lifecycle.try_start_call().unwrap();
        tokio::time::advance(LB_GRACE).await;
        assert!(
            !lifecycle.is_drained(ShutdownMode::WaitForLb, since)
                && !lifecycle.is_drained(ShutdownMode::Immediate, since),
            "one in flight"
        );
        lifecycle.enter(Phase::Draining);
        drop(call);
        assert!(lifecycle.is_drained(ShutdownMode::WaitForLb, since));
        assert!(lifecycle.try_start_call().is_none(), "rejected");
        assert!(!lifecycle.is_drained(ShutdownMode::WaitForLb, since), "calls still arrive");
        assert!(lifecycle.is_drained(ShutdownMode::Immediate, since));
        tokio::time::advance(MAX_LB_GRACE - LB_GRACE).await;
        assert!(
            lifecycle.try_start_call().is_none() && lifecycle.is_drained(ShutdownMode::WaitForLb, since),
            "the grace period is limited"
        );
    }
}
