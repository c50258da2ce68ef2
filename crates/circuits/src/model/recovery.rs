//! What must come about in the end: from every state at rest, with a provider that is well, no more disturbances and
//! time that passes, the circuit closes and all instances agree (B3, L1, L3).
//!
//! Every path leads to a state at rest, since the steps that come by themselves cannot go on for ever (the explorer
//! shows that of the whole graph). So it is enough to go on from those. Whoever comes first, and whether the calls
//! under way still end or their holders are silent for ever, makes no difference: each is tried.

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};

use breaker::Phase;

use super::{
    bounds::{Disturbances, End, INSTANCES},
    world::{Action, Broken, Call, Model, World},
};

/// The circuit must close within so many moments after the last, of 600 ms each: the longest open period or a lease,
/// and one more for the probe.
const MOMENTS: u8 = 4;

/// More calls than a recovery can need.
const CALLS: u8 = 40;

/// What is broken, and the steps that were taken to find out.
pub(super) type BrokenAfter = (Broken, Vec<Action>);

impl Model {
    /// What must hold of a state at rest, and come about from it.
    pub(super) fn check_rest(&mut self, world: &World) -> Result<(), BrokenAfter> {
        self.check_at_rest(world).map_err(|broken| (broken, Vec::new()))?;
        let forced = self
            .minds
            .record(world.store.value)
            .is_some_and(|record| matches!(record.phase, Phase::Forced { until: None }));
        if forced {
            return Ok(());
        }
        let mut quiet = World { tried: self.bounds.calls, ..world.clone() };
        // What else was spent makes no difference from here on.
        quiet.spent =
            Disturbances { crashes: 0, cuts: 0, silences: 0, slow_reads: 0, jumps: 0, ..world.spent };
        quiet.seen.failures = 0;
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(&quiet);
        if !self.recovered.insert(hash) {
            return Ok(());
        }
        let calls = std::mem::replace(&mut self.bounds.calls, CALLS);
        let counts = std::mem::take(&mut self.bounds.counts);
        let recovered = [[0, 1, 2], [1, 2, 0], [2, 0, 1]]
            .into_iter()
            .flat_map(|order| [(order, true), (order, false)])
            .filter(|(_, silent)| *silent || !world.calls.is_empty())
            .try_for_each(|(order, silent)| Recovery::of(self, &quiet).run(order, silent));
        (self.bounds.calls, self.bounds.counts) = (calls, counts);
        recovered
    }
}

struct Recovery<'a> {
    model: &'a mut Model,
    world: World,
    way: Vec<Action>,
}

impl<'a> Recovery<'a> {
    fn of(model: &'a mut Model, world: &World) -> Self {
        Self { model, world: world.clone(), way: Vec::new() }
    }

    fn run(mut self, order: [u8; INSTANCES], silent: bool) -> Result<(), BrokenAfter> {
        let last = u8::try_from(self.model.bounds.moments.len()).unwrap() - 1 + MOMENTS;
        if !silent {
            while !self.world.calls.is_empty() {
                self.take(Action::End(0, End::Succeeds))?;
            }
        }
        loop {
            self.settle()?;
            for node in order {
                self.call(node)?;
            }
            let store = self.world.store.value;
            // A text that is no circuit counts as closed, and stands until something changes.
            let closed = match self.model.minds.record(store) {
                Some(record) => matches!(record.phase, Phase::Closed),
                None => store.is_some(),
            };
            if closed {
                return self.model.check_at_rest(&self.world).map_err(|broken| (broken, self.way));
            }
            if self.world.moment >= last {
                return Err((
                    "B3: the provider is well, and the circuit does not close".to_owned(),
                    self.way,
                ));
            }
            self.take(Action::Tick)?;
        }
    }

    /// One call, from the question to the end of it.
    fn call(&mut self, node: u8) -> Result<(), BrokenAfter> {
        let tried = self.world.tried;
        for _ in 0..2 {
            if self.model.may_call(&self.world, node) {
                self.take(Action::Call(node))?;
                self.settle()?;
            }
        }
        let own = |call: &Call| call.node == node && (call.call == tried || call.lease.is_none());
        if let Some(place) = self.world.calls.iter().position(own) {
            self.take(Action::End(u8::try_from(place).unwrap(), End::Succeeds))?;
        }
        self.settle()
    }

    fn settle(&mut self) -> Result<(), BrokenAfter> {
        for _ in 0..100 {
            let Some(action) = self.model.own_steps(&self.world).first().copied() else { return Ok(()) };
            self.take(action)?;
        }
        Err(("L4: what comes by itself does not end".to_owned(), std::mem::take(&mut self.way)))
    }

    fn take(&mut self, action: Action) -> Result<(), BrokenAfter> {
        self.way.push(action);
        match self.model.step(&self.world, action) {
            Ok(next) => self.world = next,
            Err(broken) => return Err((broken, std::mem::take(&mut self.way))),
        }
        Ok(())
    }
}
