//! Tokens spent.

use serde::Deserialize;
use serde_json::Number;

/// The tokens that an answer, or one event of it, reports; `None`: not reported (there).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt, those read from or written to a cache among them.
    pub input: Option<u64>,
    /// Tokens of the answer, thinking among them.
    pub output: Option<u64>,
}

impl Usage {
    /// What is known once `later` has been reported too. Reports are running totals, so the last one stands.
    #[must_use]
    pub fn updated_by(self, later: Self) -> Self {
        Self { input: later.input.or(self.input), output: later.output.or(self.output) }
    }
}

/// A count as a provider writes it. One that is no count (−1, 2.5) is not worth failing a good answer for.
fn count(number: Option<Number>) -> Option<u64> {
    number?.as_u64()
}

#[derive(Deserialize)]
pub(crate) struct OpenAiUsage {
    prompt_tokens: Option<Number>,
    completion_tokens: Option<Number>,
}

impl From<OpenAiUsage> for Usage {
    fn from(usage: OpenAiUsage) -> Self {
        Self { input: count(usage.prompt_tokens), output: count(usage.completion_tokens) }
    }
}

/// Anthropic counts cached tokens beside `input_tokens`, OpenAI within `prompt_tokens`.
#[derive(Deserialize)]
pub(crate) struct AnthropicUsage {
    input_tokens: Option<Number>,
    cache_creation_input_tokens: Option<Number>,
    cache_read_input_tokens: Option<Number>,
    output_tokens: Option<Number>,
}

impl From<AnthropicUsage> for Usage {
    fn from(usage: AnthropicUsage) -> Self {
        let cached = [usage.cache_creation_input_tokens, usage.cache_read_input_tokens];
        let cached = cached.into_iter().filter_map(count).fold(0, u64::saturating_add);
        Self {
            input: count(usage.input_tokens).map(|fresh| fresh.saturating_add(cached)),
            output: count(usage.output_tokens),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AnthropicUsage, OpenAiUsage, Usage};

    #[test]
    fn the_last_report_stands() {
        let start = Usage { input: Some(10), output: Some(1) };
        let end = Usage { input: None, output: Some(7) };
        assert_eq!(start.updated_by(end), Usage { input: Some(10), output: Some(7) });
    }

    #[test]
    fn cached_tokens_are_input() {
        let json = r#"{"input_tokens":1,"cache_creation_input_tokens":20,"cache_read_input_tokens":300,
            "output_tokens":null,"service_tier":"x"}"#;
        let usage: AnthropicUsage = serde_json::from_str(json).unwrap();
        assert_eq!(Usage::from(usage), Usage { input: Some(321), output: None });
    }

    #[test]
    fn a_number_that_is_no_count_is_not_reported() {
        let usage: OpenAiUsage =
            serde_json::from_str(r#"{"prompt_tokens":-1,"completion_tokens":5}"#).unwrap();
        assert_eq!(Usage::from(usage), Usage { input: None, output: Some(5) });
    }
}
