//! The policy of a scenario: the defaults without chance, and what its `policy:` line changes.

use breaker::{Mode, Policy};

use crate::duration;

/// The documented defaults, but without jitter, so that a table can say when an open period ends.
pub(crate) fn of_tables() -> Policy {
    Policy { open_for_jitter: 0.0, ..Policy::default() }
}

/// Changes settings: `failure_threshold=2, open_for=5s`.
pub(crate) fn change(policy: &mut Policy, settings: &str) -> Result<(), String> {
    for setting in settings.split(',').map(str::trim) {
        let (name, value) =
            setting.split_once('=').ok_or_else(|| format!("{setting:?} is no setting=value"))?;
        set(policy, name, value)?;
    }
    Ok(())
}

fn set(policy: &mut Policy, name: &str, value: &str) -> Result<(), String> {
    match (name, value) {
        ("preset", "open-swe") => *policy = Policy::open_swe(),
        ("mode", "enforce") => policy.mode = Mode::Enforce,
        ("mode", "observe") => policy.mode = Mode::Observe,
        ("mode", "off") => policy.mode = Mode::Off,
        ("failure_rate", "none") => policy.failure_rate = None,
        ("failure_rate", _) => policy.failure_rate = Some(number(value)?),
        ("failure_threshold", _) => policy.failure_threshold = number(value)?,
        ("failure_span", _) => policy.failure_span = duration::parse(value)?,
        ("failure_burst", _) => policy.failure_burst = number(value)?,
        ("row_memory", _) => policy.row_memory = duration::parse(value)?,
        ("minimum_calls", _) => policy.minimum_calls = number(value)?,
        ("window", _) => policy.window = duration::parse(value)?,
        ("rest_max", _) => policy.rest_max = duration::parse(value)?,
        ("open_for", _) => policy.open_for = duration::parse(value)?,
        ("open_for_growth", _) => policy.open_for_growth = number(value)?,
        ("open_for_max", _) => policy.open_for_max = duration::parse(value)?,
        ("open_for_jitter", _) => policy.open_for_jitter = number(value)?,
        ("half_open_probes", _) => policy.half_open_probes = number(value)?,
        ("half_open_successes", _) => policy.half_open_successes = number(value)?,
        ("probe_lease", _) => policy.probe_lease = duration::parse(value)?,
        _ => return Err(format!("there is no setting {name}={value}")),
    }
    Ok(())
}

fn number<T: std::str::FromStr>(value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{value:?} is no number"))
}
