//! OpenAI's models.
//!
//! Sources: developers.openai.com/api/docs/models and /guides/reasoning.

use super::model::{ANYTHING, Abilities, ModelRow, Thinking};
use crate::form::Effort;

/// OpenAI's models that reason, by the least and the greatest effort. They take neither sampling nor stop sequences,
/// and an assistant's turn at the end is one that is done.
const fn openai_reasoning(least: Effort, greatest: Effort) -> Abilities {
    Abilities {
        thinking: Thinking::Effort { least, greatest },
        sampling: false,
        stop: false,
        prefill: false,
        max_output: 128_000,
        ..ANYTHING
    }
}

/// OpenAI's models that do not reason.
const fn openai_plain(max_output: u64) -> Abilities {
    Abilities { thinking: Thinking::No, prefill: false, max_output, ..ANYTHING }
}

const fn without_images(abilities: Abilities) -> Abilities {
    Abilities { images: false, ..abilities }
}

/// Open weights: who serves them adds what OpenAI's own models refuse.
const GPT_OSS: Abilities = without_images(Abilities {
    prefill: true,
    sampling: true,
    stop: true,
    ..openai_reasoning(Effort::Low, Effort::High)
});

pub(super) const ROWS: &[ModelRow] = &[
    ("chatgpt-4o", openai_plain(16_384)),
    ("codex-mini", openai_reasoning(Effort::Low, Effort::High)),
    ("ft:gpt-3.5", without_images(openai_plain(4_096))),
    ("ft:gpt-4.1", openai_plain(32_768)),
    ("ft:gpt-4o", openai_plain(16_384)),
    ("gpt-3.5", without_images(openai_plain(4_096))),
    ("gpt-4-turbo", openai_plain(4_096)),
    ("gpt-4-vision", openai_plain(4_096)),
    ("gpt-4.1", openai_plain(32_768)),
    ("gpt-4.5", openai_plain(16_384)),
    ("gpt-4o", openai_plain(16_384)),
    ("gpt-4", without_images(openai_plain(8_192))),
    ("gpt-5-chat", openai_plain(16_384)),
    ("gpt-5-codex", openai_reasoning(Effort::Low, Effort::High)),
    ("gpt-5-pro", openai_reasoning(Effort::High, Effort::High)),
    ("gpt-5.1-chat", openai_reasoning(Effort::Medium, Effort::Medium)),
    ("gpt-5.1-codex-max", openai_reasoning(Effort::Low, Effort::Xhigh)),
    ("gpt-5.1-codex", openai_reasoning(Effort::Low, Effort::High)),
    ("gpt-5.1", openai_reasoning(Effort::None, Effort::High)),
    ("gpt-5.2-chat", openai_reasoning(Effort::Medium, Effort::Medium)),
    ("gpt-5.2-codex", openai_reasoning(Effort::Low, Effort::Xhigh)),
    ("gpt-5.2-pro", openai_reasoning(Effort::Medium, Effort::Xhigh)),
    ("gpt-5.2", openai_reasoning(Effort::None, Effort::Xhigh)),
    ("gpt-5.3-chat", openai_reasoning(Effort::Medium, Effort::Medium)),
    ("gpt-5.3-codex", openai_reasoning(Effort::Low, Effort::Xhigh)),
    ("gpt-5.4-pro", openai_reasoning(Effort::Medium, Effort::Xhigh)),
    ("gpt-5.4", openai_reasoning(Effort::None, Effort::Xhigh)),
    ("gpt-5.5-pro", openai_reasoning(Effort::Medium, Effort::Xhigh)),
    ("gpt-5.5", openai_reasoning(Effort::None, Effort::Xhigh)),
    ("gpt-5.6", openai_reasoning(Effort::None, Effort::Max)),
    ("gpt-5", openai_reasoning(Effort::Minimal, Effort::High)),
    ("gpt-6", openai_reasoning(Effort::None, Effort::Max)),
    ("gpt-oss", GPT_OSS),
    (
        "o1-mini",
        Abilities { thinking: Thinking::No, ..without_images(openai_reasoning(Effort::Low, Effort::High)) },
    ),
    (
        "o1-preview",
        Abilities { thinking: Thinking::No, ..without_images(openai_reasoning(Effort::Low, Effort::High)) },
    ),
    ("o1", openai_reasoning(Effort::Low, Effort::High)),
    ("o3-mini", without_images(openai_reasoning(Effort::Low, Effort::High))),
    ("o3", openai_reasoning(Effort::Low, Effort::High)),
    ("o4-mini", openai_reasoning(Effort::Low, Effort::High)),
    // As Amazon Bedrock names it.
    ("openai.gpt-oss", GPT_OSS),
];
