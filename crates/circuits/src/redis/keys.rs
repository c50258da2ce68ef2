//! The names of a circuit's keys in Redis.

use ::redis::Value;
use breaker::ModelKey;

/// The prefix of every circuit's key.
pub(super) const KEY_PREFIX: &str = "circuit_breaker:";

/// The secret for the tags of requests. Not under the prefix, so that `KEYS circuit_breaker:*` lists circuits only.
pub(super) const SECRET_KEY: &str = "switchboard:tag_key";

pub(super) fn redis_key(key: &ModelKey) -> String {
    format!("{KEY_PREFIX}{key}")
}

/// The braces put the history into the key's slot of a Redis Cluster.
pub(super) fn history_key(key: &ModelKey) -> String {
    format!("{{{KEY_PREFIX}{key}}}:events")
}

/// The model key in the key of a circuit; `None` for other keys.
pub(super) fn model_key(value: &Value) -> Option<ModelKey> {
    let Value::BulkString(bytes) = value else { return None };
    std::str::from_utf8(bytes).ok()?.strip_prefix(KEY_PREFIX)?.parse().ok()
}
