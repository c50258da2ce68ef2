//! A request in the common form.

use serde_json::value::RawValue;

use super::Opaque;

/// What a caller asks for. The model is not part of it: the target names it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    /// The system prompt: what stands before the first turn. Text parts only.
    pub(crate) system: Vec<Part>,
    /// The conversation. Neighbours may have the same role.
    pub(crate) turns: Vec<Message>,
    pub(crate) tools: Vec<Tool>,
    pub(crate) tool_choice: Option<ToolChoice>,
    /// `Some(false)`: at most one call per answer.
    pub(crate) parallel_tool_calls: Option<bool>,
    pub(crate) max_tokens: Option<u64>,
    pub(crate) sampling: Sampling,
    pub(crate) stop: Vec<String>,
    /// What the answer's text must be; `None`: free text.
    pub(crate) format: Option<Format>,
    pub(crate) reasoning: Reasoning,
    /// How many likely tokens are reported with each token of the answer; `Some(0)`: its own probability alone.
    pub(crate) logprobs: Option<u64>,
    /// OpenAI's `prompt_cache_key`.
    pub(crate) cache_key: Option<String>,
    /// The whole prompt is to be cached (Anthropic's top-level `cache_control`).
    pub(crate) cache: Option<CacheTtl>,
    /// The end user's id.
    pub(crate) user: Option<String>,
    /// Key-value pairs as a JSON object.
    pub(crate) metadata: Option<Box<RawValue>>,
    pub(crate) service_tier: Option<String>,
    pub(crate) verbosity: Option<String>,
    /// Whether the answer is streamed.
    pub(crate) stream: bool,
    /// A chat stream's client wants a chunk with the usage.
    pub(crate) include_usage: bool,
    /// Fields without a counterpart in the common form.
    pub(crate) unmapped: Vec<Unmapped>,
}

impl Request {
    /// Whether any tool or call is in a namespace.
    pub(crate) fn has_namespaces(&self) -> bool {
        self.tools.iter().any(|tool| {
            matches!(
                &tool.kind,
                ToolKind::Function { namespace: Some(_), .. } | ToolKind::Custom { namespace: Some(_), .. }
            )
        })
    }
}

/// A field that the common form has no place for, by the name that the caller gave it (`logit_bias`,
/// `context_management`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unmapped {
    pub(crate) field: String,
    /// Leaving it out changes what the caller would get (T3): a model of another API format cannot answer.
    pub(crate) required: bool,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Sampling {
    pub(crate) temperature: Option<f64>,
    pub(crate) top_p: Option<f64>,
    pub(crate) top_k: Option<u64>,
    pub(crate) seed: Option<i64>,
    pub(crate) frequency_penalty: Option<f64>,
    pub(crate) presence_penalty: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// System text in the middle of a conversation.
    System,
    /// Tool results are parts of a user's turn.
    User,
    Assistant,
}

#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) role: Role,
    pub(crate) parts: Vec<Part>,
}

#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) kind: PartKind,
    /// The prompt up to here is to be cached.
    pub(crate) cache: Option<CacheTtl>,
}

impl Part {
    pub(crate) fn new(kind: PartKind) -> Self {
        Self { kind, cache: None }
    }

    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::new(PartKind::Text(text.into()))
    }
}

#[derive(Debug, Clone)]
pub(crate) enum PartKind {
    Text(String),
    /// The model's own words of refusal.
    Refusal(String),
    Media(Media),
    /// Reasoning of an earlier answer. With an empty text and a Gemini thought signature it belongs to the part that
    /// follows in the turn.
    Reasoning {
        text: String,
        opaque: Option<Opaque>,
    },
    ToolCall(ToolCall),
    ToolResult(ToolResult),
    /// A block that only its own API format has (a hosted tool's call or result), by its type.
    Foreign(String),
}

#[derive(Debug, Clone)]
pub(crate) struct ToolCall {
    pub(crate) id: String,
    pub(crate) name: String,
    /// OpenAI's tool namespaces.
    pub(crate) namespace: Option<String>,
    pub(crate) input: ToolInput,
}

#[derive(Debug, Clone)]
pub(crate) enum ToolInput {
    /// A function's arguments as JSON text, byte for byte. Usually an object; a call that was cut off may leave
    /// anything, an empty text included.
    Json(String),
    /// A freeform tool's input.
    Text(String),
}

#[derive(Debug, Clone)]
pub(crate) struct ToolResult {
    /// The id of the call that it answers.
    pub(crate) id: String,
    /// The tool's name where the request says it; else look for the call in the turns before.
    pub(crate) name: Option<String>,
    pub(crate) is_error: bool,
    /// It answers a freeform tool.
    pub(crate) is_custom: bool,
    /// Text and media.
    pub(crate) content: Vec<Part>,
    /// Gemini's results are JSON objects: kept as they came. `content` then has the same as text.
    pub(crate) json: Option<Box<RawValue>>,
}

#[derive(Debug, Clone)]
pub(crate) struct Media {
    pub(crate) kind: MediaKind,
    pub(crate) source: MediaSource,
    /// A file's name or title.
    pub(crate) name: Option<String>,
    /// OpenAI's `detail` of an image.
    pub(crate) detail: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MediaKind {
    Image,
    Pdf,
    /// A text document.
    Text,
    Audio,
    Video,
    /// A file of an unknown kind.
    File,
}

#[derive(Debug, Clone)]
pub(crate) enum MediaSource {
    /// The media type (`image/png`) and base64 data as it came.
    Base64 {
        media_type: String,
        data: String,
    },
    Url(String),
    /// The id of a file that a provider stored: it means nothing to others (T8).
    FileId(String),
    /// A document's text.
    Text(String),
}

#[derive(Debug, Clone)]
pub(crate) struct Tool {
    pub(crate) kind: ToolKind,
    pub(crate) cache: Option<CacheTtl>,
}

#[derive(Debug, Clone)]
pub(crate) enum ToolKind {
    Function {
        name: String,
        namespace: Option<String>,
        description: Option<String>,
        /// A JSON schema; `None`: no parameters.
        parameters: Option<Box<RawValue>>,
        strict: Option<bool>,
    },
    /// A tool that takes free text.
    Custom {
        name: String,
        namespace: Option<String>,
        description: Option<String>,
        /// OpenAI's `format`: text, or a grammar.
        format: Option<Box<RawValue>>,
    },
    /// A tool that the provider runs, or one of the maker's own kinds, by its type (`web_search`, `bash_20250124`).
    Hosted { name: String },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ToolChoice {
    Auto,
    None,
    /// At least one call.
    Required,
    /// This tool.
    Named(String),
    /// Only these tools; `required`: at least one call.
    Allowed {
        names: Vec<String>,
        required: bool,
    },
    /// A hosted tool, by its type.
    Hosted(String),
}

#[derive(Debug, Clone)]
pub(crate) enum Format {
    /// Any JSON object.
    JsonObject,
    JsonSchema {
        name: Option<String>,
        description: Option<String>,
        schema: Box<RawValue>,
        strict: Option<bool>,
    },
}

/// What is asked for in the way of reasoning.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Reasoning {
    pub(crate) effort: Option<Effort>,
    /// Anthropic's `budget_tokens`, Gemini's `thinkingBudget` (0: off; −1, the model's choice, is `None` here).
    pub(crate) budget: Option<u64>,
    /// Switched on or off in so many words.
    pub(crate) enabled: Option<bool>,
    /// Whether the reasoning's text is to be shown.
    pub(crate) show: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Effort {
    None,
    Minimal,
    Low,
    Medium,
    High,
    Xhigh,
    Max,
}

impl Effort {
    const WORDS: [(&'static str, Self); 7] = [
        ("none", Self::None),
        ("minimal", Self::Minimal),
        ("low", Self::Low),
        ("medium", Self::Medium),
        ("high", Self::High),
        ("xhigh", Self::Xhigh),
        ("max", Self::Max),
    ];

    /// OpenAI's and Anthropic's word, in any case.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)).map(|(_, effort)| *effort)
    }

    pub(crate) fn as_str(self) -> &'static str {
        Self::WORDS.iter().find(|(_, effort)| *effort == self).map_or("", |(word, _)| word)
    }

    /// What a budget of tokens stands for. No standard says it; these bounds are the common ones.
    pub(crate) const fn of_budget(tokens: u64) -> Self {
        match tokens {
            0 => Self::None,
            1..2_048 => Self::Low,
            2_048..8_192 => Self::Medium,
            8_192..24_576 => Self::High,
            _ => Self::Xhigh,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CacheTtl {
    /// The provider's default.
    Default,
    /// Five minutes.
    Minutes5,
    /// An hour or longer.
    Hour1,
}
