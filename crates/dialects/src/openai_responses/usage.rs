//! The count of tokens of OpenAI Responses.

use serde::Deserialize;

use crate::lenient::{Count, Lenient};
use crate::usage::Usage;

/// `input_tokens` includes cached tokens, `output_tokens` includes reasoning.
#[derive(Deserialize)]
pub(super) struct ResponsesUsage {
    #[serde(default)]
    input_tokens: Lenient<Count>,
    #[serde(default)]
    output_tokens: Lenient<Count>,
}

impl From<ResponsesUsage> for Usage {
    fn from(usage: ResponsesUsage) -> Self {
        Self { input: usage.input_tokens.0.0, output: usage.output_tokens.0.0 }
    }
}
