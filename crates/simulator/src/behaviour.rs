//! The behaviour of one call.

use std::time::Duration;

use http::StatusCode;

use crate::content::{Content, Finish, Thinking, ToolCall, Usage};
use crate::provider_error::ProviderError;

/// How one call is served: successfully, unless it has a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behaviour {
    pub(crate) latency: Duration,
    pub(crate) first_token: Duration,
    pub(crate) gap: Duration,
    pub(crate) words: usize,
    pub(crate) content: Content,
    pub(crate) crlf: bool,
    pub(crate) split: bool,
    pub(crate) text_plain: bool,
    pub(crate) foreign_events: bool,
    pub(crate) fault: Option<Fault>,
}

impl Behaviour {
    /// A good response, "Hello from MODEL.", without delay.
    #[must_use]
    pub const fn ok() -> Self {
        Self {
            latency: Duration::ZERO,
            first_token: Duration::ZERO,
            gap: Duration::ZERO,
            words: 3,
            content: Content::new(),
            crlf: false,
            split: false,
            text_plain: false,
            foreign_events: false,
            fault: None,
        }
    }

    /// The provider's own error for `status`.
    #[must_use]
    pub fn status(status: StatusCode) -> Self {
        ProviderError::status(status).into()
    }

    /// Delay before the response's head, or before a reset.
    #[must_use]
    pub const fn latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// Delay before a stream's first word, after the events before it; before a plain response's body, after its head.
    #[must_use]
    pub const fn first_token(mut self, wait: Duration) -> Self {
        self.first_token = wait;
        self
    }

    /// Delay between two events of a stream.
    #[must_use]
    pub const fn gap(mut self, gap: Duration) -> Self {
        self.gap = gap;
        self
    }

    /// Number of words in the response; a stream has one event for each.
    #[must_use]
    pub const fn words(mut self, words: usize) -> Self {
        self.words = words;
        self
    }

    /// Adds a tool call after the text; with [`Behaviour::words`] 0 there is no text. The arguments are JSON and are sent
    /// byte for byte, in several pieces by a stream of an API that does so.
    #[must_use]
    pub fn tool_call(mut self, name: impl Into<String>, arguments: impl Into<String>) -> Self {
        self.content.tool_calls.push(ToolCall {
            name: name.into(),
            arguments: arguments.into(),
            freeform: false,
            id: None,
        });
        self
    }

    /// Sets the id of the last tool call, as servers of compatible APIs make them: `functions.read:0`. Only for chat completions.
    #[must_use]
    pub fn call_id(mut self, id: impl Into<String>) -> Self {
        if let Some(call) = self.content.tool_calls.last_mut() {
            call.id = Some(id.into());
        }
        self
    }

    /// Adds a call of a freeform tool (`custom`), whose input is any text. Only for the Responses API.
    #[must_use]
    pub fn freeform_call(mut self, name: impl Into<String>, input: impl Into<String>) -> Self {
        self.content.tool_calls.push(ToolCall {
            name: name.into(),
            arguments: input.into(),
            freeform: true,
            id: None,
        });
        self
    }

    /// Sets the thinking before the text. The simulator signs it in the way of the API format, with `opaque` inside, and
    /// refuses what it did not sign: Anthropic's `signature`, the Responses API's `encrypted_content`, Gemini's
    /// `thoughtSignature` (on the first tool call if there is one, or else in the last text part). Chat completions
    /// have `reasoning_content` and no signature.
    #[must_use]
    pub fn thinking(mut self, text: impl Into<String>, opaque: impl Into<String>) -> Self {
        self.content.thinking = Some(Thinking { text: text.into(), opaque: opaque.into() });
        self
    }

    /// Sets the token counts. Without, the prompt has a token for every four bytes and the response one for every word.
    #[must_use]
    pub const fn usage(mut self, usage: Usage) -> Self {
        self.content.usage = Some(usage);
        self
    }

    /// Sets how the response ends.
    #[must_use]
    pub const fn finish(mut self, finish: Finish) -> Self {
        self.content.finish = finish;
        self
    }

    /// Ends the lines of a stream with carriage return and line feed, as servers on some platforms do.
    #[must_use]
    pub const fn crlf(mut self) -> Self {
        self.crlf = true;
        self
    }

    /// Writes each byte of the body separately, so that an event arrives in as many packets as it has bytes.
    #[must_use]
    pub const fn split(mut self) -> Self {
        self.split = true;
        self
    }

    /// Says that a stream is plain text, as some compatible servers do.
    #[must_use]
    pub const fn text_plain(mut self) -> Self {
        self.text_plain = true;
        self
    }

    /// Sends events that are no part of the answer before each one that is.
    #[must_use]
    pub const fn foreign_events(mut self) -> Self {
        self.foreign_events = true;
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
/// `after` counts the events of a stream, of any kind, that come before the fault. With OpenAI's chat completions the first
/// is the role, the second the first word; with its Responses API come `response.created`, `response.in_progress`,
/// `response.output_item.added` and `response.content_part.added`, then the first word; with Anthropic's come
/// `message_start`, `content_block_start` and `ping`, then the first word; with Gemini's the first is the first word; with
/// Bedrock's Converse comes `messageStart`, then the first word, and InvokeModel has no ping. An element of Gemini's JSON array (a stream without `alt=sse`) counts as an event. A plain response has no events:
/// there, 0 is nothing of its body, and any other number the first half of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The provider's own error, in the API format of the request.
    Error(ProviderError),
    /// The request is read and never gets a response.
    Hang,
    /// The connection is reset (TCP RST) before the response's head.
    Reset,
    /// The connection is reset (TCP RST) after the response's head, in the middle of the response.
    ResetAfter {
        /// Events before the fault.
        after: usize,
    },
    /// The connection is closed in the middle of the response; behind an event of Bedrock's, in the middle of the next one.
    Cut {
        /// Events before the fault.
        after: usize,
    },
    /// The response ends too early, but cleanly: no finish reason, no end marker. Gemini's JSON array is closed.
    End {
        /// Events before the fault.
        after: usize,
    },
    /// The response stops, and the connection stays open: for a stream with `after: 1`, a first event but never a token.
    Silence {
        /// Events before the fault.
        after: usize,
    },
    /// The response pauses and then completes; the pause is before its last event at the latest.
    Stall {
        /// Events before the fault.
        after: usize,
        /// The length of the pause.
        length: Duration,
    },
    /// The response never ends: its last event before the fault (with `after: 0` a comment, or for Gemini, which has none, an
    /// empty object) is repeated, a plain response's first half likewise. Without a gap, as fast as its client reads.
    Endless {
        /// Events before the fault.
        after: usize,
    },
    /// An event that is not JSON among good ones, or whose checksum is wrong (Bedrock's); a plain response is not JSON.
    Garbage {
        /// Events before the fault.
        after: usize,
    },
    /// The provider's error as a stream's last event, or as a plain response's body, under a 200. With the Responses API a
    /// stream that has begun ends with `response.failed`, one with `after: 0` is an `error` event, and a plain response has
    /// the status `failed`.
    ErrorEvent {
        /// Events before the fault.
        after: usize,
        /// The error.
        error: ProviderError,
    },
    /// A whole stream without its end marker: `data: [DONE]` of chat completions, the Responses API's `response.completed`,
    /// Anthropic's `message_stop`, Converse's `metadata`. Gemini has none: its last event is missing, which has the finish reason. A plain
    /// response is good.
    NoDone,
    /// A 200 with an empty body.
    Empty,
    /// A 200 with a page of HTML, as a misconfigured proxy sends it.
    NotJson,
}

impl From<ProviderError> for Fault {
    fn from(error: ProviderError) -> Self {
        Self::Error(error)
    }
}
