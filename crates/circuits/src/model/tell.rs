//! Steps and states in words, for a counterexample.

use breaker::Phase;

use super::{
    minds::tell_call,
    world::{Action, Model, World},
};
use crate::mirror::Stored;

impl Model {
    pub(super) fn tell_action(&self, world: &World, action: Action) -> String {
        let name = |node: u8| &self.minds.instances[usize::from(node)];
        match action {
            Action::Call(node) => format!("{} calls", name(node)),
            Action::End(place, end) => {
                let call = &world.calls[usize::from(place)];
                format!("{} of {} {end:?}", tell_call(call.call), name(call.node))
            }
            Action::Write(node) => format!("{} writes", name(node)),
            Action::Read(node) => format!("{} reads", name(node)),
            Action::Listen(node) => format!("{} reads slowly", name(node)),
            Action::Hear(node) => format!("{} takes up what it read", name(node)),
            Action::Return(node) => format!("{} has the store again", name(node)),
            Action::Arrive => "the late write arrives".to_owned(),
            Action::Tick => "time passes".to_owned(),
            Action::Crash(node) => format!("{} crashes", name(node)),
            Action::Cut(node) => format!("{} loses the store", name(node)),
            Action::Silence(node) => format!("{} gives a write up", name(node)),
            Action::Jump(node) => format!("{}'s clock jumps", name(node)),
            Action::Strange(stranger) => format!("a stranger {stranger:?}"),
            Action::Flush => "the store loses all".to_owned(),
            Action::Say(node, word) => format!("{} is told {word:?}", name(node)),
        }
    }

    pub(super) fn tell(&self, world: &World) -> String {
        let since = self.time(world).as_millis() % 1_000_000;
        let stored = match self.minds.record(world.store.value) {
            Some(record) => tell_record(record),
            None if world.store.value.is_some() => "garbage".to_owned(),
            None => "nothing".to_owned(),
        };
        let history = world.store.history.state().map_or("none", breaker::State::as_str);
        let mut told = format!("{since:>4} ms | {stored}, history {history}");
        for (index, node) in world.nodes.iter().enumerate() {
            let mirror = self.minds.mirror(node.mind);
            let mut knows = match (&mirror.stored, mirror.apart) {
                (_, true) => format!("{} apart", tell_record(&mirror.record)),
                (Stored::Unknown | Stored::Absent, _) if !mirror.is_known() => "nothing".to_owned(),
                _ => tell_record(&mirror.record),
            };
            if !node.up {
                knows.push_str(", without store");
            }
            if !node.asks.is_empty() {
                knows.push_str(&format!(", {} waiting", node.asks.len()));
            }
            told.push_str(&format!(" | {}: {knows}", self.minds.instances[index]));
        }
        told
    }
}

/// The state, the epoch since the beginning, and what counts in it.
fn tell_record(record: &breaker::Record) -> String {
    let epoch = record.epoch % 1_000_000;
    match &record.phase {
        Phase::Closed => format!("CLOSED #{epoch} row {}", record.row.failures),
        Phase::Open(outage) => format!("OPEN #{epoch} until {}", outage.retry_at.as_millis() % 1_000_000),
        Phase::HalfOpen { leases, .. } => {
            let ids: Vec<_> = leases.iter().map(|lease| lease.id.as_str()).collect();
            format!("HALF_OPEN #{epoch} probes [{}]", ids.join(" "))
        }
        Phase::Forced { .. } => format!("FORCED #{epoch}"),
    }
}
