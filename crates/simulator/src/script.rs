//! What the calls to one model meet, one after the other.

use std::collections::VecDeque;

use crate::Behaviour;

/// A queue of behaviours, one a call, and the one that follows for good.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    queue: VecDeque<Behaviour>,
    then: Behaviour,
}

impl Script {
    /// Every call meets this.
    #[must_use]
    pub fn always(behaviour: impl Into<Behaviour>) -> Self {
        Self { queue: VecDeque::new(), then: behaviour.into() }
    }

    /// The first `calls` meet this, later ones a good answer, unless [`Script::then`] says otherwise.
    #[must_use]
    pub fn first(calls: usize, behaviour: impl Into<Behaviour>) -> Self {
        let behaviour = behaviour.into();
        Self::sequence(std::iter::repeat_n(behaviour, calls))
    }

    /// The calls meet these in turn, later ones a good answer, unless [`Script::then`] says otherwise.
    #[must_use]
    pub fn sequence(behaviours: impl IntoIterator<Item = Behaviour>) -> Self {
        Self { queue: behaviours.into_iter().collect(), then: Behaviour::ok() }
    }

    /// What the calls after the queue meet.
    #[must_use]
    pub fn then(mut self, behaviour: impl Into<Behaviour>) -> Self {
        self.then = behaviour.into();
        self
    }

    pub(crate) fn next(&mut self) -> Behaviour {
        self.queue.pop_front().unwrap_or_else(|| self.then.clone())
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
    fn a_queue_is_used_up_in_order_and_then_the_rest_follows() {
        let mut script = Script::sequence([Fault::Hang.into(), Behaviour::ok().words(7)]).then(Fault::Reset);
        let met: Vec<Behaviour> = (0..4).map(|_| script.next()).collect();
        assert_eq!(
            met,
            [Fault::Hang.into(), Behaviour::ok().words(7), Fault::Reset.into(), Fault::Reset.into()]
        );
    }

    #[test]
    fn after_the_first_calls_all_is_well() {
        let mut script = Script::first(2, Fault::Empty);
        let met: Vec<Behaviour> = (0..3).map(|_| script.next()).collect();
        assert_eq!(met, [Fault::Empty.into(), Fault::Empty.into(), Behaviour::ok()]);
    }
}
