//! The explorer: every state that can be reached, breadth first, so that a counterexample is a shortest one.
//!
//! Own code, not `stateright`: its `eventually` does not report a path that ends in a cycle as a counterexample (its docs
//! call that "a false negative"), and little is needed. A state is remembered by its 64-bit hash alone, as there.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
};

use super::world::{Action, Model, Violation, World};

/// The size of an exploration.
#[derive(Debug, Clone, Copy)]
pub(super) struct Explored {
    pub(super) states: usize,
    pub(super) steps: usize,
    /// States in which no automatic step is left.
    pub(super) quiescent: usize,
    /// Steps of the longest shortest path to a state.
    pub(super) depth: usize,
}

/// How a rule can be broken.
pub(super) struct Counterexample {
    pub(super) violation: Violation,
    pub(super) steps: Vec<String>,
}

/// A state that was found: how it was reached, and how far it is from the start.
struct VisitedState {
    parent: u32,
    by: Option<Action>,
    depth: u16,
}

#[derive(Default)]
struct Search {
    state_ids: HashMap<u64, u32>,
    visited: Vec<VisitedState>,
    queue: VecDeque<(u32, World)>,
    /// The automatic steps between states.
    automatic_steps: Vec<(u32, u32)>,
}

impl Search {
    fn visit(&mut self, world: World, from: u32, by: Option<Action>) -> u32 {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(&world);
        if let Some(number) = self.state_ids.get(&hash) {
            return *number;
        }
        let number = u32::try_from(self.visited.len()).unwrap();
        let depth = by.map_or(0, |_| self.visited[from as usize].depth + 1);
        self.state_ids.insert(hash, number);
        self.visited.push(VisitedState { parent: from, by, depth });
        self.queue.push_back((number, world));
        number
    }

    fn path_to(&self, mut number: u32) -> Vec<Action> {
        let mut path = Vec::new();
        while let VisitedState { parent: from, by: Some(action), .. } = self.visited[number as usize] {
            path.push(action);
            number = from;
        }
        path.reverse();
        path
    }
}

/// Explores everything within the model's bounds.
pub(super) fn explore(model: &mut Model) -> Result<Explored, Counterexample> {
    let mut search = Search::default();
    let (mut steps, mut quiescent) = (0, 0);
    let start = model.initial_world();
    search.visit(start, 0, None);
    while let Some((number, world)) = search.queue.pop_front() {
        let is_quiescent = model.automatic_steps(&world).is_empty();
        if is_quiescent {
            quiescent += 1;
            if let Err((broken, after)) = model.check_recovery(&world) {
                return Err(counterexample(model, &search, number, &after, broken));
            }
        }
        for action in model.actions(&world) {
            let next = match model.step(&world, action) {
                Ok(next) => next,
                Err(broken) => return Err(counterexample(model, &search, number, &[action], broken)),
            };
            if next == world {
                continue;
            }
            steps += 1;
            let next = search.visit(next, number, Some(action));
            if action.is_automatic() {
                search.automatic_steps.push((number, next));
            }
        }
    }
    if let Some(number) = find_cycle(search.visited.len(), &search.automatic_steps) {
        let broken = "automatic steps can go on forever".to_owned();
        return Err(counterexample(model, &search, number, &[], broken));
    }
    let depth = search.visited.iter().map(|found| usize::from(found.depth)).max().unwrap_or(0);
    Ok(Explored { states: search.visited.len(), steps, quiescent, depth })
}

/// A state from which automatic steps need not end; `None`: they end on every path.
fn find_cycle(states: usize, steps: &[(u32, u32)]) -> Option<u32> {
    let mut entries = vec![0u32; states];
    let mut first = vec![0u32; states + 1];
    for (from, to) in steps {
        entries[*to as usize] += 1;
        first[*from as usize + 1] += 1;
    }
    for state in 0..states {
        first[state + 1] += first[state];
    }
    // States are expanded in the order of their numbers, so the steps are sorted by where they begin.
    let mut ready: Vec<usize> = (0..states).filter(|state| entries[*state] == 0).collect();
    let mut left = states;
    while let Some(state) = ready.pop() {
        left -= 1;
        for (_, to) in &steps[first[state] as usize..first[state + 1] as usize] {
            let to = *to as usize;
            entries[to] -= 1;
            if entries[to] == 0 {
                ready.push(to);
            }
        }
    }
    let on_it = entries.iter().position(|entries| *entries > 0).filter(|_| left > 0);
    on_it.map(|state| u32::try_from(state).unwrap())
}

/// Follows the path again and describes it.
fn counterexample(
    model: &mut Model,
    search: &Search,
    number: u32,
    after: &[Action],
    broken: Violation,
) -> Counterexample {
    let mut path = search.path_to(number);
    path.extend(after);
    let mut world = model.initial_world();
    let mut steps = Vec::new();
    for action in path {
        let description = model.describe_action(&world, action);
        match model.step(&world, action) {
            Ok(next) => {
                steps.push(format!("{description:<28} {}", model.describe_state(&next)));
                world = next;
            }
            Err(broken) => steps.push(format!("{description:<28} {broken}")),
        }
    }
    Counterexample { violation: broken, steps }
}

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, after {} steps:", self.violation, self.steps.len())?;
        for (number, step) in self.steps.iter().enumerate() {
            writeln!(f, "  {:>2} {step}", number + 1)?;
        }
        Ok(())
    }
}
