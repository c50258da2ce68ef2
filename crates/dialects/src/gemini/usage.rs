//! OpenAI's count of tokens.

use serde::Deserialize;
use serde_json::Number;

use crate::usage::{Usage, count};

/// `prompt_tokens` includes cached tokens.
#[derive(Deserialize)]
pub(super) struct OpenAiUsage {
    prompt_tokens: Option<Number>,
    completion_tokens: Option<Number>,
}

impl From<OpenAiUsage> for Usage {
    fn from(usage: OpenAiUsage) -> Self {
        Self { input: count(usage.prompt_tokens), output: count(usage.completion_tokens) }
    }
}

#[cfg(test)]
mod tests {
    use super::{OpenAiUsage, Usage};

    #[test]
    fn a_number_that_is_no_count_is_not_reported() {
        let usage: OpenAiUsage =
            serde_json::from_str(r#"{"prompt_tokens":-1,"completion_tokens":5}"#).unwrap();
        assert_eq!(Usage::from(usage), Usage { input: None, output: Some(5) });
    }
}
