//! The replies of the scripts and of a history.

use breaker::{InstanceId, Reason, State, Timestamp, Transition};
use bytes::Bytes;

use crate::store::{HistoryTail, Value};

/// A value under a key, as the scripts return it: its kind and its text.
pub(super) fn read_value(kind: &str, text: Bytes) -> Value {
    match kind {
        "text" => Value::Text(text),
        "digest" => Value::Oversized { digest: String::from_utf8_lossy(&text).into_owned() },
        "type" => Value::WrongType(String::from_utf8_lossy(&text).into_owned()),
        _ => Value::Absent,
    }
}

/// Where a history ends, as the scripts return it: nothing, or a state and an epoch.
pub(super) fn read_history_tail(end: &str) -> HistoryTail {
    let Some((state, epoch)) = end.split_once(' ') else { return HistoryTail::Absent };
    HistoryTail::At {
        state: read_state(state).unwrap_or(State::Closed),
        epoch: epoch.parse().unwrap_or_default(),
    }
}

fn read_state(name: &str) -> Option<State> {
    [State::Closed, State::Open, State::HalfOpen].into_iter().find(|state| state.as_str() == name)
}

/// An entry of a history by its fields and values, one behind the other; `None`: it is none.
pub(super) fn read_entry(fields: &[String]) -> Option<Transition> {
    let field = |name: &str| fields.chunks_exact(2).find(|pair| pair[0] == name).map(|pair| pair[1].as_str());
    let state = |name: &str| read_state(field(name)?);
    Some(Transition {
        from: state("from")?,
        to: state("to")?,
        epoch: field("epoch")?.parse().ok()?,
        reason: serde_json::from_str::<Reason>(field("reason")?).ok()?,
        instance: InstanceId::new(field("instance")?),
        at: Timestamp::from_millis(field("at")?.parse().ok()?),
    })
}
