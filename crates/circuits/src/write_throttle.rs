//! Throttling of writes when many instances want to write counts.
//!
//! Every write of a circuit makes every instance read it. A fleet in which each of n instances writes what it counts
//! would cost n² reads. Counts that cannot trip are not urgent. So once a circuit's counts have changed often, an instance
//! waits until nobody has written for a while. Then one random instance writes all that it has gathered; the others read
//! that and wait again. Such a circuit is written equally often whatever the number of instances, so a fleet's cost is
//! proportional to its size.
//!
//! A success that resets consecutive failures bypasses the throttle, and so does a trip. But counts that are reported
//! later are known later: where many instances count, an outage is detected after one to three seconds. Where all
//! instances already wait, because a model has been failing now and then, the failure rate is that of the instance whose
//! slot comes first: a sample.

use std::time::Duration;

use tokio::time::Instant;

/// Changes of counts by others that cause no waiting.
const FREE_WRITES: u32 = 10;

/// A slot comes this many times [`Timing::count_write_interval`](crate::Timing::count_write_interval) after the last
/// change, or up to twice that.
const SLOT_FACTOR: u32 = 5;

/// No instance waits longer for its slot than this many times
/// [`Timing::count_write_interval`](crate::Timing::count_write_interval), however busy the others are.
const MAX_DELAY_FACTOR: u32 = 300;

/// What an instance has seen of the others' writes. A change of state resets it.
#[derive(Debug, Default)]
pub(crate) struct WriteThrottle {
    /// Each change moves it ahead by a slot; time lets it fall back.
    theoretical_arrival: Option<Instant>,
    /// This instance does not write before then.
    next_slot: Option<Instant>,
    /// Since when it has waited for its slot.
    waiting_since: Option<Instant>,
}

impl WriteThrottle {
    /// Another instance has changed the counts. `random_unit` is random, in [0, 1).
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

    /// This instance has written; if others wait, it lines up behind them.
    pub(crate) fn on_own_write(&mut self, write_interval: Duration, random_unit: f64) {
        if self.next_slot.is_some() {
            let now = Instant::now();
            self.next_slot = Some(now + (write_interval * SLOT_FACTOR).mul_f64(1.0 + random_unit));
            self.waiting_since = Some(now);
        }
    }

    /// How long until this instance's slot; zero: now.
    pub(crate) fn delay(&self) -> Duration {
        self.next_slot.map_or(Duration::ZERO, |slot| slot.saturating_duration_since(Instant::now()))
    }
}
