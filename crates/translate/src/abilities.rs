//! What models can do: one table for each maker, with the source of each row.
//!
//! Names are compared without the vendor's prefix (`anthropic/`, `us.anthropic.`, `models/`), so that a model is known
//! whoever serves it. The first row whose beginning fits counts. A model that no row knows is taken to be able to do
//! everything: the provider says no more plainly than a guess.

mod claude;
mod gemini;
mod model;
mod openai;

use model::{ANYTHING, ModelRow};
pub(crate) use model::{Abilities, Thinking};

/// All rows. Within a maker's, names stand before shorter ones that begin alike.
const TABLES: [&[ModelRow]; 3] = [claude::ROWS, openai::ROWS, gemini::ROWS];

impl Abilities {
    pub(crate) fn of(model: &str) -> Self {
        let name = bare_name(model);
        let row = TABLES.into_iter().flatten().find(|(beginning, _)| begins(name, beginning));
        row.map_or(ANYTHING, |(_, abilities)| *abilities)
    }
}

/// Some write a version with dots, some with hyphens, and some names with capitals.
fn begins(name: &str, beginning: &str) -> bool {
    let plain = |byte: u8| if byte == b'.' { b'-' } else { byte.to_ascii_lowercase() };
    name.len() >= beginning.len() && name.bytes().zip(beginning.bytes()).all(|(a, b)| plain(a) == plain(b))
}

/// The name without the vendor's prefix.
fn bare_name(model: &str) -> &str {
    let name = model.rsplit('/').next().unwrap_or(model);
    name.rsplit_once("anthropic.").map_or(name, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::{Abilities, Thinking};

    #[test]
    fn a_model_is_known_whoever_serves_it() {
        for (name, thinking, max_output) in [
            ("claude-opus-4-5-20251101", Thinking::Budget, 64_000),
            ("anthropic/claude-haiku-4.5", Thinking::Budget, 64_000),
            ("us.anthropic.claude-opus-4-6-v1", Thinking::Adaptive { xhigh: false }, 128_000),
            ("claude-opus-4@20250514", Thinking::Budget, 32_000),
            ("claude-opus-5", Thinking::Adaptive { xhigh: true }, 128_000),
            ("claude-opus-5-5", Thinking::Always, 128_000),
            ("claude-sonnet-5-5", Thinking::BetweenTools, 128_000),
            ("claude-3-haiku-20240307", Thinking::No, 4_096),
            ("minimax-m3", Thinking::Unknown, 32_000),
        ] {
            let abilities = Abilities::of(name);
            assert_eq!((abilities.thinking, abilities.max_output), (thinking, max_output), "{name}");
        }
    }
}
