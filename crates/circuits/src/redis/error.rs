//! Redis' errors as errors of a store.

use ::redis::RedisError;

use super::connection::CONNECT_TIMEOUT;
use crate::store::StoreError;

/// A timeout, no connection, or a response with an error.
pub(super) fn to_store_error(error: &RedisError) -> StoreError {
    if error.is_timeout() {
        StoreError::Timeout(CONNECT_TIMEOUT)
    } else if error.is_io_error() || error.is_connection_dropped() || error.is_connection_refusal() {
        StoreError::Unreachable(error.to_string())
    } else {
        StoreError::Rejected(error_text(error))
    }
}

/// Redis' own text, which can be looked up; without the position in a script.
fn error_text(error: &RedisError) -> String {
    let text = match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => {
            format!("{code} {}", detail.split(" script: ").next().unwrap_or(detail).trim_end())
        }
        _ => error.to_string(),
    };
    if text.contains("HELLO") || text.starts_with("NOPROTO") {
        return format!("no RESP3, which Redis supports since 6.0: {text}");
    }
    text
}
