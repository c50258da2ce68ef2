//! When the primary fails and when it recovers. The time is an argument.

use std::time::Duration;

use breaker::{State, Transition};

/// Healthy for this long before the first outage.
const FIRST_OUTAGE_DELAY: Duration = Duration::from_secs(3);

/// From the start of one outage to the start of the next.
const OUTAGE_INTERVAL: Duration = Duration::from_secs(40);

/// Healthy for at least this long between two outages.
const MIN_HEALTHY_DURATION: Duration = Duration::from_secs(5);

/// From the failed probe to the recovery, which is then noticed only by the next probe.
const RECOVERY_DELAY: Duration = Duration::from_secs(2);

/// A change of the primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cue {
    /// It starts to fail.
    Fail,
    /// It answers again.
    Recover,
}

/// The current scene. Times count from the start of the demo.
#[derive(Debug)]
pub(super) struct Script {
    outage_start: Duration,
    scene: Scene,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scene {
    /// The primary answers; the next outage starts at this time.
    Healthy { outage_at: Duration },
    /// It fails; no probe has run yet.
    Down,
    /// A probe has failed; it recovers at this time.
    DownAndProbed { recovers_at: Duration },
    /// It answers again, but its circuit does not know yet.
    Recovered,
}

impl Script {
    /// Starts healthy.
    pub(super) const fn begin() -> Self {
        Self { outage_start: Duration::ZERO, scene: Scene::Healthy { outage_at: FIRST_OUTAGE_DELAY } }
    }

    /// The change that is due now, given the transitions since the last call.
    pub(super) fn step(&mut self, now: Duration, transitions: &[Transition]) -> Option<Cue> {
        match self.scene {
            Scene::Healthy { outage_at } if now >= outage_at => {
                self.outage_start = now;
                self.scene = Scene::Down;
                return Some(Cue::Fail);
            }
            Scene::Down if transitions.iter().any(|change| change.from == State::HalfOpen) => {
                self.scene = Scene::DownAndProbed { recovers_at: now + RECOVERY_DELAY };
            }
            Scene::DownAndProbed { recovers_at } if now >= recovers_at => {
                self.scene = Scene::Recovered;
                return Some(Cue::Recover);
            }
            Scene::Recovered if transitions.iter().any(|change| change.to == State::Closed) => {
                self.heal(now);
            }
            Scene::Healthy { .. } | Scene::Down | Scene::DownAndProbed { .. } | Scene::Recovered => {}
        }
        None
    }

    /// The primary is healthy: its circuit has closed, or somebody has healed it. Unless it was so before, the next outage
    /// keeps its distance.
    pub(super) fn heal(&mut self, now: Duration) {
        if !matches!(self.scene, Scene::Healthy { .. }) {
            let outage_at = (self.outage_start + OUTAGE_INTERVAL).max(now + MIN_HEALTHY_DURATION);
            self.scene = Scene::Healthy { outage_at };
        }
    }
}

#[cfg(test)]
mod tests {
    use breaker::{InstanceId, Reason, Timestamp, TransitionCause};

    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn change(from: State, to: State) -> [Transition; 1] {
        let reason = Reason::new(TransitionCause::Status);
        [Transition { from, to, epoch: 1, reason, instance: InstanceId::new("demo"), at: Timestamp::NEVER }]
    }

    #[test]
    fn recovers_after_a_failed_probe_and_fails_again_after_closing() {
        let mut script = Script::begin();
        let opened = change(State::Closed, State::Open);
        let probing = change(State::Open, State::HalfOpen);
        let opened_again = change(State::HalfOpen, State::Open);
        let closed = change(State::HalfOpen, State::Closed);
        for (now, transitions, expected) in [
            (at(2), &[][..], None),
            (at(3), &[], Some(Cue::Fail)),
            (at(4), &opened, None),
            (at(30), &probing, None),
            (at(31), &opened_again, None),
            (at(32), &[], None),
            (at(33), &[], Some(Cue::Recover)),
            (at(35), &probing, None),
            (at(36), &closed, None),
            (at(42), &[], None),
            (at(43), &[], Some(Cue::Fail)),
        ] {
            assert_eq!(script.step(now, transitions), expected, "{now:?}");
        }
    }

    #[test]
    fn a_long_outage_is_followed_by_a_healthy_time() {
        let mut script = Script { outage_start: at(3), scene: Scene::Recovered };
        script.step(at(60), &change(State::HalfOpen, State::Closed));
        assert_eq!(script.scene, Scene::Healthy { outage_at: at(65) });
        // Healed by hand in the middle of an outage; and once more, which changes nothing.
        let mut script = Script { outage_start: at(3), scene: Scene::Down };
        script.heal(at(10));
        script.heal(at(42));
        assert_eq!(script.scene, Scene::Healthy { outage_at: at(43) });
    }
}
