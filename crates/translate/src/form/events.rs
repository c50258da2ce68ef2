//! An answer in the common form: a sequence of events, be it streamed or not.
//!
//! The order is `Start`, then blocks (`Open`, any number of `Delta`, `Opaque` and `Citation`, `Close`), of which one at
//! most is open, then `Finish`. `Usage` may come at any time; it is a running total, so the last one counts. `Error`
//! ends everything. Readers keep this order whatever their source does; writers rely on it.

use super::Opaque;

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Event {
    /// The first event. `None`: the provider did not say.
    Start {
        id: Option<String>,
        model: Option<String>,
        created: Option<u64>,
    },
    Open(Block),
    /// Text of the open block; of a function call, a piece of its arguments' JSON text.
    Delta(String),
    /// Belongs to the open block, which is one of reasoning.
    Opaque(Opaque),
    /// Belongs to the open block, which is one of text.
    Citation(Citation),
    Close,
    /// The last event but for `Usage`.
    Finish(Finish),
    Usage(TokenUsage),
    /// The provider reports a failure inside its answer. Nothing follows.
    Error(StreamError),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Block {
    Text,
    Refusal,
    Reasoning,
    /// The name is the provider's; `custom`: a freeform tool, whose input is text and not JSON.
    ToolCall {
        id: String,
        name: String,
        namespace: Option<String>,
        custom: bool,
    },
    /// A generated image or sound: the one delta is its base64 data.
    Media {
        media_type: String,
    },
}

/// A source on the web.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Citation {
    pub(crate) url: String,
    pub(crate) title: Option<String>,
    /// The quoted words of the source.
    pub(crate) cited_text: Option<String>,
    /// Start and end in the block's text, in characters.
    pub(crate) span: Option<(u64, u64)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finish {
    pub(crate) reason: FinishReason,
    /// The stop sequence that was met, where the provider says it.
    pub(crate) stop_sequence: Option<String>,
    /// Why it was refused, in words, where the provider says it.
    pub(crate) detail: Option<String>,
}

impl Finish {
    pub(crate) const fn new(reason: FinishReason) -> Self {
        Self { reason, stop_sequence: None, detail: None }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FinishReason {
    /// The model was done; also any reason that is not known.
    Stop,
    StopSequence,
    ToolCalls,
    /// The limit on tokens.
    Length,
    /// The context window was full.
    ContextFull,
    /// Refused by the model, or stopped by a filter or guardrail.
    Filtered,
    /// Anthropic's `pause_turn`: a hosted tool wants another round.
    Paused,
    /// The model failed (`MALFORMED_FUNCTION_CALL`).
    Malformed,
}

/// Tokens, each `None` where it is not told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct TokenUsage {
    /// All of the prompt, cached tokens included.
    pub(crate) input: Option<u64>,
    /// Of these, read from a cache.
    pub(crate) cache_read: Option<u64>,
    /// Of these, written to a cache.
    pub(crate) cache_write: Option<u64>,
    /// All of the answer, reasoning included.
    pub(crate) output: Option<u64>,
    /// Of these, reasoning.
    pub(crate) reasoning: Option<u64>,
}

impl TokenUsage {
    /// What is known once `later` has been told too.
    #[must_use]
    pub(crate) fn updated_by(self, later: Self) -> Self {
        Self {
            input: later.input.or(self.input),
            cache_read: later.cache_read.or(self.cache_read),
            cache_write: later.cache_write.or(self.cache_write),
            output: later.output.or(self.output),
            reasoning: later.reasoning.or(self.reasoning),
        }
    }
}

/// A failure inside an answer, in the provider's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StreamError {
    /// The HTTP status that it names or stands for.
    pub(crate) status: u16,
    pub(crate) error_type: Option<String>,
    pub(crate) code: Option<String>,
    pub(crate) message: String,
}
