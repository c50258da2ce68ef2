//! What an error consists of, whatever the API format.

use crate::provider_error::{Hint, Reason};

/// What an error consists of.
#[derive(Clone, Debug)]
pub(crate) struct ErrorSpec<'a> {
    pub(crate) reason: Reason,
    pub(crate) hints: &'a [Hint],
    pub(crate) model: &'a str,
    /// The number of the request.
    pub(crate) number: u64,
    /// Replaces the provider's own message.
    pub(crate) custom_message: Option<String>,
}
