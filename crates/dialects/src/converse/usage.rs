//! Converse's count of tokens.

use crate::lenient::{Count, fields, sum};
use crate::usage::Usage;

/// `inputTokens` does not include cached tokens, as with Anthropic.
#[derive(Default)]
pub(super) struct ConverseUsage {
    input_tokens: Count,
    cache_read_input_tokens: Count,
    cache_write_input_tokens: Count,
    output_tokens: Count,
}

fields!(
    ConverseUsage:
    b"inputTokens" => input_tokens,
    b"cacheReadInputTokens" => cache_read_input_tokens,
    b"cacheWriteInputTokens" => cache_write_input_tokens,
    b"outputTokens" => output_tokens,
);

impl From<ConverseUsage> for Usage {
    fn from(usage: ConverseUsage) -> Self {
        let cached = sum([usage.cache_read_input_tokens, usage.cache_write_input_tokens]).unwrap_or_default();
        Self {
            input: usage.input_tokens.0.map(|uncached| uncached.saturating_add(cached)),
            output: usage.output_tokens.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ConverseUsage, Usage};
    use crate::json::{self, Cursor};

    #[test]
    fn cached_tokens_are_input() {
        // As recorded: some counts stand there twice.
        let json = r#"{"inputTokens":8,"outputTokens":14,"totalTokens":1050,"cacheReadInputTokens":1000,
            "cacheReadInputTokenCount":1000,"cacheWriteInputTokens":28,"serverToolUsage":{}}"#;
        let usage: Option<ConverseUsage> = json::read(json.as_bytes(), Cursor::any).unwrap();
        assert_eq!(usage.map(Usage::from), Some(Usage { input: Some(1_036), output: Some(14) }));
    }
}
