//! What is said of a model.

use crate::form::Effort;

/// How a model is asked to reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Thinking {
    /// OpenAI's scale of efforts, as far as this model takes it: the least and the greatest.
    Effort { least: Effort, greatest: Effort },
    /// Claude up to 4.5: `thinking.type: enabled` with a budget.
    Budget,
    /// Claude 4.6 to 4.8, Opus 5: `adaptive`, and `disabled`; effort in `output_config`, `xhigh` not for all.
    Adaptive { xhigh: bool },
    /// Sonnet 5.5: on, and `between_tools` at the least.
    BetweenTools,
    /// Opus 5.5, Fable 5.x: always on.
    Always,
    /// Gemini 2.5: `thinkingBudget`.
    GeminiBudget,
    /// Gemini 3 and later: `thinkingLevel`.
    GeminiLevel,
    /// None.
    No,
    /// Nobody knows.
    Unknown,
}

/// What a model can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Abilities {
    pub(crate) thinking: Thinking,
    /// Takes `temperature`, `top_p`, `top_k`.
    pub(crate) sampling: bool,
    /// Takes `temperature` together with `top_p`.
    pub(crate) sampling_pair: bool,
    /// Takes `stop`.
    pub(crate) stop: bool,
    /// Can be made to call a tool (`tool_choice` required or named).
    pub(crate) forced_tools: bool,
    /// Goes on with an answer that the request begins.
    pub(crate) prefill: bool,
    /// Takes system text in the middle of a conversation.
    pub(crate) system_turns: bool,
    /// Keeps to a JSON schema (structured outputs, strict tools).
    pub(crate) schema: bool,
    /// Sees images.
    pub(crate) images: bool,
    /// The most tokens of an answer; for formats that must say a limit.
    pub(crate) max_output: u64,
}

/// A model that nobody knows.
pub(super) const ANYTHING: Abilities = Abilities {
    thinking: Thinking::Unknown,
    sampling: true,
    sampling_pair: true,
    stop: true,
    forced_tools: true,
    prefill: true,
    system_turns: true,
    schema: true,
    images: true,
    max_output: 32_000,
};

/// The beginning of a model's name, and what it can do.
pub(super) type ModelRow = (&'static str, Abilities);
