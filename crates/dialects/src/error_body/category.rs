//! The kinds of errors that more than a status tells apart.

/// What an error's words mean, where C2 and B9 distinguish more than the status does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCategory {
    /// The prompt does not fit this model; it may fit another.
    ContextTooLong,
    /// The provider has no such model, or this key may not use it.
    UnknownModel,
    /// Quota or credit is exhausted, or a spend limit is reached: a short wait does not help.
    QuotaExhausted,
    /// Rejected by the provider's content policy.
    ContentPolicy,
    /// The provider does not accept the key, but its status says something else. With 401 and 403 it is `Other`.
    InvalidKey,
    /// None of these: the status decides.
    Other,
}
