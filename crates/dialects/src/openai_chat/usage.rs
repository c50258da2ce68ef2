//! OpenAI's count of tokens.

use serde::Deserialize;

use crate::lenient::{Count, Lenient};
use crate::usage::Usage;

/// `prompt_tokens` includes cached tokens.
#[derive(Deserialize)]
pub(super) struct OpenAiUsage {
    #[serde(default)]
    prompt_tokens: Lenient<Count>,
    #[serde(default)]
    completion_tokens: Lenient<Count>,
}

impl From<OpenAiUsage> for Usage {
    fn from(usage: OpenAiUsage) -> Self {
        Self { input: usage.prompt_tokens.0.0, output: usage.completion_tokens.0.0 }
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
