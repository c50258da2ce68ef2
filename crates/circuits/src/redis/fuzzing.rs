//! Replies of Redis as the store reads them, for the crate `fuzz`: not a part of the interface.

use ::redis::{FromRedisValue, Value as Reply, from_redis_value, parse_redis_value};
use breaker::{ModelKey, Transition};
use bytes::Bytes;

use super::{
    keys::model_key,
    node::RedisNode,
    replies::{read_entry, read_history_tail, read_value},
    slots_view::{NodeSlots, SlotsView},
};
use crate::store::{HistoryTail, Value};

/// What a reply is for each command that may get it.
#[derive(Debug, Default)]
pub struct Replies {
    /// Of the script that loads a circuit: its value, and where its history ends.
    pub loaded: Option<(Value, HistoryTail)>,
    /// Of the script that writes one, the same if it was not written.
    pub swapped: Option<(Value, HistoryTail)>,
    /// Of `XREVRANGE`.
    pub history: Option<Vec<Transition>>,
    /// Of `SCAN`.
    pub keys: Option<Vec<ModelKey>>,
    /// Of `CLUSTER SLOTS`, with the reply itself as `CLUSTER NODES`: how many slots are assigned.
    pub assigned_slots: Option<usize>,
}

/// Reads the bytes of a reply (RESP).
#[must_use]
pub fn read_reply(bytes: &[u8]) -> Option<Replies> {
    let reply = parse_redis_value(bytes).ok()?;
    let loaded = convert::<(u64, String, String, Bytes)>(&reply);
    let swapped = convert::<(String, u64, String, String, Bytes)>(&reply);
    let history = convert::<Vec<(String, Vec<String>)>>(&reply);
    let keys = convert::<(u64, Vec<Reply>)>(&reply).map(|(_, keys)| keys).or_else(|| convert(&reply));
    Some(Replies {
        loaded: loaded.map(|(_, end, kind, text)| (read_value(&kind, text), read_history_tail(&end))),
        swapped: swapped.map(|(_, _, end, kind, text)| (read_value(&kind, text), read_history_tail(&end))),
        history: history.map(|entries| entries.iter().filter_map(|(_, fields)| read_entry(fields)).collect()),
        keys: keys.map(|keys: Vec<Reply>| keys.iter().filter_map(model_key).collect()),
        assigned_slots: convert::<Vec<Reply>>(&reply).and_then(|ranges| assigned_slots(ranges, bytes)),
    })
}

/// An entry of a history by its fields and values, one behind the other.
#[must_use]
pub fn read_history_entry(fields: &[String]) -> Option<Transition> {
    read_entry(fields)
}

fn convert<T: FromRedisValue>(reply: &Reply) -> Option<T> {
    from_redis_value(reply.clone()).ok()
}

fn assigned_slots(ranges: Vec<Reply>, nodes: &[u8]) -> Option<usize> {
    let queried = RedisNode::parse("redis://queried:7000").ok()?;
    let mut view = SlotsView::default();
    view.add(&queried, &NodeSlots::read(ranges, &String::from_utf8_lossy(nodes)));
    Some(view.finish().assigned_slots())
}
