//! `[breaker]` and `[models."provider:model".breaker]`.

use std::fmt::Display;

use breaker::{Mode, ModelKey, Policy};
use circuits::Policies;
use gateway::duration::DurationText;

use super::{document::Section, value::Value};

/// The values of `mode`.
pub(super) const MODES: [(&str, Mode); 3] =
    [("enforce", Mode::Enforce), ("observe", Mode::Observe), ("off", Mode::Off)];

/// The name of a `preset`, and its policy.
type Preset = (&'static str, fn() -> Policy);

const PRESETS: [Preset; 1] = [("open-swe", Policy::open_swe)];

/// The default policy, and those of single models, which are layered over it. `check_provider` reports a model whose
/// provider does not exist.
pub(super) fn read_policies(
    breaker: Section<'_>,
    models: &Section<'_>,
    check_provider: impl Fn(&Section<'_>, &ModelKey),
) -> Policies {
    let default = read_policy(breaker, &Policy::default());
    let mut policies = Policies { default, ..Policies::default() };
    for (name, mut model) in models.subsections() {
        match name.parse::<ModelKey>() {
            Ok(key) => {
                check_provider(&model, &key);
                let policy = read_policy(model.section("breaker"), &policies.default);
                policies.models.insert(key, policy);
            }
            Err(error) => {
                model.value("breaker");
                model
                    .context
                    .report_line(model.line, format!("[{}]: no such model: {name}; {error}", model.name));
            }
        }
        model.report_unknown_keys();
    }
    policies
}

/// The policy of one table: the preset over `base`, the table's other keys over both. A preset leaves the mode alone.
fn read_policy(mut section: Section<'_>, base: &Policy) -> Policy {
    let mut policy = base.clone();
    section.read_into("preset", &mut policy, |value| {
        value.choice(&PRESETS).map(|preset| Policy { mode: base.mode, ..preset() })
    });
    section.read_into("mode", &mut policy.mode, |value| value.choice(&MODES));
    read_trip_settings(&mut section, &mut policy);
    read_open_period(&mut section, &mut policy);
    section.read_into("half_open_probes", &mut policy.half_open_probes, Value::positive_integer);
    section.read_into("success_threshold", &mut policy.success_threshold, Value::positive_integer);
    section.read_into("probe_lease", &mut policy.probe_lease, Value::nonzero_duration);
    check_consistency(&section, &policy);
    section.report_unknown_keys();
    policy
}

/// What opens the circuit.
fn read_trip_settings(section: &mut Section<'_>, policy: &mut Policy) {
    section.read_into("failure_threshold", &mut policy.failure_threshold, Value::positive_integer);
    section.read_into("min_failure_span", &mut policy.min_failure_span, Value::duration);
    section.read_into("burst_threshold", &mut policy.burst_threshold, Value::positive_integer);
    section.read_into("failures_ttl", &mut policy.failures_ttl, Value::nonzero_duration);
    section.read_into("failure_rate", &mut policy.failure_rate, |value| {
        let share = "a share above 0 and at most 1, or \"off\"";
        if value.is_off() {
            Some(None)
        } else {
            value.number(share, |rate| rate > 0.0 && rate <= 1.0).map(Some)
        }
    });
    section.read_into("minimum_calls", &mut policy.minimum_calls, Value::positive_integer);
    section.read_into("window", &mut policy.window, Value::nonzero_duration);
}

/// How long the circuit stays open.
fn read_open_period(section: &mut Section<'_>, policy: &mut Policy) {
    section.read_into("max_cooldown", &mut policy.max_cooldown, Value::nonzero_duration);
    section.read_into("open_duration", &mut policy.open_duration, Value::nonzero_duration);
    section.read_into("open_backoff", &mut policy.open_backoff, |value| {
        value.number("a factor of at least 1", |growth| growth >= 1.0)
    });
    section.read_into("max_open_duration", &mut policy.max_open_duration, Value::nonzero_duration);
    section.read_into("open_jitter", &mut policy.open_jitter, |value| {
        value.number("a share of at least 0 and below 1", |jitter| (0.0..1.0).contains(&jitter))
    });
}

/// The constraints between two settings.
fn check_consistency(section: &Section<'_>, policy: &Policy) {
    if policy.burst_threshold < policy.failure_threshold {
        let values = [policy.burst_threshold, policy.failure_threshold];
        report_too_small(section, ["burst_threshold", "failure_threshold"], values);
    }
    if policy.max_open_duration < policy.open_duration {
        let values = [policy.max_open_duration, policy.open_duration].map(DurationText);
        report_too_small(section, ["max_open_duration", "open_duration"], values);
    }
}

/// Reports that the first of two settings is less than the second. Only if the table has one of them, so that a
/// problem of `[breaker]` is not repeated for each model.
fn report_too_small(section: &Section<'_>, keys: [&str; 2], values: [impl Display; 2]) {
    let Some(key) = keys.into_iter().find(|key| section.contains_key(key)) else { return };
    let ([greater, lesser], [greater_value, lesser_value]) = (keys, values);
    let message = format!(
        "{}.{greater} ({greater_value}) is less than {lesser} ({lesser_value}); raise the first or lower the second",
        section.name
    );
    section.context.report(section.location(key), message);
}
