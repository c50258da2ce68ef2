//! What one call meets.

use std::time::Duration;

use http::StatusCode;

use crate::provider_error::ProviderError;

/// How one call is answered: well, unless it has a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behaviour {
    pub(crate) latency: Duration,
    pub(crate) first_token: Duration,
    pub(crate) gap: Duration,
    pub(crate) words: usize,
    pub(crate) crlf: bool,
    pub(crate) split: bool,
    pub(crate) fault: Option<Fault>,
}

impl Behaviour {
    /// A good answer, "Hello from MODEL.", at once.
    #[must_use]
    pub const fn ok() -> Self {
        Self {
            latency: Duration::ZERO,
            first_token: Duration::ZERO,
            gap: Duration::ZERO,
            words: 3,
            crlf: false,
            split: false,
            fault: None,
        }
    }

    /// The provider's own error for `status`.
    #[must_use]
    pub fn status(status: StatusCode) -> Self {
        ProviderError::status(status).into()
    }

    /// Waits so long before the answer's head, or before a reset.
    #[must_use]
    pub const fn latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// Waits so long before a stream's first word, what comes before it already sent; before a plain answer's body,
    /// its head already sent.
    #[must_use]
    pub const fn first_token(mut self, wait: Duration) -> Self {
        self.first_token = wait;
        self
    }

    /// Waits so long between two events of a stream.
    #[must_use]
    pub const fn gap(mut self, gap: Duration) -> Self {
        self.gap = gap;
        self
    }

    /// Answers with so many words; a stream has one event for each.
    #[must_use]
    pub const fn words(mut self, words: usize) -> Self {
        self.words = words;
        self
    }

    /// Ends the lines of a stream with carriage return and line feed, as servers on some platforms do.
    #[must_use]
    pub const fn crlf(mut self) -> Self {
        self.crlf = true;
        self
    }

    /// Writes each byte of the body by itself, so that an event comes in as many packets as it has bytes.
    #[must_use]
    pub const fn split(mut self) -> Self {
        self.split = true;
        self
    }

    /// The same with a fault.
    #[must_use]
    pub fn with(mut self, fault: impl Into<Fault>) -> Self {
        self.fault = Some(fault.into());
        self
    }
}

impl Default for Behaviour {
    fn default() -> Self {
        Self::ok()
    }
}

impl<F: Into<Fault>> From<F> for Behaviour {
    fn from(fault: F) -> Self {
        Self::ok().with(fault)
    }
}

/// A way to fail.
///
/// `after` counts the events of a stream, of any kind, that come before the fault. With OpenAI's API the first is the
/// role, the second the first word; with Anthropic's come `message_start`, `content_block_start` and `ping`, then the first
/// word. A plain answer has no events: there, 0 is nothing of its body, and any other number the first half of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The provider's own error, in the dialect of the request.
    Error(ProviderError),
    /// The request is read and never answered.
    Hang,
    /// The connection is reset (TCP RST) before the answer's head.
    Reset,
    /// The connection is reset (TCP RST) after the answer's head, in the middle of the answer.
    ResetAfter {
        /// Events before the fault.
        after: usize,
    },
    /// The connection is closed in the middle of the answer.
    Cut {
        /// Events before the fault.
        after: usize,
    },
    /// The answer ends too early, but cleanly: no finish reason, no end marker.
    End {
        /// Events before the fault.
        after: usize,
    },
    /// The answer stops, and the connection stays open: for a stream with `after: 1`, a first event but never content.
    Silence {
        /// Events before the fault.
        after: usize,
    },
    /// The answer stops, and goes on to a good end after a while; before its last event at the latest.
    Stall {
        /// Events before the fault.
        after: usize,
        /// For so long.
        length: Duration,
    },
    /// The answer never ends: its last event before the fault (with `after: 0` a comment) comes again and again, a plain
    /// answer's first half likewise. Without a gap, as fast as its client reads.
    Endless {
        /// Events before the fault.
        after: usize,
    },
    /// An event that is not JSON among good ones; a plain answer is not JSON.
    Garbage {
        /// Events before the fault.
        after: usize,
    },
    /// The provider's error as a stream's last event, or as a plain answer's body, under a 200.
    ErrorEvent {
        /// Events before the fault.
        after: usize,
        /// The error told.
        error: ProviderError,
    },
    /// A whole stream but for its end marker: OpenAI's `data: [DONE]`, Anthropic's `message_stop`. A plain answer is good.
    NoDone,
    /// A 200 with an empty body.
    Empty,
    /// A 200 with a page of HTML, as a wrongly configured proxy gives.
    NotJson,
}

impl From<ProviderError> for Fault {
    fn from(error: ProviderError) -> Self {
        Self::Error(error)
    }
}
