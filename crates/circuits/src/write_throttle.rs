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
const FREE_WRITES: u32 = 10;

/// A turn comes so many times [`crate::Pacing::counts`] after the last change, or up to twice that.
const SLOT_FACTOR: u32 = 5;

/// Nobody waits longer for a turn than so many times [`crate::Pacing::counts`], however busy the others are.
const MAX_DELAY_FACTOR: u32 = 300;

/// What an instance has seen of the others' writing. A change of state begins it anew.
#[derive(Debug, Default)]
pub(crate) struct WriteThrottle {
    /// Each change moves it ahead by a turn, time lets it fall back.
    theoretical_arrival: Option<Instant>,
    /// Not before then is it this instance's turn.
    next_slot: Option<Instant>,
    /// Since when it has waited for its turn.
    waiting_since: Option<Instant>,
}

impl WriteThrottle {
    /// Another instance has changed the counts. `share` is by chance, in [0, 1).
    pub(crate) fn on_other_write(&mut self, write_interval: Duration, random_unit: f64) {
        let now = Instant::now();
        let (slot, burst) = (write_interval * SLOT_FACTOR, write_interval * SLOT_FACTOR * FREE_WRITES);
        let previous = self.theoretical_arrival.map_or(now, |arrival| arrival.max(now)) + slot;
        self.theoretical_arrival = Some(previous.min(now + burst + slot));
        if previous > now + burst {
            let latest_slot = *self.waiting_since.get_or_insert(now) + write_interval * MAX_DELAY_FACTOR;
            self.next_slot = Some(latest_slot.min(now + slot.mul_f64(1.0 + random_unit)));
        } else {
            (self.next_slot, self.waiting_since) = (None, None);
        }
    }

    /// This instance has written; where others wait it goes to the end of them.
    pub(crate) fn on_own_write(&mut self, write_interval: Duration, random_unit: f64) {
        if self.next_slot.is_some() {
            let now = Instant::now();
            self.next_slot = Some(now + (write_interval * SLOT_FACTOR).mul_f64(1.0 + random_unit));
            self.waiting_since = Some(now);
        }
    }

    /// How long until it is this instance's turn; zero: now.
    pub(crate) fn delay(&self) -> Duration {
        self.next_slot.map_or(Duration::ZERO, |slot| slot.saturating_duration_since(Instant::now()))
    }
}
