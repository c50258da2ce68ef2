//! The announced ends of life, and the day on which the table was last compared with its sources.
//!
//! Sources:
//! - Anthropic: `DEPRECATED_MODELS` of its Python SDK `anthropic` 2.14.0; ends before mid 2026, which are no longer
//!   in it, from 1.10.0. Opus 4.1 from Anthropic's deprecations page.
//! - Google: the deprecations page of the Gemini API and its changelog.
//! - OpenAI: the deprecated values of `ChatModel` in its Python SDK `openai` 3.57.0; models that only the Responses API
//!   has, from OpenAI's deprecations page.
//!
//! To update it: compare with the newest sources, change [`AS_OF`], run `cargo test -p switchboard model_ends`. If a
//! default now ends too soon, `config/tasks.rs` names the sources of its models.

use jiff::civil::{Date, date};

use super::model_end::{Announcer, ModelEnd};

/// When the table was last compared with its sources.
pub const AS_OF: Date = date(2026, 11, 27);

const ANTHROPIC: Announcer = Announcer {
    name: "Anthropic",
    page: "https://platform.claude.com/docs/en/about-claude/model-deprecations",
};
const GOOGLE: Announcer =
    Announcer { name: "Google", page: "https://ai.google.dev/gemini-api/docs/deprecations" };
const OPENAI: Announcer =
    Announcer { name: "OpenAI", page: "https://developers.openai.com/api/docs/deprecations" };

const fn end(date: Date, by: Announcer, models: &'static [&'static str]) -> ModelEnd {
    ModelEnd { date, by, models }
}

/// All known ends, by provider and date.
#[rustfmt::skip]
pub(super) const ENDS: &[ModelEnd] = &[
    end(date(2024, 11, 6), ANTHROPIC, &[
        "claude-1.3", "claude-1.3-100k", "claude-instant-1.1", "claude-instant-1.1-100k", "claude-instant-1.2",
    ]),
    end(date(2025, 7, 21), ANTHROPIC, &["claude-2.0", "claude-2.1", "claude-3-sonnet-20240229"]),
    end(date(2026, 1, 5), ANTHROPIC, &["claude-3-opus-20240229"]),
    end(date(2026, 2, 19), ANTHROPIC, &[
        "claude-3-5-haiku-20241022", "claude-3-5-haiku-latest",
        "claude-3-7-sonnet-20250219", "claude-3-7-sonnet-latest",
    ]),
    end(date(2026, 6, 15), ANTHROPIC, &[
        "claude-opus-4-0", "claude-opus-4-20250514", "claude-sonnet-4-0", "claude-sonnet-4-20250514",
    ]),
    end(date(2026, 6, 30), ANTHROPIC, &["claude-mythos-preview"]),
    end(date(2026, 8, 5), ANTHROPIC, &["claude-opus-4-1", "claude-opus-4-1-20250805"]),
    end(date(2026, 11, 30), ANTHROPIC, &["claude-sonnet-4-5", "claude-sonnet-4-5-20250929"]),
    end(date(2027, 1, 22), ANTHROPIC, &["claude-opus-4-5", "claude-opus-4-5-20251101"]),

    end(date(2026, 3, 9), GOOGLE, &["gemini-3-pro-preview"]),
    end(date(2026, 5, 25), GOOGLE, &["gemini-3.1-flash-lite-preview"]),
    end(date(2026, 6, 1), GOOGLE, &[
        "gemini-2.0-flash", "gemini-2.0-flash-001", "gemini-2.0-flash-lite", "gemini-2.0-flash-lite-001",
    ]),
    end(date(2026, 10, 8), GOOGLE, &["gemini-3.5-flash", "gemini-3.7-flash"]),
    end(date(2026, 12, 1), GOOGLE, &["gemini-2.5-flash", "gemini-2.5-pro"]),
    end(date(2027, 5, 7), GOOGLE, &["gemini-3.1-flash-lite"]),

    end(date(2024, 9, 13), OPENAI, &[
        "gpt-3.5-turbo-0301", "gpt-3.5-turbo-0613", "gpt-3.5-turbo-16k", "gpt-3.5-turbo-16k-0613",
    ]),
    end(date(2024, 12, 6), OPENAI, &["gpt-4-vision-preview"]),
    end(date(2025, 6, 6), OPENAI, &["gpt-4-32k", "gpt-4-32k-0314", "gpt-4-32k-0613"]),
    end(date(2025, 7, 28), OPENAI, &["o1-preview", "o1-preview-2024-09-12"]),
    end(date(2025, 10, 10), OPENAI, &["gpt-4o-audio-preview-2024-10-01"]),
    end(date(2025, 10, 27), OPENAI, &["o1-mini", "o1-mini-2024-09-12"]),
    end(date(2026, 2, 12), OPENAI, &["codex-mini-latest"]),
    end(date(2026, 2, 17), OPENAI, &["chatgpt-4o-latest"]),
    end(date(2026, 3, 26), OPENAI, &["gpt-4-0125-preview", "gpt-4-0314", "gpt-4-turbo-preview"]),
    end(date(2026, 5, 7), OPENAI, &[
        "gpt-4o-audio-preview", "gpt-4o-audio-preview-2024-12-17", "gpt-4o-audio-preview-2025-06-03",
        "gpt-4o-mini-audio-preview", "gpt-4o-mini-audio-preview-2024-12-17",
    ]),
    end(date(2026, 7, 23), OPENAI, &[
        "gpt-4o-mini-search-preview", "gpt-4o-mini-search-preview-2025-03-11",
        "gpt-4o-search-preview", "gpt-4o-search-preview-2025-03-11",
        "gpt-5-chat-latest", "gpt-5.1-chat-latest", "gpt-5.1-codex",
    ]),
    end(date(2026, 8, 10), OPENAI, &["gpt-5.2-chat-latest", "gpt-5.3-chat-latest"]),
    end(date(2026, 9, 28), OPENAI, &["gpt-3.5-turbo-1106"]),
    end(date(2026, 10, 23), OPENAI, &[
        "gpt-3.5-turbo", "gpt-3.5-turbo-0125", "gpt-4", "gpt-4-0613", "gpt-4-1106-preview",
        "gpt-4-turbo", "gpt-4-turbo-2024-04-09", "gpt-4.1-nano", "gpt-4.1-nano-2025-04-14", "gpt-4o-2024-05-13",
        "o1", "o1-2024-12-17", "o1-pro", "o1-pro-2025-03-19", "o3-mini", "o3-mini-2025-01-31",
        "o4-mini", "o4-mini-2025-04-16",
    ]),
    end(date(2026, 12, 11), OPENAI, &[
        "gpt-5", "gpt-5-2025-08-07", "gpt-5-mini", "gpt-5-mini-2025-08-07", "gpt-5-nano", "gpt-5-nano-2025-08-07",
        "gpt-5-pro", "gpt-5-pro-2025-10-06", "o3", "o3-2025-04-16", "o3-pro", "o3-pro-2025-06-10",
    ]),
    end(date(2027, 1, 14), OPENAI, &[
        "gpt-4.1", "gpt-4.1-2025-04-14", "gpt-4.1-mini", "gpt-4.1-mini-2025-04-14",
        "gpt-4o", "gpt-4o-2024-08-06", "gpt-4o-2024-11-20", "gpt-4o-mini", "gpt-4o-mini-2024-07-18",
    ]),
    end(date(2027, 1, 20), OPENAI, &["gpt-audio-mini", "gpt-audio-mini-2025-12-15"]),
    end(date(2027, 4, 1), OPENAI, &["gpt-5.1", "gpt-5.1-2025-11-13", "gpt-5.4-nano", "gpt-5.4-nano-2026-03-17"]),
];
