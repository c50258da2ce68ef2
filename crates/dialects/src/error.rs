//! Errors: reading a provider's, and writing the gateway's own.

mod read;
mod write;

pub use read::{ErrorBody, ErrorCategory};
pub use write::{error_event, gateway_error, provider_error_event};
