//! The policy of a scenario: the defaults without jitter, and what its `policy:` line changes.

use breaker::{Mode, Policy};

use crate::duration;

/// The documented defaults, but without jitter, so that a table can say when an open period ends.
pub(crate) fn table_policy() -> Policy {
    Policy { open_jitter: 0.0, ..Policy::default() }
}

/// Changes settings: `failure_threshold=2, open_duration=5s`.
pub(crate) fn apply_settings(policy: &mut Policy, settings: &str) -> Result<(), String> {
    for setting in settings.split(',').map(str::trim) {
        let (name, value) =
            setting.split_once('=').ok_or_else(|| format!("{setting:?} is no setting=value"))?;
        apply_setting(policy, name, value)?;
    }
    Ok(())
}

fn apply_setting(policy: &mut Policy, name: &str, value: &str) -> Result<(), String> {
    match (name, value) {
        ("preset", "open-swe") => *policy = Policy::open_swe(),
        ("mode", "enforce") => policy.mode = Mode::Enforce,
        ("mode", "observe") => policy.mode = Mode::Observe,
        ("mode", "off") => policy.mode = Mode::Off,
        ("failure_rate", "none") => policy.failure_rate = None,
        ("failure_rate", _) => policy.failure_rate = Some(parse_number(value)?),
        ("failure_threshold", _) => policy.failure_threshold = parse_number(value)?,
        ("min_failure_span", _) => policy.min_failure_span = duration::parse(value)?,
        ("burst_threshold", _) => policy.burst_threshold = parse_number(value)?,
        ("failures_ttl", _) => policy.failures_ttl = duration::parse(value)?,
        ("minimum_calls", _) => policy.minimum_calls = parse_number(value)?,
        ("window", _) => policy.window = duration::parse(value)?,
        ("max_cooldown", _) => policy.max_cooldown = duration::parse(value)?,
        ("open_duration", _) => policy.open_duration = duration::parse(value)?,
        ("open_backoff", _) => policy.open_backoff = parse_number(value)?,
        ("max_open_duration", _) => policy.max_open_duration = duration::parse(value)?,
        ("open_jitter", _) => policy.open_jitter = parse_number(value)?,
        ("half_open_probes", _) => policy.half_open_probes = parse_number(value)?,
        ("success_threshold", _) => policy.success_threshold = parse_number(value)?,
        ("probe_lease", _) => policy.probe_lease = duration::parse(value)?,
        _ => return Err(format!("no such setting: {name}={value}")),
    }
    Ok(())
}

fn parse_number<T: std::str::FromStr>(value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{value:?} is no number"))
}
