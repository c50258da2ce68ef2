//! Reasoning that only its maker can read: signatures, encrypted content, thought signatures (T5).

/// Whose an opaque value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    /// The provider's name in the configuration: one account.
    pub(crate) provider: String,
    /// The model, by the name that the provider knows it by.
    pub(crate) model: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OpaqueKind {
    /// Anthropic's signature of a thinking block.
    Signature,
    /// Anthropic's redacted thinking.
    Redacted,
    /// OpenAI's encrypted reasoning content.
    Encrypted,
    /// Gemini's thought signature.
    ThoughtSignature,
    /// No secret: the text itself, which some models of the chat format want back from whoever they gave it to
    /// (`reasoning_content`). `data` is empty, or says in which form (`chat::reasoning::Form`).
    PlainText,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Opaque {
    pub(crate) kind: OpaqueKind,
    /// As the maker wrote it.
    pub(crate) data: String,
    /// The id of the item, where the maker gave one (OpenAI's `rs_…`).
    pub(crate) id: Option<String>,
    /// `None`: it came without an envelope, so nobody knows who made it.
    pub(crate) owner: Option<Owner>,
}
