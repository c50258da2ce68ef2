//! Tokens, as the servers with this API count them.

use crate::form::TokenUsage;
use crate::json::{Object, ObjectWriter};

/// Reads a `usage` object.
pub(super) fn read(usage: &Object<'_>) -> TokenUsage {
    let prompt = usage.object("prompt_tokens_details").unwrap_or_default();
    let completion = usage.object("completion_tokens_details").unwrap_or_default();
    let reasoning = completion.count("reasoning_tokens").or_else(|| usage.count("reasoning_tokens"));
    let cache_read = prompt.count("cached_tokens").or_else(|| {
        let names = ["prompt_cache_hit_tokens", "cached_tokens", "cache_read_input_tokens"];
        names.iter().find_map(|name| usage.u64(name))
    });
    let cache_write =
        prompt.count("cache_write_tokens").or_else(|| usage.count("cache_creation_input_tokens"));
    let input = usage.count("prompt_tokens");
    let output = usage.count("completion_tokens").map(|output| whole_output(output, input, reasoning, usage));
    TokenUsage { input, cache_read, cache_write, output, reasoning }
}

/// Some servers (xAI, Google) leave reasoning out of `completion_tokens`. Their total gives it away.
fn whole_output(output: u64, input: Option<u64>, reasoning: Option<u64>, usage: &Object<'_>) -> u64 {
    let (Some(input), Some(total)) = (input, usage.count("total_tokens")) else { return output };
    let missing = total.saturating_sub(input.saturating_add(output));
    let explained = match reasoning {
        Some(reasoning) if reasoning > 0 => missing == reasoning,
        _ => true,
    };
    if explained { output.saturating_add(missing) } else { output }
}

/// Writes a `usage` object; `None`: nothing is known.
pub(super) fn write(usage: TokenUsage) -> Option<ObjectWriter> {
    if usage == TokenUsage::default() {
        return None;
    }
    let (input, output) = (usage.input.unwrap_or(0), usage.output.unwrap_or(0));
    let prompt = ObjectWriter::new()
        .u64("cached_tokens", usage.cache_read.unwrap_or(0))
        .maybe(usage.cache_write, |details, tokens| details.u64("cache_write_tokens", tokens));
    let completion = ObjectWriter::new().u64("reasoning_tokens", usage.reasoning.unwrap_or(0));
    let written = ObjectWriter::new()
        .u64("prompt_tokens", input)
        .u64("completion_tokens", output)
        .u64("total_tokens", input.saturating_add(output))
        .object("prompt_tokens_details", prompt)
        .object("completion_tokens_details", completion);
    Some(written)
}

#[cfg(test)]
mod tests {
    use super::{read, write};
    use crate::form::TokenUsage;
    use crate::json::Object;

    fn usage(json: &str) -> TokenUsage {
        read(&Object::parse(json.as_bytes()).unwrap())
    }

    #[test]
    fn what_servers_count_comes_to_the_same_sums() {
        let openai = r#"{"prompt_tokens":10,"completion_tokens":7,"total_tokens":17,
            "prompt_tokens_details":{"cached_tokens":4,"cache_write_tokens":2},"completion_tokens_details":{"reasoning_tokens":5}}"#;
        let all = TokenUsage {
            input: Some(10),
            cache_read: Some(4),
            cache_write: Some(2),
            output: Some(7),
            reasoning: Some(5),
        };
        assert_eq!(usage(openai), all);
        let deepseek = usage(r#"{"prompt_tokens":10,"completion_tokens":7,"prompt_cache_hit_tokens":4}"#);
        assert_eq!((deepseek.cache_read, deepseek.output), (Some(4), Some(7)));
        let xai = r#"{"prompt_tokens":10,"completion_tokens":2,"total_tokens":17,"completion_tokens_details":{"reasoning_tokens":5}}"#;
        assert_eq!(usage(xai).output, Some(7));
        assert_eq!(
            usage(r#"{"prompt_tokens":35,"completion_tokens":12,"total_tokens":109}"#).output,
            Some(74)
        );
        assert_eq!(usage(r#"{"prompt_tokens":"x","completion_tokens":null}"#), TokenUsage::default());
    }

    #[test]
    fn what_is_known_is_written() {
        assert!(write(TokenUsage::default()).is_none());
        let known = TokenUsage { input: Some(3), output: Some(5), ..TokenUsage::default() };
        assert_eq!(
            write(known).unwrap().finish(),
            r#"{"prompt_tokens":3,"completion_tokens":5,"total_tokens":8,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}"#
        );
    }
}
