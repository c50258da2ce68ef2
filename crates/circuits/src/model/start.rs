//! The first state of an exploration, made by real steps.

use super::{
    bounds::{CallEnd, Disturbances, INSTANCES, Start},
    interner::StoreContent,
    world::{Action, Model, Node, Observed, World},
};
use crate::store::HistoryTail;

impl Model {
    pub(super) fn initial_world(&mut self) -> World {
        let node = Node {
            mirror: self.interner.unloaded_mirror(),
            connected: true,
            clock_jumped: false,
            requests: Vec::new(),
            pending_read: None,
        };
        let mut world = World {
            moment: 0,
            store: StoreContent { value: None, history: HistoryTail::Absent },
            nodes: [0; INSTANCES].map(|_| node.clone()),
            calls: Vec::new(),
            in_flight_write: None,
            calls_started: 0,
            used_disturbances: Disturbances::default(),
            observed: Observed::default(),
        };
        for action in setup_actions(self.bounds.start) {
            world = self.step(&world, action).unwrap();
        }
        world.calls_started = 0;
        let Observed { epoch, history_epoch, epochs_without_history, previous_value, .. } = world.observed;
        world.observed =
            Observed { epoch, history_epoch, epochs_without_history, previous_value, ..Observed::default() };
        world
    }
}

/// The steps that lead to the state at the start.
fn setup_actions(start: Start) -> Vec<Action> {
    let begin = [Action::Call(0), Action::Write(0), Action::Write(0), Action::Read(1), Action::Read(2)];
    let late = [Action::Call(0), Action::Call(1)];
    let trip = [
        Action::Call(2),
        Action::Call(2),
        // The last instance's calls come last.
        Action::End(u8::MAX, CallEnd::Fails),
        Action::End(u8::MAX, CallEnd::Fails),
        Action::Write(2),
        Action::Read(0),
        Action::Read(1),
    ];
    match start {
        Start::Empty => Vec::new(),
        Start::Closed => begin.to_vec(),
        Start::Open => [begin.as_slice(), &trip].concat(),
        Start::OpenWithCallsInFlight => [begin.as_slice(), &late, &trip].concat(),
    }
}
