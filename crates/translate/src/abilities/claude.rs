//! Anthropic's models.
//!
//! Sources: platform.claude.com, models overview and thinking (types of thinking, forced tools, maximum output), API
//! errors (prefill), structured outputs; langchain-ai/langchainjs#11922 and LeenHawk/gproxy#209 (system text in the
//! middle: Opus 4.8 and later, the 5.5s, Fable, Mythos; contradictory for Sonnet 5, so not); Effect-TS/effect#7129
//! (128,000 tokens from 4.6 on).

use super::model::{ANYTHING, Abilities, ModelRow, Thinking};

/// Claude 4.6: the first that is asked for an effort, and that takes no prefill.
const CLAUDE_4_6: Abilities = Abilities {
    thinking: Thinking::Adaptive { xhigh: false },
    sampling_pair: false,
    prefill: false,
    system_turns: false,
    max_output: 128_000,
    ..ANYTHING
};
/// Claude 4.7 and later: no sampling.
const CLAUDE_4_7: Abilities =
    Abilities { thinking: Thinking::Adaptive { xhigh: true }, sampling: false, ..CLAUDE_4_6 };
/// Claude Opus 4.8 and later: system text in the middle.
const CLAUDE_4_8: Abilities = Abilities { system_turns: true, ..CLAUDE_4_7 };
/// Claudes that always think; they cannot be made to call a tool.
const CLAUDE_ALWAYS: Abilities = Abilities { thinking: Thinking::Always, forced_tools: false, ..CLAUDE_4_8 };
const CLAUDE_4_5: Abilities = Abilities {
    thinking: Thinking::Budget,
    sampling_pair: false,
    system_turns: false,
    max_output: 64_000,
    ..ANYTHING
};
const CLAUDE_4: Abilities = Abilities { sampling_pair: true, schema: false, ..CLAUDE_4_5 };
const CLAUDE_3_5: Abilities = Abilities { thinking: Thinking::No, max_output: 8_192, ..CLAUDE_4 };
const CLAUDE_3: Abilities = Abilities { max_output: 4_096, ..CLAUDE_3_5 };
const CLAUDE_2: Abilities = Abilities { images: false, ..CLAUDE_3 };

pub(super) const ROWS: &[ModelRow] = &[
    ("claude-2", CLAUDE_2),
    ("claude-3-5-", CLAUDE_3_5),
    ("claude-3-7-", Abilities { max_output: 64_000, ..CLAUDE_4 }),
    ("claude-3-", CLAUDE_3),
    ("claude-4-opus", Abilities { max_output: 32_000, ..CLAUDE_4 }),
    ("claude-4-sonnet", CLAUDE_4),
    ("claude-fable-", CLAUDE_ALWAYS),
    ("claude-haiku-4-5", CLAUDE_4_5),
    ("claude-haiku-5-5", CLAUDE_4_8),
    ("claude-instant", CLAUDE_2),
    ("claude-mythos-preview", CLAUDE_4_7),
    ("claude-mythos-", CLAUDE_ALWAYS),
    ("claude-opus-4-1", Abilities { sampling_pair: false, schema: true, max_output: 32_000, ..CLAUDE_4 }),
    ("claude-opus-4-5", CLAUDE_4_5),
    ("claude-opus-4-6", CLAUDE_4_6),
    ("claude-opus-4-7", CLAUDE_4_7),
    ("claude-opus-4-8", CLAUDE_4_8),
    ("claude-opus-4", Abilities { max_output: 32_000, ..CLAUDE_4 }),
    ("claude-opus-5-5", CLAUDE_ALWAYS),
    ("claude-opus-5", CLAUDE_4_8),
    ("claude-sonnet-4-5", CLAUDE_4_5),
    ("claude-sonnet-4-6", CLAUDE_4_6),
    ("claude-sonnet-4", CLAUDE_4),
    ("claude-sonnet-5-5", Abilities { thinking: Thinking::BetweenTools, ..CLAUDE_4_8 }),
    ("claude-sonnet-5", CLAUDE_4_7),
    ("claude-v2", CLAUDE_2),
];
