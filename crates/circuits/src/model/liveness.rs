//! What must come about in the end: from every quiescent state, with a healthy provider, no more disturbances and advancing
//! time, the circuit closes and all instances agree (B3, L1, L3).
//!
//! Every path leads to a quiescent state, since automatic steps cannot go on forever (the explorer shows that for the whole
//! graph). So it is enough to start from those. Which instance comes first, and whether the calls in flight end or never
//! do, must make no difference: each case is tried.

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};

use breaker::Phase;

use super::{
    bounds::{CallEnd, Disturbances, INSTANCES},
    world::{Action, Call, Model, Violation, World},
};

/// The circuit must close within this many moments of 600 ms after the last: the longest open period or a lease, and one
/// more for the probe.
const MAX_MOMENTS_TO_CLOSE: u8 = 4;

/// More calls than a recovery can need.
const MAX_RECOVERY_CALLS: u8 = 40;

/// A violation, and the steps that led to it.
pub(super) type ViolationAfter = (Violation, Vec<Action>);

impl Model {
    /// What must hold in a quiescent state, and come about from it.
    pub(super) fn check_recovery(&mut self, world: &World) -> Result<(), ViolationAfter> {
        self.check_quiescent(world).map_err(|broken| (broken, Vec::new()))?;
        let forced = self
            .interner
            .parse_record(world.store.value)
            .is_some_and(|record| matches!(record.phase, Phase::ForcedOpen { until: None }));
        if forced {
            return Ok(());
        }
        let mut quiet = World { calls_started: self.bounds.calls, ..world.clone() };
        // Which other disturbances happened makes no difference from here on.
        quiet.used_disturbances = Disturbances {
            crashes: 0,
            disconnects: 0,
            write_timeouts: 0,
            slow_reads: 0,
            clock_jumps: 0,
            ..world.used_disturbances
        };
        quiet.observed.failures = 0;
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(&quiet);
        if !self.verified_recoveries.insert(hash) {
            return Ok(());
        }
        let calls = std::mem::replace(&mut self.bounds.calls, MAX_RECOVERY_CALLS);
        let counts = std::mem::take(&mut self.bounds.all_failures_count);
        let recovered = [[0, 1, 2], [1, 2, 0], [2, 0, 1]]
            .into_iter()
            .flat_map(|order| [(order, true), (order, false)])
            .filter(|(_, calls_hang)| *calls_hang || !world.calls.is_empty())
            .try_for_each(|(order, calls_hang)| Recovery::new(self, &quiet).run(order, calls_hang));
        (self.bounds.calls, self.bounds.all_failures_count) = (calls, counts);
        recovered
    }
}

struct Recovery<'a> {
    model: &'a mut Model,
    world: World,
    path: Vec<Action>,
}

impl<'a> Recovery<'a> {
    fn new(model: &'a mut Model, world: &World) -> Self {
        Self { model, world: world.clone(), path: Vec::new() }
    }

    fn run(mut self, order: [u8; INSTANCES], calls_hang: bool) -> Result<(), ViolationAfter> {
        let last = u8::try_from(self.model.bounds.moments.len()).unwrap() - 1 + MAX_MOMENTS_TO_CLOSE;
        if !calls_hang {
            while !self.world.calls.is_empty() {
                self.apply_step(Action::End(0, CallEnd::Succeeds))?;
            }
        }
        loop {
            self.run_to_quiescence()?;
            for node in order {
                self.complete_call(node)?;
            }
            let store = self.world.store.value;
            // An invalid text counts as closed, and stays until something changes.
            let closed = match self.model.interner.parse_record(store) {
                Some(record) => matches!(record.phase, Phase::Closed),
                None => store.is_some(),
            };
            if closed {
                return self.model.check_quiescent(&self.world).map_err(|broken| (broken, self.path));
            }
            if self.world.moment >= last {
                return Err((
                    "B3: the provider is healthy, and the circuit does not close".to_owned(),
                    self.path,
                ));
            }
            self.apply_step(Action::Tick)?;
        }
    }

    /// One call, from admission to its end.
    fn complete_call(&mut self, node: u8) -> Result<(), ViolationAfter> {
        let tried = self.world.calls_started;
        for _ in 0..2 {
            if self.model.may_call(&self.world, node) {
                self.apply_step(Action::Call(node))?;
                self.run_to_quiescence()?;
            }
        }
        let own = |call: &Call| call.node == node && (call.call == tried || call.lease.is_none());
        if let Some(place) = self.world.calls.iter().position(own) {
            self.apply_step(Action::End(u8::try_from(place).unwrap(), CallEnd::Succeeds))?;
        }
        self.run_to_quiescence()
    }

    fn run_to_quiescence(&mut self) -> Result<(), ViolationAfter> {
        for _ in 0..100 {
            let Some(action) = self.model.automatic_steps(&self.world).first().copied() else {
                return Ok(());
            };
            self.apply_step(action)?;
        }
        Err(("L4: automatic steps do not end".to_owned(), std::mem::take(&mut self.path)))
    }

    fn apply_step(&mut self, action: Action) -> Result<(), ViolationAfter> {
        self.path.push(action);
        match self.model.step(&self.world, action) {
            Ok(next) => self.world = next,
            Err(broken) => return Err((broken, std::mem::take(&mut self.path))),
        }
        Ok(())
    }
}
