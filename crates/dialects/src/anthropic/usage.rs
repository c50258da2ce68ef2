//! Anthropic's count of tokens.

use serde::Deserialize;

use crate::lenient::{Count, Lenient, sum};
use crate::usage::Usage;

/// `input_tokens` does not include cached tokens.
#[derive(Deserialize)]
pub(super) struct AnthropicUsage {
    #[serde(default)]
    input_tokens: Lenient<Count>,
    #[serde(default)]
    cache_creation_input_tokens: Lenient<Count>,
    #[serde(default)]
    cache_read_input_tokens: Lenient<Count>,
    #[serde(default)]
    output_tokens: Lenient<Count>,
}

impl From<AnthropicUsage> for Usage {
    fn from(usage: AnthropicUsage) -> Self {
        let cached =
            sum([usage.cache_creation_input_tokens, usage.cache_read_input_tokens]).unwrap_or_default();
        Self {
            input: usage.input_tokens.0.0.map(|uncached| uncached.saturating_add(cached)),
            output: usage.output_tokens.0.0,
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
