//! Converse's count of tokens.

use serde::Deserialize;

use crate::lenient::{Count, Lenient, sum};
use crate::usage::Usage;

/// `inputTokens` does not include cached tokens, as with Anthropic.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConverseUsage {
    #[serde(default)]
    input_tokens: Lenient<Count>,
    #[serde(default)]
    cache_read_input_tokens: Lenient<Count>,
    #[serde(default)]
    cache_write_input_tokens: Lenient<Count>,
    #[serde(default)]
    output_tokens: Lenient<Count>,
}

impl From<ConverseUsage> for Usage {
    fn from(usage: ConverseUsage) -> Self {
        let cached = sum([usage.cache_read_input_tokens, usage.cache_write_input_tokens]).unwrap_or_default();
        Self {
            input: usage.input_tokens.0.0.map(|uncached| uncached.saturating_add(cached)),
            output: usage.output_tokens.0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ConverseUsage, Usage};

    #[test]
    fn cached_tokens_are_input() {
        // As recorded: some counts stand there twice.
        let json = r#"{"inputTokens":8,"outputTokens":14,"totalTokens":1050,"cacheReadInputTokens":1000,
            "cacheReadInputTokenCount":1000,"cacheWriteInputTokens":28,"serverToolUsage":{}}"#;
        let usage: ConverseUsage = serde_json::from_str(json).unwrap();
        assert_eq!(Usage::from(usage), Usage { input: Some(1_036), output: Some(14) });
    }
}
