//! Whose turn it is to write counts, where many want to.
//!
//! Every write of a circuit makes every instance read it. A fleet in which each of n instances writes what it counts
//! would so cost n² reads. Counts that cannot trip are in no hurry, so once a circuit's counts have changed often they
//! wait until nobody has written for a while; then one instance, by chance, writes all that it has gathered, and the others,
//! who read that, wait anew. However many instances there are, such a circuit is written about as often, and a fleet costs
//! in proportion to its size.
//!
//! That a success has ended a row is told out of turn.
//!
//! What trips does not wait. But what is told later is known later: where many count, a dead model is found out after one
//! to three seconds. Where everybody waits already, because a model has been failing now and then for some time, the rate is
//! that of whom the turn falls on: a sample.

use std::time::Duration;

use tokio::time::Instant;

/// So many changes of counts by others are free.
const FREE: u32 = 10;

/// A turn comes so many times [`crate::Pacing::counts`] after the last change, or up to twice that.
const TURN: u32 = 5;

/// What an instance has seen of the others' writing. A change of state begins it anew.
#[derive(Debug, Default)]
pub(crate) struct Crowd {
    /// Each change moves it ahead by a turn, time lets it fall back.
    ahead: Option<Instant>,
    /// Not before then is it this instance's turn.
    turn: Option<Instant>,
}

impl Crowd {
    /// Another instance has changed the counts. `share` is by chance, in [0, 1).
    pub(crate) fn changed(&mut self, counts: Duration, share: f64) {
        let now = Instant::now();
        let (turn, free) = (counts * TURN, counts * TURN * FREE);
        let ahead = self.ahead.map_or(now, |ahead| ahead.max(now)) + turn;
        self.ahead = Some(ahead.min(now + free + turn));
        self.turn = (ahead > now + free).then(|| now + turn.mul_f64(1.0 + share));
    }

    /// This instance has written; where others wait it goes to the end of them.
    pub(crate) fn wrote(&mut self, counts: Duration, share: f64) {
        if self.turn.is_some() {
            self.turn = Some(Instant::now() + (counts * TURN).mul_f64(1.0 + share));
        }
    }

    /// How long until it is this instance's turn; zero: now.
    pub(crate) fn wait(&self) -> Duration {
        self.turn.map_or(Duration::ZERO, |turn| turn.saturating_duration_since(Instant::now()))
    }
}
