//! What is said of fields that this format does not have.

/// The reason of a refusal.
pub(super) const NO_COUNTERPART: &str = "has no counterpart in OpenAI Responses";
