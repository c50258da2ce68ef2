//! Google's models.
//!
//! Sources: ai.google.dev, "Gemini models", "Gemini thinking" and "Gemini 3 developer guide".

use super::model::{ANYTHING, Abilities, ModelRow, Thinking};

/// Gemini 3 and later.
const GEMINI: Abilities = Abilities {
    thinking: Thinking::GeminiLevel,
    prefill: false,
    system_turns: false,
    max_output: 65_536,
    ..ANYTHING
};

pub(super) const ROWS: &[ModelRow] = &[
    ("gemini-1", Abilities { thinking: Thinking::No, max_output: 8_192, ..GEMINI }),
    ("gemini-2.0", Abilities { thinking: Thinking::No, max_output: 8_192, ..GEMINI }),
    ("gemini-2.5-flash-image", Abilities { thinking: Thinking::No, max_output: 32_768, ..GEMINI }),
    ("gemini-2.5", Abilities { thinking: Thinking::GeminiBudget, ..GEMINI }),
    ("gemini-", GEMINI),
    ("learnlm-", Abilities { thinking: Thinking::No, max_output: 8_192, ..GEMINI }),
];
