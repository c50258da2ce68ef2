//! The request is more than the account may ask for at once, however long it waits.

use crate::error_body::rule::ErrorRule;

pub(super) const REQUEST_TOO_LARGE: &[ErrorRule] = &[
    ErrorRule {
        vendor: "OpenAI",
        statuses: &[413, 429],
        names: &[],
        words: "request too large for …limit … requested",
        sample: (
            429,
            r#"{"error": {"message": "Request too large for gpt-4o in organization org-x on tokens per min (TPM): Limit 30000, Requested 30601. The input or output tokens must be reduced in order to run successfully. Visit https://platform.openai.com/account/rate-limits to learn more.", "type": "tokens", "param": null, "code": "rate_limit_exceeded"}}"#,
        ),
        source: "github.com/DrShushen/climb/issues/13",
    },
    ErrorRule {
        vendor: "Groq",
        statuses: &[413, 429],
        names: &[],
        words: "request too large for …limit … requested",
        sample: (
            413,
            r#"{"error": {"message": "Request too large for model `llama-3.1-8b-instant` in organization `org_x` service tier `on_demand` on tokens per minute (TPM): Limit 6000, Requested 12328, please reduce your message size and try again.", "type": "tokens", "code": "rate_limit_exceeded"}}"#,
        ),
        source: "github.com/HunorLaczko/ha-groq-cloud-api/issues/27",
    },
    ErrorRule {
        vendor: "Azure",
        statuses: &[429],
        names: &[],
        words: "…your request exceeds the maximum usage size allowed",
        sample: (
            429,
            r#"{"error": {"code": "429", "message": "The system is currently experiencing high demand and cannot process your request. Your request exceeds the maximum usage size allowed during peak load. For improved capacity reliability, consider switching to Provisioned Throughput."}}"#,
        ),
        source: "github.com/pollinations/pollinations/issues/6260",
    },
    ErrorRule {
        vendor: "Anthropic",
        statuses: &[429],
        names: &[],
        words: "extra usage is required for long context requests",
        sample: (
            429,
            r#"{"type": "error", "error": {"type": "rate_limit_error", "message": "Extra usage is required for long context requests."}}"#,
        ),
        source: "github.com/anthropics/claude-code/issues/29584",
    },
    ErrorRule {
        vendor: "OpenRouter",
        statuses: &[402],
        names: &[],
        words: "this request requires more credits, or fewer max_tokens",
        sample: (
            402,
            r#"{"error": {"message": "This request requires more credits, or fewer max_tokens. You requested up to 65536 tokens, but can only afford 30104. To increase, visit https://openrouter.ai/settings/credits and upgrade to a paid account", "code": 402}}"#,
        ),
        source: "github.com/can1357/oh-my-pi/issues/9569",
    },
    ErrorRule {
        vendor: "OpenRouter",
        statuses: &[402],
        names: &[],
        words: "prompt tokens limit exceeded",
        sample: (
            402,
            r#"{"error": {"message": "Prompt tokens limit exceeded: 230799 > 91442. To increase, visit https://openrouter.ai/settings/keys and create a key with a higher monthly limit", "code": 402}}"#,
        ),
        source: "github.com/anomalyco/opencode/issues/12219",
    },
];
