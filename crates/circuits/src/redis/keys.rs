//! The names of a circuit's keys in Redis.

use ::redis::Value;
use breaker::ModelKey;

use crate::store::ChangeNotification;

/// The prefix of every circuit's key.
pub(super) const KEY_PREFIX: &str = "circuit_breaker:";

/// The prefix of every circuit's history.
pub(super) const HISTORY_PREFIX: &str = "{circuit_breaker:";

/// What stands behind the model key in the key of a history.
const HISTORY_SUFFIX: &str = "}:events";

/// The secret for the tags of requests. Not under the prefix, so that `KEYS circuit_breaker:*` lists circuits only.
pub(super) const SECRET_KEY: &str = "switchboard:tag_key";

/// The index of heartbeats: a sorted set of instances by the time of their last one.
pub(super) const INSTANCES_KEY: &str = "switchboard:instances";

/// The prefix of every heartbeat.
const INSTANCE_PREFIX: &str = "switchboard:instance:";

/// What the keys of heartbeats and their index begin with.
pub(super) const HEARTBEAT_PREFIX: &str = "switchboard:instance";

pub(super) fn instance_key(id: &str) -> String {
    format!("{INSTANCE_PREFIX}{id}")
}

pub(super) fn redis_key(key: &ModelKey) -> String {
    format!("{KEY_PREFIX}{key}")
}

/// The braces put the history into the key's slot of a Redis Cluster.
pub(super) fn history_key(key: &ModelKey) -> String {
    format!("{HISTORY_PREFIX}{key}{HISTORY_SUFFIX}")
}

/// The model key in the key of a circuit; `None` for other keys.
pub(super) fn model_key(value: &Value) -> Option<ModelKey> {
    text(value)?.strip_prefix(KEY_PREFIX)?.parse().ok()
}

/// What a change of this key means; `None`: it is neither a circuit nor a history. A history grows only by a change of
/// state.
pub(super) fn change_of(value: &Value) -> Option<ChangeNotification> {
    let history =
        text(value)?.strip_prefix(HISTORY_PREFIX).and_then(|rest| rest.strip_suffix(HISTORY_SUFFIX));
    match history {
        Some(key) => key.parse().ok().map(ChangeNotification::State),
        None => model_key(value).map(ChangeNotification::Key),
    }
}

fn text(value: &Value) -> Option<&str> {
    let Value::BulkString(bytes) = value else { return None };
    std::str::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_the_history_is_a_change_of_state() {
        let key: ModelKey = "openai:gpt-5".parse().unwrap();
        let change = |name: &str| change_of(&Value::BulkString(name.as_bytes().to_vec()));
        assert_eq!(change(&redis_key(&key)), Some(ChangeNotification::Key(key.clone())));
        assert_eq!(change(&history_key(&key)), Some(ChangeNotification::State(key)));
        for other in
            ["{circuit_breaker:openai:gpt-5}:other", "{circuit_breaker:}:events", SECRET_KEY, INSTANCES_KEY]
        {
            assert_eq!(change(other), None, "{other}");
        }
    }
}
