//! Gemini's count of tokens.

use crate::lenient::{Count, fields, sum};
use crate::usage::Usage;

/// The prompt's count includes cached tokens and excludes the results of tools that the provider ran; the candidates'
/// excludes thoughts.
#[derive(Default)]
pub(super) struct GeminiUsage {
    prompt_token_count: Count,
    tool_use_prompt_token_count: Count,
    candidates_token_count: Count,
    thoughts_token_count: Count,
}

fields!(
    GeminiUsage:
    b"promptTokenCount" => prompt_token_count,
    b"toolUsePromptTokenCount" => tool_use_prompt_token_count,
    b"candidatesTokenCount" => candidates_token_count,
    b"thoughtsTokenCount" => thoughts_token_count,
);

impl From<GeminiUsage> for Usage {
    fn from(usage: GeminiUsage) -> Self {
        Self {
            input: sum([usage.prompt_token_count, usage.tool_use_prompt_token_count]),
            output: sum([usage.candidates_token_count, usage.thoughts_token_count]),
        }
    }
}
