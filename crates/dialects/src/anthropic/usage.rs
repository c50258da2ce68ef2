//! Anthropic's count of tokens.

use serde::Deserialize;
use serde_json::Number;

use crate::usage::{Usage, count};

/// `input_tokens` does not include cached tokens.
#[derive(Deserialize)]
pub(super) struct AnthropicUsage {
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
            input: count(usage.input_tokens).map(|uncached| uncached.saturating_add(cached)),
            output: count(usage.output_tokens),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AnthropicUsage, Usage};

    #[test]
    fn cached_tokens_are_input() {
        let json = r#"{"input_tokens":1,"cache_creation_input_tokens":20,"cache_read_input_tokens":300,
            "output_tokens":null,"service_tier":"x"}"#;
        let usage: AnthropicUsage = serde_json::from_str(json).unwrap();
        assert_eq!(Usage::from(usage), Usage { input: Some(321), output: None });
    }
}
