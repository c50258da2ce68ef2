//! What Redis' errors mean to a store.

use ::redis::RedisError;

use super::connection::CONNECT_TIMEOUT;
use crate::store::StoreError;

/// Whose fault it is: no answer, no connection, or a refusal.
pub(super) fn to_store_error(error: &RedisError) -> StoreError {
    if error.is_timeout() {
        StoreError::Timeout(CONNECT_TIMEOUT)
    } else if error.is_io_error() || error.is_connection_dropped() || error.is_connection_refusal() {
        StoreError::Unreachable(error.to_string())
    } else {
        StoreError::Rejected(error_text(error))
    }
}

/// Redis' own words, by which people and manuals know them; without the place in a script, which tells nobody anything.
fn error_text(error: &RedisError) -> String {
    let text = match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => {
            format!("{code} {}", detail.split(" script: ").next().unwrap_or(detail).trim_end())
        }
        _ => error.to_string(),
    };
    if text.contains("HELLO") || text.starts_with("NOPROTO") {
        return format!("it speaks no RESP3, which Redis does since 6.0: {text}");
    }
    text
}
