//! The behaviours of successive calls to one model.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::behaviour::Behaviour;

/// A queue of behaviours, one per call, and what follows after it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    queue: VecDeque<Behaviour>,
    after_queue: AfterQueue,
}

/// What follows after the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
enum AfterQueue {
    Always(Behaviour),
    /// `good` calls without the fault, `bad` calls with it, and again.
    FlappingByCalls {
        good: usize,
        bad: usize,
        behaviour: Behaviour,
        calls_made: usize,
    },
    /// The same by time, from the first call on.
    FlappingByTime {
        good: Duration,
        bad: Duration,
        behaviour: Behaviour,
        started_at: Option<Instant>,
    },
}

impl Default for AfterQueue {
    fn default() -> Self {
        Self::Always(Behaviour::ok())
    }
}

impl Script {
    /// Every call has this behaviour.
    #[must_use]
    pub fn always(behaviour: impl Into<Behaviour>) -> Self {
        Self { queue: VecDeque::new(), after_queue: AfterQueue::Always(behaviour.into()) }
    }

    /// The first `calls` have this behaviour, later ones succeed, unless [`Script::then`] says otherwise.
    #[must_use]
    pub fn first(calls: usize, behaviour: impl Into<Behaviour>) -> Self {
        let behaviour = behaviour.into();
        Self::sequence(std::iter::repeat_n(behaviour, calls))
    }

    /// The calls have these behaviours in order, later ones succeed, unless [`Script::then`] says otherwise.
    #[must_use]
    pub fn sequence(behaviours: impl IntoIterator<Item = Behaviour>) -> Self {
        Self { queue: behaviours.into_iter().collect(), after_queue: AfterQueue::default() }
    }

    /// Calls succeed for `good_for`, have this behaviour for `bad_for`, and again: by tokio's time, from the first call on.
    #[must_use]
    pub fn flapping(good_for: Duration, bad_for: Duration, behaviour: impl Into<Behaviour>) -> Self {
        let behaviour = behaviour.into();
        let then = AfterQueue::FlappingByTime { good: good_for, bad: bad_for, behaviour, started_at: None };
        Self { queue: VecDeque::new(), after_queue: then }
    }

    /// `good` calls succeed, `bad` ones have this behaviour, and again.
    #[must_use]
    pub fn flapping_by_calls(good: usize, bad: usize, behaviour: impl Into<Behaviour>) -> Self {
        let then = AfterQueue::FlappingByCalls { good, bad, behaviour: behaviour.into(), calls_made: 0 };
        Self { queue: VecDeque::new(), after_queue: then }
    }

    /// Sets the behaviour of the calls after the queue.
    #[must_use]
    pub fn then(mut self, behaviour: impl Into<Behaviour>) -> Self {
        self.after_queue = AfterQueue::Always(behaviour.into());
        self
    }

    pub(crate) fn next(&mut self) -> Behaviour {
        self.queue.pop_front().unwrap_or_else(|| self.after_queue.next())
    }
}

impl AfterQueue {
    fn next(&mut self) -> Behaviour {
        let (behaviour, is_good) = match self {
            Self::Always(behaviour) => return behaviour.clone(),
            Self::FlappingByCalls { good, bad, behaviour, calls_made: call } => {
                let is_good = *call < *good;
                *call = (*call + 1) % (*good + *bad).max(1);
                (behaviour, is_good)
            }
            Self::FlappingByTime { good, bad, behaviour, started_at } => {
                let passed = started_at.get_or_insert_with(Instant::now).elapsed();
                let phase = passed.as_nanos() % (*good + *bad).as_nanos().max(1);
                (behaviour, phase < good.as_nanos())
            }
        };
        if is_good { Behaviour { fault: None, ..behaviour.clone() } } else { behaviour.clone() }
    }
}

impl<B: Into<Behaviour>> From<B> for Script {
    fn from(behaviour: B) -> Self {
        Self::always(behaviour)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fault;

    #[test]
    fn a_queue_is_used_in_order_and_then_the_script_goes_on() {
        let mut script = Script::sequence([Fault::Hang.into(), Behaviour::ok().words(7)]).then(Fault::Reset);
        let behaviours: Vec<Behaviour> = (0..4).map(|_| script.next()).collect();
        assert_eq!(
            behaviours,
            [Fault::Hang.into(), Behaviour::ok().words(7), Fault::Reset.into(), Fault::Reset.into()]
        );
    }

    #[test]
    fn calls_after_the_first_succeed() {
        let mut script = Script::first(2, Fault::Empty);
        let behaviours: Vec<Behaviour> = (0..3).map(|_| script.next()).collect();
        assert_eq!(behaviours, [Fault::Empty.into(), Fault::Empty.into(), Behaviour::ok()]);
    }

    #[test]
    fn flapping_by_calls_begins_good_and_never_ends() {
        let mut script = Script::flapping_by_calls(2, 1, Behaviour::ok().words(7).with(Fault::Empty));
        let faults: Vec<bool> = (0..7).map(|_| script.next().fault.is_some()).collect();
        assert_eq!(faults, [false, false, true, false, false, true, false]);
        assert_eq!(script.next().words, 7, "a good response is the same without the fault");
    }

    #[tokio::test(start_paused = true)]
    async fn flapping_by_time_begins_with_the_first_call() {
        let seconds = Duration::from_secs;
        let mut script = Script::flapping(seconds(3), seconds(1), Fault::Empty);
        tokio::time::advance(seconds(3)).await;
        let mut faults = Vec::new();
        for _ in 0..9 {
            faults.push(script.next().fault.is_some());
            tokio::time::advance(seconds(1)).await;
        }
        assert_eq!(faults, [false, false, false, true, false, false, false, true, false]);
    }
}
