//! The names of a circuit's keys in Redis (DESIGN 1.1).

use ::redis::Value;
use breaker::ModelKey;

/// What every circuit's key begins with (DESIGN 1.1).
pub(super) const KEY_PREFIX: &str = "circuit_breaker:";

pub(super) fn redis_key(key: &ModelKey) -> String {
    format!("{KEY_PREFIX}{key}")
}

/// The braces put the history into the key's slot of a Redis Cluster (DESIGN 1.1).
pub(super) fn history_key(key: &ModelKey) -> String {
    format!("{{{KEY_PREFIX}{key}}}:events")
}

/// The model key in a Redis key, if it is one of a circuit.
pub(super) fn model_key(value: &Value) -> Option<ModelKey> {
    let Value::BulkString(bytes) = value else { return None };
    std::str::from_utf8(bytes).ok()?.strip_prefix(KEY_PREFIX)?.parse().ok()
}
