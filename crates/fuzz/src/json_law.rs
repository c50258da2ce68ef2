//! What is written is JSON again.

use serde::de::IgnoredAny;

use crate::features::Features;

/// Asserts that a text that was written parses, and adds its fields to the features.
///
/// Lone surrogates and numbers beyond all measure are JSON, as they are by its grammar. So is what is nested deeper than
/// this parser goes: a level more than what came is no fault of the writer's.
pub(crate) fn assert_json(label: &str, text: &[u8], features: &mut Features) {
    if let Err(error) = serde_json::from_slice::<IgnoredAny>(text) {
        let is_deep = error.to_string().starts_with("recursion limit exceeded");
        assert!(is_deep, "{label}: not JSON ({error}): {}", text.escape_ascii());
    }
    if let Ok(value) = serde_json::from_slice(text) {
        features.add_json(label, &value);
    }
}
