//! Which node of a Redis Cluster owns which slots, according to its nodes.

use std::collections::HashMap;

use ::redis::{RedisResult, Value, aio::ConnectionLike, from_redis_value};

use super::{node::RedisNode, slot::SLOTS};

/// The merged slot maps of a Cluster's nodes. Where they differ, the owner with the greatest configuration epoch wins, as it
/// does among the nodes themselves. So a partitioned node with an old slot map does no harm.
#[derive(Debug, Clone)]
pub(super) struct SlotsView {
    /// Every node that owns slots.
    pub(super) masters: Vec<RedisNode>,
    /// Nodes that own none.
    pub(super) replicas: Vec<RedisNode>,
    /// For every slot its epoch and the position of its owner in `masters`.
    owners: Vec<Option<(u64, usize)>>,
}

/// The slot map of one node.
#[derive(Debug)]
pub(super) struct NodeSlots {
    ranges: Vec<SlotRange>,
    epochs: HashMap<String, u64>,
}

#[derive(Debug)]
struct SlotRange {
    first: usize,
    last: usize,
    nodes: Vec<NodeInfo>,
}

#[derive(Debug)]
struct NodeInfo {
    host: String,
    port: u16,
    id: String,
}

impl Default for SlotsView {
    fn default() -> Self {
        Self { masters: Vec::new(), replicas: Vec::new(), owners: vec![None; SLOTS] }
    }
}

impl SlotsView {
    /// The position of a slot's owner in `masters`.
    pub(super) fn owner(&self, slot: usize) -> Option<usize> {
        self.owners.get(slot).copied().flatten().map(|(_, owner)| owner)
    }

    /// How many slots have an owner.
    pub(super) fn assigned_slots(&self) -> usize {
        self.owners.iter().flatten().count()
    }

    /// Whether every slot has the same owner in both.
    pub(super) fn same_owners(&self, other: &Self) -> bool {
        let owner_address = |view: &Self, slot| {
            let node: &RedisNode = view.masters.get(view.owner(slot)?)?;
            node.host_and_port().map(|(host, port)| (host.to_owned(), port))
        };
        if self.masters.len() != other.masters.len() {
            return false;
        }
        // Masters mostly come in the same order, so that positions can be compared; if not, addresses are.
        let in_order =
            self.masters.iter().zip(&other.masters).all(|(a, b)| a.host_and_port() == b.host_and_port());
        (0..SLOTS).all(|slot| match in_order {
            true => self.owner(slot) == other.owner(slot),
            false => owner_address(self, slot) == owner_address(other, slot),
        })
    }

    /// Adds the slot map of `queried`.
    pub(super) fn add(&mut self, queried: &RedisNode, slots: &NodeSlots) {
        for range in &slots.ranges {
            let mut nodes = range.nodes.iter();
            let Some(master) = nodes.next() else { continue };
            let epoch = slots.epochs.get(&master.id).copied().unwrap_or(0);
            let position = node_index(&mut self.masters, queried, master);
            for owner in self.owners.iter_mut().take(range.last.saturating_add(1)).skip(range.first) {
                if owner.is_none_or(|(known, _)| epoch > known) {
                    *owner = Some((epoch, position));
                }
            }
            for replica in nodes {
                node_index(&mut self.replicas, queried, replica);
            }
        }
    }

    /// Drops nodes that own no slot after all.
    pub(super) fn finish(mut self) -> Self {
        let mut new_positions = vec![None; self.masters.len()];
        let mut masters = Vec::new();
        for (_, owner) in self.owners.iter_mut().flatten() {
            let position = *new_positions[*owner].get_or_insert_with(|| {
                masters.push(self.masters[*owner].clone());
                masters.len() - 1
            });
            *owner = position;
        }
        let is_master = |node: &RedisNode| {
            masters.iter().any(|master: &RedisNode| master.host_and_port() == node.host_and_port())
        };
        self.replicas.retain(|replica| !is_master(replica));
        self.masters = masters;
        self
    }
}

/// The position of a node, which is added if it is new.
fn node_index(nodes: &mut Vec<RedisNode>, queried: &RedisNode, info: &NodeInfo) -> usize {
    // A node that does not know its own address has the one it was queried at.
    let nameless = matches!(info.host.as_str(), "" | "?");
    let host = queried.host_and_port().filter(|_| nameless).map_or(info.host.as_str(), |(host, _)| host);
    let known = nodes.iter().position(|node| node.host_and_port() == Some((host, info.port)));
    known.unwrap_or_else(|| {
        nodes.push(queried.with_address(host, info.port));
        nodes.len() - 1
    })
}

/// Queries one node.
pub(super) async fn query_slots(connection: &mut impl ConnectionLike) -> RedisResult<NodeSlots> {
    let mut query = ::redis::pipe();
    query.cmd("CLUSTER").arg("SLOTS").cmd("CLUSTER").arg("NODES");
    let (ranges, nodes): (Vec<Value>, String) = query.query_async(connection).await?;
    Ok(NodeSlots::read(ranges, &nodes))
}

impl NodeSlots {
    /// The replies to `CLUSTER SLOTS` and `CLUSTER NODES`.
    pub(super) fn read(ranges: Vec<Value>, nodes: &str) -> Self {
        Self { ranges: ranges.into_iter().filter_map(read_range).collect(), epochs: read_epochs(nodes) }
    }
}

/// First slot, last slot, then each node: the master first.
fn read_range(range: Value) -> Option<SlotRange> {
    let Value::Array(parts) = range else { return None };
    let mut parts = parts.into_iter();
    let first = from_redis_value(parts.next()?).ok()?;
    let last = from_redis_value(parts.next()?).ok()?;
    let nodes = parts.filter_map(|node| {
        let Value::Array(parts) = node else { return None };
        let mut parts = parts.into_iter();
        let host: Option<String> = from_redis_value(parts.next()?).ok()?;
        let port = from_redis_value(parts.next()?).ok()?;
        let id = from_redis_value(parts.next()?).ok()?;
        Some(NodeInfo { host: host.unwrap_or_default(), port, id })
    });
    Some(SlotRange { first, last, nodes: nodes.collect() })
}

/// `id address flags master pinged ponged epoch state slots`, one line per node.
fn read_epochs(nodes: &str) -> HashMap<String, u64> {
    let read = |line: &str| {
        let mut fields = line.split(' ');
        Some((fields.next()?.to_owned(), fields.nth(5)?.parse().ok()?))
    };
    nodes.lines().filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(port: u16) -> RedisNode {
        RedisNode::parse(&format!("redis://:hush@queried:{port}")).unwrap()
    }

    fn slots(ranges: &[(usize, usize, &str, u16)], epochs: &[(&str, u64)]) -> NodeSlots {
        let ranges = ranges.iter().map(|(first, last, host, port)| SlotRange {
            first: *first,
            last: *last,
            nodes: vec![NodeInfo { host: (*host).to_owned(), port: *port, id: port.to_string() }],
        });
        let epochs = epochs.iter().map(|(id, epoch)| ((*id).to_owned(), *epoch));
        NodeSlots { ranges: ranges.collect(), epochs: epochs.collect() }
    }

    #[test]
    fn the_greater_epoch_owns_a_slot() {
        let old = slots(&[(0, 8_191, "a", 1), (8_192, 16_383, "b", 2)], &[("1", 1), ("2", 2)]);
        let new = slots(&[(0, 8_191, "c", 3), (8_192, 16_383, "b", 2)], &[("3", 3), ("2", 2)]);
        for order in [[&old, &new], [&new, &old]] {
            let mut view = SlotsView::default();
            order.iter().for_each(|slots| view.add(&node(9), slots));
            let view = view.finish();
            let owner = |slot| view.masters[view.owner(slot).unwrap()].to_string();
            assert_eq!((owner(0), owner(8_191), owner(16_383)), ("c:3".into(), "c:3".into(), "b:2".into()));
            assert_eq!((view.masters.len(), view.assigned_slots()), (2, SLOTS), "a owns nothing any more");
        }
    }

    #[test]
    fn a_node_without_an_address_has_the_one_it_was_queried_at() {
        let mut view = SlotsView::default();
        view.add(&node(7), &slots(&[(0, 9, "", 7)], &[]));
        assert_eq!((view.masters[0].to_string(), view.assigned_slots()), ("queried:7".into(), 10));
    }

    #[test]
    fn slots_that_no_cluster_has_are_nobodys() {
        let mut view = SlotsView::default();
        view.add(&node(9), &slots(&[(16_383, usize::MAX, "a", 1), (usize::MAX, 0, "b", 2)], &[]));
        assert_eq!(view.assigned_slots(), 1);
    }

    #[test]
    fn views_are_compared_by_owners() {
        let view = |ranges: &[(usize, usize, &str, u16)]| {
            let mut view = SlotsView::default();
            view.add(&node(9), &slots(ranges, &[]));
            view.finish()
        };
        let one = view(&[(0, 9, "a", 1), (10, 19, "b", 2)]);
        assert!(one.same_owners(&view(&[(10, 19, "b", 2), (0, 9, "a", 1)])));
        assert!(!one.same_owners(&view(&[(0, 10, "a", 1), (11, 19, "b", 2)])));
        assert!(!one.same_owners(&view(&[(0, 19, "a", 1)])));
        assert!(!one.same_owners(&view(&[(0, 9, "b", 2), (10, 19, "a", 1)])));
    }
}
