//! Steps and states as text, for a counterexample.

use breaker::Phase;

use super::{
    interner::describe_call,
    world::{Action, Model, World},
};
use crate::mirror::StoredValue;

impl Model {
    pub(super) fn describe_action(&self, world: &World, action: Action) -> String {
        let name = |node: u8| &self.interner.instances[usize::from(node)];
        match action {
            Action::Call(node) => format!("{} calls", name(node)),
            Action::End(place, end) => {
                let call = &world.calls[usize::from(place)];
                format!("{} of {} {end:?}", describe_call(call.call), name(call.node))
            }
            Action::Write(node) => format!("{} writes", name(node)),
            Action::Read(node) => format!("{} reads", name(node)),
            Action::ReadSlowly(node) => format!("{} reads slowly", name(node)),
            Action::ApplyRead(node) => format!("{} applies what it read", name(node)),
            Action::Reconnect(node) => format!("{} reconnects", name(node)),
            Action::DeliverWrite => "the late write arrives".to_owned(),
            Action::Tick => "time advances".to_owned(),
            Action::Crash(node) => format!("{} crashes", name(node)),
            Action::Disconnect(node) => format!("{} loses the store", name(node)),
            Action::TimeOutWrite(node) => format!("{} times out on a write", name(node)),
            Action::ClockJump(node) => format!("{}'s clock jumps", name(node)),
            Action::External(write) => format!("external {write:?}"),
            Action::Flush => "the store loses everything".to_owned(),
            Action::Operator(node, command) => format!("{} gets the command {command:?}", name(node)),
        }
    }

    pub(super) fn describe_state(&self, world: &World) -> String {
        let since = self.time(world).as_millis() % 1_000_000;
        let stored = match self.interner.parse_record(world.store.value) {
            Some(record) => describe_record(record),
            None if world.store.value.is_some() => "invalid".to_owned(),
            None => "nothing".to_owned(),
        };
        let history = world.store.history.state().map_or("none", breaker::State::as_str);
        let mut description = format!("{since:>4} ms | {stored}, history {history}");
        for (index, node) in world.nodes.iter().enumerate() {
            let mirror = self.interner.mirror(node.mirror);
            let mut knows = match (&mirror.stored, mirror.diverged) {
                (_, true) => format!("{} diverged", describe_record(&mirror.record)),
                (StoredValue::NotLoaded | StoredValue::Absent, _) if !mirror.is_loaded() => {
                    "nothing".to_owned()
                }
                _ => describe_record(&mirror.record),
            };
            if !node.connected {
                knows.push_str(", without store");
            }
            if !node.requests.is_empty() {
                knows.push_str(&format!(", {} queued", node.requests.len()));
            }
            description.push_str(&format!(" | {}: {knows}", self.interner.instances[index]));
        }
        description
    }
}

/// The state, the epoch, and what counts in it.
fn describe_record(record: &breaker::Record) -> String {
    let epoch = record.epoch % 1_000_000;
    match &record.phase {
        Phase::Closed => format!("CLOSED #{epoch} failures {}", record.consecutive_failures.count),
        Phase::Open(outage) => format!("OPEN #{epoch} until {}", outage.retry_at.as_millis() % 1_000_000),
        Phase::HalfOpen { leases, .. } => {
            let ids: Vec<_> = leases.iter().map(|lease| lease.id.as_str()).collect();
            format!("HALF_OPEN #{epoch} probes [{}]", ids.join(" "))
        }
        Phase::ForcedOpen { .. } => format!("FORCED #{epoch}"),
    }
}
