//! The order in which equals of a chain are tried (C7): models of one group, among which calls are spread.
//!
//! A conversation stays with one of them, so that the provider's prompt cache serves it: rendezvous hashing ranks the
//! members for each conversation alike on all instances, without anything kept. When one is away, its conversations are spread
//! over the others; when it is back, just these return, so it gets its share and no more. A member that has clearly more in
//! flight than the others is passed over. Calls of no conversation go to the less busy of two that are drawn, as Envoy's
//! `LEAST_REQUEST` does, so that one that has just come back gets at most twice its share of them.

use std::cmp::Reverse;

/// Up to so many calls in flight, a member is never too busy for a conversation.
const ALWAYS_ALLOWED: u64 = 8;

/// How many more than its share of the calls in flight, in percent, a member may have before a conversation goes elsewhere:
/// the bound of consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam 2016).
const MAX_SHARE_PERCENT: u64 = 150;

/// One of the equals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Member {
    /// A hash of its key.
    pub(crate) hash: u64,
    /// Its calls in flight on this instance.
    pub(crate) in_flight: u64,
    /// Whether its circuit refuses this caller now, so it has no share of the calls. It keeps its place, for when it is asked
    /// again.
    pub(crate) is_refused: bool,
}

/// The indexes of the members, the one to be called first in front. `random` decides for calls of no conversation.
pub(crate) fn order(members: &[Member], conversation: Option<u64>, random: u64) -> Vec<usize> {
    let mut order = by_rendezvous(members, conversation.unwrap_or(random));
    let first = match conversation {
        Some(_) => order.iter().position(|&index| members[index].is_refused || !is_busy(members, index)),
        None => less_busy_of_two(members, &order),
    };
    order[..=first.unwrap_or_default()].rotate_right(1);
    order
}

/// Highest random weight first: every member has its own weight for every key.
fn by_rendezvous(members: &[Member], key: u64) -> Vec<usize> {
    let mut order: Vec<_> = (0..members.len()).collect();
    order.sort_by_key(|&index| Reverse(mix(members[index].hash ^ mix(key))));
    order
}

/// The finalizer of SplitMix64: each bit of the input changes half of the output's.
const fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// The position of the less busy of the first two that are not refused.
fn less_busy_of_two(members: &[Member], order: &[usize]) -> Option<usize> {
    let able = order.iter().enumerate().filter(|(_, index)| !members[**index].is_refused);
    able.take(2).min_by_key(|(_, index)| members[**index].in_flight).map(|(position, _)| position)
}

fn is_busy(members: &[Member], index: usize) -> bool {
    let able = members.iter().filter(|member| !member.is_refused);
    let (count, total) = able.fold((0, 0), |(count, total), member| (count + 1, total + member.in_flight));
    let in_flight = members[index].in_flight;
    // With the call that is to be placed.
    let bound = (MAX_SHARE_PERCENT * (total + 1)).div_ceil(100 * count.max(1));
    in_flight >= ALWAYS_ALLOWED && in_flight + 1 > bound
}

#[cfg(test)]
mod simulation;

#[cfg(test)]
mod tests {
    use super::*;

    fn members(in_flight: &[u64], refused: &[usize]) -> Vec<Member> {
        let member = |(index, &in_flight): (usize, &u64)| Member {
            hash: mix(index as u64 + 1),
            in_flight,
            is_refused: refused.contains(&index),
        };
        in_flight.iter().enumerate().map(member).collect()
    }

    #[test]
    fn every_member_is_in_the_order_once() {
        for conversation in (0..100).map(Some).chain([None]) {
            let mut order = order(&members(&[9, 0, 3, 5], &[2]), conversation, 7);
            order.sort_unstable();
            assert_eq!(order, [0, 1, 2, 3]);
        }
    }

    #[test]
    fn a_conversation_stays_and_moves_only_from_the_one_that_is_away() {
        let all = members(&[0; 4], &[]);
        for conversation in 0..1_000 {
            let before = order(&all, Some(conversation), 1);
            assert_eq!(before, order(&all, Some(conversation), 2), "nothing random");
            // Without one member, the others keep their order.
            for away in 0..4 {
                let others: Vec<_> = (0..4).filter(|&index| index != away).collect();
                let left: Vec<_> = others.iter().map(|&index| all[index]).collect();
                let after: Vec<_> =
                    order(&left, Some(conversation), 1).into_iter().map(|index| others[index]).collect();
                let expected: Vec<_> = before.iter().copied().filter(|&index| index != away).collect();
                assert_eq!(after, expected);
            }
        }
    }

    #[test]
    fn conversations_are_spread_evenly() {
        let mut counts = [0_u32; 4];
        for conversation in 0..40_000 {
            counts[order(&members(&[0; 4], &[]), Some(conversation), 0)[0]] += 1;
        }
        assert!(counts.iter().all(|count| (9_600..10_400).contains(count)), "{counts:?}");
    }

    #[test]
    fn a_busy_member_is_passed_over_for_the_next_of_the_same_conversation() {
        let table = [
            // Few calls: the cache is worth more.
            ([7, 0, 0, 0], false),
            ([8, 0, 0, 0], true),
            // Half as much again as its share.
            ([10, 10, 10, 10], false),
            ([18, 10, 10, 10], false),
            ([19, 10, 10, 10], true),
        ];
        for (in_flight, moves) in table {
            let idle = members(&[0; 4], &[]);
            let conversation = (0..).find(|&key| order(&idle, Some(key), 0)[0] == 0).unwrap();
            let second = order(&idle, Some(conversation), 0)[1];
            let first = order(&members(&in_flight, &[]), Some(conversation), 0)[0];
            assert_eq!(first, if moves { second } else { 0 }, "{in_flight:?}");
        }
    }

    #[test]
    fn a_refused_member_has_no_share_and_keeps_its_place() {
        // Three carry what four did: none of them is busy by that.
        let busy = members(&[0, 16, 16, 18], &[0]);
        for conversation in 0..1_000 {
            let idle = members(&[0; 4], &[]);
            assert_eq!(order(&busy, Some(conversation), 0), order(&idle, Some(conversation), 0));
        }
    }

    #[test]
    fn a_call_of_no_conversation_goes_to_the_less_busy_of_two() {
        let mut counts = [0_u32; 4];
        for random in 0..4_000 {
            counts[order(&members(&[0, 5, 5, 5], &[]), None, random)[0]] += 1;
        }
        // The idle one whenever it is drawn: twice its share, and no herd.
        assert!((1_900..2_100).contains(&counts[0]), "{counts:?}");
        assert!(order(&members(&[0, 5], &[0]), None, 3)[0] == 1, "a refused one is not drawn");
    }
}
