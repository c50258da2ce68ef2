//! The timeouts that apply to a stream.

use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use crate::config::Timeouts;
use crate::deadline::{Deadline, Timer, Wait};
use crate::error::{ProviderError, TimeoutKind};

/// How long to wait for the end of the body after the end marker, so that the connection can be reused.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(50);

/// The timeouts that apply to a stream.
pub(crate) struct StreamTimeouts {
    timeouts: Timeouts,
    start: Instant,
    phase: StreamPhase,
    /// Since when the next event is awaited. A caller that reads slowly requests it late, and that must not look like a
    /// stalled provider.
    waiting_since: Option<Instant>,
    timer: Timer,
    /// Whether the timer was set in this phase, of which a later wait ends later.
    is_set: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StreamPhase {
    BeforeFirstEvent,
    BeforeFirstToken,
    Streaming,
    /// The end marker has come.
    Draining,
}

impl StreamTimeouts {
    /// Of a stream whose head was waited for.
    pub(crate) fn new(timeouts: &Timeouts, wait: Wait) -> Self {
        Self {
            timeouts: *timeouts,
            start: wait.start,
            phase: StreamPhase::BeforeFirstEvent,
            waiting_since: None,
            timer: wait.timer,
            is_set: false,
        }
    }

    /// An event has come; `has_content`: one with content has.
    pub(crate) fn on_event(&mut self, has_content: bool) {
        self.enter(if has_content { StreamPhase::Streaming } else { StreamPhase::BeforeFirstToken });
    }

    /// Another event of the same kind has come.
    #[inline]
    pub(crate) const fn on_event_alike(&mut self) {
        self.waiting_since = None;
    }

    /// The last event has come.
    pub(crate) fn on_end(&mut self) {
        self.enter(StreamPhase::Draining);
    }

    fn enter(&mut self, phase: StreamPhase) {
        self.is_set &= self.phase == phase;
        self.phase = phase;
        self.waiting_since = None;
    }

    /// Ready where the provider has let its time pass, with the error for it.
    #[inline]
    pub(crate) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Box<ProviderError>> {
        let waiting_since = *self.waiting_since.get_or_insert_with(Instant::now);
        if self.is_set && self.timer.will_wake(cx) {
            return Poll::Pending;
        }
        self.is_set = true;
        self.timer.poll_end(self.deadline(waiting_since), cx).map(Box::new)
    }

    fn deadline(&self, waiting_since: Instant) -> Deadline {
        let Timeouts { first_byte, first_token, idle, .. } = self.timeouts;
        let first_byte = || Deadline::new(self.start, first_byte, TimeoutKind::FirstByte);
        let first_token = || Deadline::new(self.start, first_token, TimeoutKind::FirstToken);
        let silence = |longest| Deadline::new(waiting_since, longest, TimeoutKind::Idle);
        match self.phase {
            StreamPhase::BeforeFirstEvent => first_byte().earlier(first_token()),
            StreamPhase::BeforeFirstToken => silence(idle).earlier(first_token()),
            StreamPhase::Streaming => silence(idle),
            StreamPhase::Draining => silence(DRAIN_TIMEOUT),
        }
    }
}
