//! Anthropic's count of tokens.

use crate::lenient::{Count, fields, sum};
use crate::usage::Usage;

/// `input_tokens` does not include cached tokens.
#[derive(Default)]
pub(super) struct AnthropicUsage {
    input_tokens: Count,
    cache_creation_input_tokens: Count,
    cache_read_input_tokens: Count,
    output_tokens: Count,
}

fields!(
    AnthropicUsage:
    b"input_tokens" => input_tokens,
    b"cache_creation_input_tokens" => cache_creation_input_tokens,
    b"cache_read_input_tokens" => cache_read_input_tokens,
    b"output_tokens" => output_tokens,
);

impl From<AnthropicUsage> for Usage {
    fn from(usage: AnthropicUsage) -> Self {
        let cached =
            sum([usage.cache_creation_input_tokens, usage.cache_read_input_tokens]).unwrap_or_default();
        Self {
            input: usage.input_tokens.0.map(|uncached| uncached.saturating_add(cached)),
            output: usage.output_tokens.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AnthropicUsage, Usage};
    use crate::json::{self, Cursor};

    #[test]
    fn cached_tokens_are_input() {
        let json = r#"{"input_tokens":1,"cache_creation_input_tokens":20,"cache_read_input_tokens":300,
            "output_tokens":null,"service_tier":"x"}"#;
        let usage: Option<AnthropicUsage> = json::read(json.as_bytes(), Cursor::any).unwrap();
        assert_eq!(usage.map(Usage::from), Some(Usage { input: Some(321), output: None }));
    }
}
