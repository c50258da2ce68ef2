//! Gemini's count of tokens.

use serde::Deserialize;

use crate::lenient::{Count, Lenient, sum};
use crate::usage::Usage;

/// The prompt's count includes cached tokens and excludes the results of tools that the provider ran; the candidates'
/// excludes thoughts.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GeminiUsage {
    #[serde(default)]
    prompt_token_count: Lenient<Count>,
    #[serde(default)]
    tool_use_prompt_token_count: Lenient<Count>,
    #[serde(default)]
    candidates_token_count: Lenient<Count>,
    #[serde(default)]
    thoughts_token_count: Lenient<Count>,
}

impl From<GeminiUsage> for Usage {
    fn from(usage: GeminiUsage) -> Self {
        Self {
            input: sum([usage.prompt_token_count, usage.tool_use_prompt_token_count]),
            output: sum([usage.candidates_token_count, usage.thoughts_token_count]),
        }
    }
}
