//! Waiting for circuits: for the end of a cooldown that a call waits out, and for a circuit that admits calls soon.

use std::time::Duration;

use breaker::ModelKey;
use circuits::{Circuits, Refusal};
use futures_util::future::select_all;
use tokio::time::{Instant, timeout_at};

/// How much later than announced a circuit may admit calls: its times are another clock's, in whole milliseconds.
const CLOCK_SLACK: Duration = Duration::from_millis(250);

/// The shortest wait, so that no circuit is tried twice at the same instant.
const MIN_WAIT: Duration = Duration::from_millis(1);

/// How often to check for a probe's outcome. A change is notified as well, but not one between the refusal and the start
/// of the wait.
const PROBE_RECHECK_INTERVAL: Duration = Duration::from_millis(250);

/// The rest of a cooldown that a call has waited out by its own clock, if the circuit's clock is a little behind.
pub(crate) fn remaining_cooldown(refusal: &Refusal, cooldown_end: Option<Instant>) -> Option<Duration> {
    let wait = refusal.retry_in()?.max(MIN_WAIT);
    let near = !refusal.probing && Instant::now() + wait <= cooldown_end? + CLOCK_SLACK;
    near.then_some(wait)
}

/// The time that a call may wait for circuits: `max_retry_after` from the first wait on, and not beyond its deadline.
pub(crate) struct WaitBudget {
    max_retry_after: Duration,
    deadline: Instant,
    /// Set at the first wait.
    expires_at: Option<Instant>,
}

impl WaitBudget {
    pub(crate) const fn new(max_retry_after: Duration, deadline: Instant) -> Self {
        Self { max_retry_after, deadline, expires_at: None }
    }

    /// Waits until one of these circuits may admit calls: its retry is due, or it has changed (a probe had its outcome).
    /// Returns `false` without a wait if that is too far off.
    pub(crate) async fn wait_for_any<'a>(
        &mut self,
        refusals: impl Iterator<Item = (&'a ModelKey, &'a Refusal)>,
        circuits: &Circuits,
    ) -> bool {
        let now = Instant::now();
        let expires_at = *self.expires_at.get_or_insert(now + self.max_retry_after);
        let refusals: Vec<_> = refusals.collect();
        let until = refusals.iter().filter_map(|(_, refusal)| next_check(refusal, now, expires_at)).min();
        let Some(until) = until.filter(|until| *until < self.deadline) else { return false };
        let changes = refusals.iter().map(|(key, _)| Box::pin(circuits.changed(key)));
        // The next round finds out which of the two it was.
        let _ = timeout_at(until, select_all(changes)).await;
        true
    }
}

/// When to try a circuit again; `None`: not before `expires_at`.
fn next_check(refusal: &Refusal, now: Instant, expires_at: Instant) -> Option<Instant> {
    if refusal.probing {
        return (now < expires_at).then(|| expires_at.min(now + PROBE_RECHECK_INTERVAL));
    }
    let due = now + refusal.retry_in()?.max(MIN_WAIT);
    Some(due).filter(|due| *due <= expires_at + CLOCK_SLACK)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn refusal(retry_in: Option<u64>, probing: bool) -> Refusal {
        let record = Arc::new(breaker::Record::closed(1));
        let retry_in = retry_in.map(Duration::from_millis);
        Refusal::new(record, retry_in, probing)
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_near_retry_is_waited_for() {
        let (now, second) = (Instant::now(), Duration::from_secs(1));
        let table = [
            (refusal(Some(900), false), Some(900)),
            (refusal(Some(0), false), Some(1)),
            (refusal(Some(1_250), false), Some(1_250)),
            (refusal(Some(1_251), false), None),
            (refusal(None, false), None),
            (refusal(Some(60_000), true), Some(250)),
            (refusal(None, true), Some(250)),
        ];
        for (refusal, expected) in table {
            let due = next_check(&refusal, now, now + second).map(|due| due - now);
            assert_eq!(due, expected.map(Duration::from_millis), "{refusal:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_wait_for_a_probe_is_bounded() {
        let (now, brief) = (Instant::now(), Duration::from_millis(40));
        assert_eq!(next_check(&refusal(Some(5), true), now, now + brief), Some(now + brief));
        assert_eq!(next_check(&refusal(Some(5), true), now, now), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_cooldown_is_waited_out_by_the_circuits_clock() {
        let ends = Instant::now();
        assert_eq!(
            remaining_cooldown(&refusal(Some(40), false), Some(ends)),
            Some(Duration::from_millis(40))
        );
        assert_eq!(
            remaining_cooldown(&refusal(Some(5_000), false), Some(ends)),
            None,
            "a longer cooldown since"
        );
        assert_eq!(remaining_cooldown(&refusal(Some(40), true), Some(ends)), None, "another call probes");
        assert_eq!(remaining_cooldown(&refusal(Some(40), false), None), None, "not a cooldown of this call");
    }
}
