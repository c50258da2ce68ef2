//! The kinds of errors that more than a status tells apart.

/// What an error's words mean, where C2 and B9 distinguish more than the status does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCategory {
    /// The prompt does not fit this model; it may fit another.
    ContextTooLong,
    /// The request is larger than this account's limits allow at all, so that no wait helps; another model may take it.
    RequestTooLarge,
    /// The provider has no such model, or this key may not use it.
    UnknownModel,
    /// Quota or credit is exhausted, or a spend limit is reached: a short wait does not help.
    QuotaExhausted,
    /// Rejected by the provider's content policy.
    ContentPolicy,
    /// The provider does not accept the key, but its status does not say so. With 401 it is `Other`.
    InvalidKey,
    /// None of these: the status decides.
    Other,
}

impl ErrorCategory {
    /// The status that an error inside a 200 implies by its words alone.
    pub(super) const fn implied_status(self) -> Option<u16> {
        match self {
            Self::ContextTooLong | Self::ContentPolicy => Some(400),
            Self::RequestTooLarge => Some(413),
            Self::UnknownModel => Some(404),
            Self::QuotaExhausted => Some(429),
            Self::InvalidKey => Some(401),
            Self::Other => None,
        }
    }

    /// Whether it is about the request alone, whoever is asked for it with whatever key.
    pub(super) const fn is_about_request(self) -> bool {
        matches!(self, Self::ContextTooLong | Self::ContentPolicy)
    }
}
