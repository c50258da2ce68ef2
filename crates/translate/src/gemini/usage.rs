//! Tokens: `usageMetadata`.
//!
//! Gemini's sums differ from the common form's: thoughts are not among the candidates' tokens, and what hosted tools
//! put into the prompt is not among the prompt's.

use super::fields::Fields;
use crate::form::TokenUsage;
use crate::json::ObjectWriter;

/// What a chunk tells, on top of what was told before. Counts are running totals, but a chunk may leave some out, and
/// with hosted tools a later one may count less; so the greatest of each counts.
pub(super) fn read(usage: &Fields<'_>, before: TokenUsage) -> TokenUsage {
    let thoughts = usage.u64("thoughtsTokenCount");
    TokenUsage {
        input: before.input.max(sum(usage.u64("promptTokenCount"), usage.u64("toolUsePromptTokenCount"))),
        cache_read: before.cache_read.max(usage.u64("cachedContentTokenCount")),
        cache_write: None,
        output: before.output.max(sum(usage.u64("candidatesTokenCount"), thoughts)),
        reasoning: before.reasoning.max(thoughts),
    }
}

fn sum(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (None, None) => None,
        (a, b) => Some(a.unwrap_or(0).saturating_add(b.unwrap_or(0))),
    }
}

pub(super) fn write(usage: TokenUsage) -> ObjectWriter {
    let candidates = usage.output.map(|output| output.saturating_sub(usage.reasoning.unwrap_or(0)));
    ObjectWriter::new()
        .maybe(usage.input, |out, count| out.u64("promptTokenCount", count))
        .maybe(candidates, |out, count| out.u64("candidatesTokenCount", count))
        .maybe(sum(usage.input, usage.output), |out, count| out.u64("totalTokenCount", count))
        .maybe(usage.cache_read, |out, count| out.u64("cachedContentTokenCount", count))
        .maybe(usage.reasoning, |out, count| out.u64("thoughtsTokenCount", count))
}

#[cfg(test)]
mod tests {
    use super::{Fields, read, write};
    use crate::form::TokenUsage;

    #[test]
    fn thoughts_and_tool_prompts_are_part_of_the_sums() {
        let chunks = [
            r#"{"promptTokenCount":7,"candidatesTokenCount":1,"thoughtsTokenCount":6}"#,
            r#"{"promptTokenCount":5,"toolUsePromptTokenCount":2,"candidatesTokenCount":3,"thoughtsTokenCount":7,"cachedContentTokenCount":4}"#,
            r#"{"promptTokenCount":7}"#,
        ];
        let read_next = |before, chunk: &&str| read(&Fields::parse(chunk.as_bytes()).unwrap(), before);
        let usage = chunks.iter().fold(TokenUsage::default(), read_next);
        assert_eq!((usage.input, usage.output, usage.reasoning), (Some(7), Some(10), Some(7)));
        let expected = r#"{"promptTokenCount":7,"candidatesTokenCount":3,"totalTokenCount":17,"cachedContentTokenCount":4,"thoughtsTokenCount":7}"#;
        assert_eq!(write(usage).finish(), expected);
    }
}
