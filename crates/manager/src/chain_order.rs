//! The order in which the models of a chain are called, where some are equals.

use crate::{
    ChainEntry,
    attempt::CallContext,
    backoff::random_bits,
    balance::{self, Member},
    conversation::{conversation_hash, hash},
};

/// The indexes of the first `models` models of a chain, with each group of equals in the order for this call (C7).
pub(crate) fn balanced_order(context: &CallContext<'_>, models: usize) -> Vec<usize> {
    let CallContext { chain, call, circuits, source, .. } = *context;
    let conversation = conversation_hash(call);
    let mut order: Vec<_> = (0..models).collect();
    for group in chain.equals.iter().filter(|group| group.end <= models) {
        let member = |entry: &ChainEntry| Member {
            hash: hash([entry.key.as_str().as_bytes()]),
            in_flight: entry.in_flight.as_ref().map_or(0, |in_flight| in_flight.get()),
            is_refused: circuits.would_refuse(&entry.key, entry.circuit.as_ref(), source),
        };
        let members: Vec<_> = chain.entries[group.clone()].iter().map(member).collect();
        let balanced = balance::order(&members, conversation, random_bits());
        for (place, member) in order[group.clone()].iter_mut().zip(balanced) {
            *place = group.start + member;
        }
    }
    order
}
