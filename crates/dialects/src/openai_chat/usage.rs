//! OpenAI's count of tokens.

use crate::lenient::{Count, fields};
use crate::usage::Usage;

/// `prompt_tokens` includes cached tokens.
#[derive(Default)]
pub(super) struct OpenAiUsage {
    prompt_tokens: Count,
    completion_tokens: Count,
}

fields!(OpenAiUsage: b"prompt_tokens" => prompt_tokens, b"completion_tokens" => completion_tokens);

impl From<OpenAiUsage> for Usage {
    fn from(usage: OpenAiUsage) -> Self {
        Self { input: usage.prompt_tokens.0, output: usage.completion_tokens.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::{OpenAiUsage, Usage};
    use crate::json::{self, Cursor};

    #[test]
    fn a_number_that_is_no_count_is_not_reported() {
        let usage: Option<OpenAiUsage> =
            json::read(br#"{"prompt_tokens":-1,"completion_tokens":5}"#, Cursor::any).unwrap();
        assert_eq!(usage.map(Usage::from), Some(Usage { input: None, output: Some(5) }));
    }
}
