//! What reading fails with.

/// Bytes that are no JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotJson;

pub(crate) type Result<T> = std::result::Result<T, NotJson>;
