//! Why a caller's body cannot be read.

/// Why a caller's body is no request of its API format. The caller's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// No JSON object.
    #[error("the request body must be a JSON object")]
    NotAnObject,
    /// Only providers have the API format.
    #[error("the request is in an API format that callers cannot use")]
    NotACallersFormat,
    /// A field that is missing, or not what it must be.
    #[error("`{field}` {reason}")]
    Field {
        /// The field, as a path such as `messages[2].content`.
        field: String,
        /// What is wrong, as the end of a sentence: `must be an array`.
        reason: String,
    },
}

impl RequestError {
    pub(crate) fn field(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Field { field: field.into(), reason: reason.into() }
    }
}
