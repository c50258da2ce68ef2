//! The count of tokens of OpenAI Responses.

use crate::lenient::{Count, fields};
use crate::usage::Usage;

/// `input_tokens` includes cached tokens, `output_tokens` includes reasoning.
#[derive(Default)]
pub(super) struct ResponsesUsage {
    input_tokens: Count,
    output_tokens: Count,
}

fields!(ResponsesUsage: b"input_tokens" => input_tokens, b"output_tokens" => output_tokens);

impl From<ResponsesUsage> for Usage {
    fn from(usage: ResponsesUsage) -> Self {
        Self { input: usage.input_tokens.0, output: usage.output_tokens.0 }
    }
}
