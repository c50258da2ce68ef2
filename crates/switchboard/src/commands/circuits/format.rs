//! Times, states and reasons as text.

use std::time::Duration;

use breaker::{State, Timestamp, TransitionCause, TripRule};
use circuits::Report;

use crate::output::{Style, printable};

/// A duration in its two largest units: `450 ms`, `12 s`, `3 min 20 s`, `2 h 5 min`.
pub(super) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{} ms", duration.as_millis()),
        1..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// A duration in its largest unit, for a table: `450ms`, `12s`, `3m`, `2h`, `5d`.
pub(super) fn short_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{}ms", duration.as_millis()),
        1..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// In how many ms something is due, in whole seconds or more.
pub(in crate::commands) fn in_time(millis: u64) -> String {
    format!("in {}", short_duration(Duration::from_secs(millis.div_ceil(1_000).max(1))))
}

/// How long ago a time was; empty for none.
pub(super) fn ago(at: Timestamp, now: Timestamp) -> String {
    match now.since(at) {
        _ if at == Timestamp::NEVER => String::new(),
        time if time < Duration::from_secs(1) => "0s".to_owned(),
        time => short_duration(time),
    }
}

/// The time of day in UTC, as `10:02:11`.
pub(super) fn time_of_day(at: Timestamp) -> String {
    to_utc(at).map_or_else(|| at.to_string(), |time| time.strftime("%H:%M:%S").to_string())
}

/// Date and time in UTC.
pub(super) fn datetime(at: Timestamp) -> String {
    if at == Timestamp::NEVER {
        return "never".to_owned();
    }
    to_utc(at).map_or_else(|| at.to_string(), |time| time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

fn to_utc(at: Timestamp) -> Option<jiff::Zoned> {
    let millis = i64::try_from(at.as_millis()).ok()?;
    Some(jiff::Timestamp::from_millisecond(millis).ok()?.to_zoned(jiff::tz::TimeZone::UTC))
}

pub(super) const fn state_style(state: State) -> Style {
    match state {
        State::Closed => Style::Good,
        State::Open => Style::Bad,
        State::HalfOpen => Style::Warning,
    }
}

/// When the next probe may run, for a table.
pub(super) fn next_probe(report: &Report) -> String {
    match (report.state, report.retry_in_ms) {
        (State::Closed, _) => String::new(),
        (State::HalfOpen, _) if !report.probing.is_empty() => "probing".to_owned(),
        (State::HalfOpen, _) => "next request".to_owned(),
        (State::Open, Some(millis)) => in_time(millis),
        (State::Open, None) => "manual".to_owned(),
    }
}

/// One circuit in a few short sentences.
pub(super) fn describe(report: &Report) -> String {
    let count = report.failure_count;
    let cause = || format!("Cause: {}{}.", printable(&report.explanation), last_failure(report));
    match report.state {
        State::Closed if count > 0 => {
            let plural = if count == 1 { "" } else { "s" };
            format!("CLOSED. {count} consecutive failure{plural} so far{}.", last_failure(report))
        }
        // A value written by Open SWE or redis-cli has no time of its own.
        State::Closed if report.epoch == 0 => "CLOSED.".to_owned(),
        State::Closed => format!("CLOSED since {}.", time_of_day(report.since)),
        State::Open if report.forced => describe_forced(report),
        State::Open => {
            let wait = duration(Duration::from_millis(report.retry_in_ms.unwrap_or(0)));
            let at = report.retry_at.map_or_else(String::new, |at| format!(" ({})", time_of_day(at)));
            format!("OPEN. Next probe in {wait}{at}. {}", cause())
        }
        State::HalfOpen if report.probing.is_empty() => {
            format!("HALF_OPEN. The next request is the probe. {}", cause())
        }
        State::HalfOpen => {
            let probing =
                report.probing.iter().map(|by| printable(by.as_str())).collect::<Vec<_>>().join(", ");
            format!("HALF_OPEN. Probing from instance {probing}. {}", cause())
        }
    }
}

fn describe_forced(report: &Report) -> String {
    let operator = report.reason.as_ref().and_then(|reason| reason.by.as_ref());
    let by = match (operator, &report.updated_by) {
        (Some(operator), _) => format!(" by {}", printable(operator.as_str())),
        (None, Some(instance)) => format!(" by {}", printable(instance.as_str())),
        (None, None) => String::new(),
    };
    let until = match report.retry_at {
        Some(until) => format!("until {}, then one probe", time_of_day(until)),
        None => "until closed manually".to_owned(),
    };
    let reason = match &report.reason {
        Some(reason) if reason.cause == TransitionCause::Manual => reason.operator_reason.as_deref(),
        _ => Some(report.explanation.as_str()),
    };
    format!("Forced open{by} {until}. Reason: {}.", printable(reason.unwrap_or("none given")))
}

/// When the last failure was and which instance saw it, as far as the record shows.
fn last_failure(report: &Report) -> String {
    // The last writer saw the failure, unless it wrote for another reason, such as a probe.
    let failed = report.state == State::Closed || report.reason.as_ref().is_some_and(|r| r.rule.is_some());
    let by = report.updated_by.as_ref().filter(|_| failed && report.probing.is_empty());
    let by = by.map_or_else(String::new, |by| format!("instance {}, ", printable(by.as_str())));
    // A cooldown is no failure: its only time is when it began.
    let cooling_down = report.reason.as_ref().is_some_and(|reason| reason.rule == Some(TripRule::Cooldown));
    match time_of_day(if cooling_down { report.since } else { report.last_failure_time }) {
        at if cooling_down => format!(" ({by}{at})"),
        _ if report.last_failure_time == Timestamp::NEVER => String::new(),
        at if failed => format!(" ({by}{at})"),
        at => format!(" (last failure {at})"),
    }
}

#[cfg(test)]
mod tests {
    use breaker::{
        AdmissionToken, Context, Document, Event, External, Failure, InstanceId, Lease, Outcome, Policy,
        Record, apply,
    };

    use super::*;

    const NOON: u64 = 1_795_434_000_000;

    #[test]
    fn durations_have_two_units() {
        for (seconds, expected) in
            [(0, "0 ms"), (12, "12 s"), (200, "3 min 20 s"), (7_500, "2 h 5 min"), (90_000, "1 d 1 h")]
        {
            assert_eq!(duration(Duration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn times_in_tables_have_one_unit() {
        for (millis, expected) in
            [(450, "450ms"), (12_000, "12s"), (200_000, "3m"), (7_500_000, "2h"), (432_000_000, "5d")]
        {
            assert_eq!(short_duration(Duration::from_millis(millis)), expected);
            let now = Timestamp::from_millis(NOON + millis);
            let expected = if millis < 1_000 { "0s" } else { expected };
            assert_eq!(ago(Timestamp::from_millis(NOON), now), expected);
        }
        assert_eq!([0, 933, 1_001, 119_000].map(in_time), ["in 1s", "in 1s", "in 2s", "in 1m"]);
        assert_eq!(ago(Timestamp::NEVER, Timestamp::from_millis(NOON)), "");
    }

    /// What `show` prints for a value in Redis at 11:40:00.
    fn described(value: &str) -> String {
        let policy = Policy { open_jitter: 0.0, ..Policy::default() };
        let now = Timestamp::from_millis(NOON);
        let value = value.replace("NOW", &NOON.to_string());
        let record = match Document::parse(value.as_bytes(), &policy) {
            Document::Native(record, _) | Document::External(External { record, .. }, _) => record,
            Document::Invalid => panic!("{value}"),
        };
        describe(&Report::new(&"openai:gpt-5".parse().unwrap(), &record, &policy, now))
    }

    #[test]
    fn values_written_by_others_name_no_instance() {
        for (value, expected) in [
            (r#"{"state":"CLOSED"}"#, "CLOSED."),
            (
                r#"{"state":"CLOSED","failureCount":1,"lastFailureTime":NOW}"#,
                "CLOSED. 1 consecutive failure so far (11:40:00).",
            ),
            (
                r#"{"state":"OPEN","failureCount":2,"lastFailureTime":NOW,"openedAt":NOW}"#,
                "OPEN. Next probe in 5 s (11:40:05). Cause: written by Open SWE or redis-cli (last failure 11:40:00).",
            ),
            (
                r#"{"state":"OPEN"}"#,
                "Forced open until closed manually. Reason: written by Open SWE or redis-cli.",
            ),
        ] {
            assert_eq!(described(value), expected, "{value}");
        }
    }

    #[test]
    fn a_circuit_in_each_of_its_states() {
        let policy = Policy { min_failure_span: Duration::ZERO, open_jitter: 0.0, ..Policy::default() };
        let instance = InstanceId::new("a3f");
        let other = InstanceId::new("b71");
        let mut now = Timestamp::from_millis(NOON);
        let mut record = Record::fresh(0, &instance, now);
        let mut descriptions = Vec::new();
        let step = |record: &mut Record, event: Event, by: &InstanceId, now: Timestamp| {
            *record = apply(record, &event, Context { instance: by, policy: &policy, now }).record;
            describe(&Report::new(&"openai:gpt-5".parse().unwrap(), record, &policy, now))
        };
        let completed = |record: &Record, outcome: Outcome, at: Timestamp| Event::CallCompleted {
            token: AdmissionToken { epoch: record.epoch, lease_id: None },
            outcome,
            source: None,
            at,
        };
        let failure = Failure { error_type: Some("overloaded_error".into()), ..Failure::status(529) };
        for _ in 0..3 {
            let event = completed(&record, Outcome::Failed(failure.clone()), now);
            descriptions.push(step(&mut record, event, &instance, now));
        }
        now = now + Duration::from_secs(5);
        descriptions.push(describe(&Report::new(&"openai:gpt-5".parse().unwrap(), &record, &policy, now)));
        let lease =
            Lease { id: "lease".into(), instance: other.clone(), until: now + Duration::from_secs(15) };
        let probe = Event::ProbeRequested { lease, source: None };
        descriptions.push(step(&mut record, probe, &other, now));
        let token = AdmissionToken { epoch: record.epoch, lease_id: Some("lease".into()) };
        let good = Event::CallCompleted { token, outcome: Outcome::Succeeded, source: None, at: now };
        descriptions.push(step(&mut record, good, &other, now));
        let rate_limit = Failure { kind: breaker::FailureKind::RateLimited, ..Failure::status(429) };
        let rate_limited =
            Outcome::RateLimited { failure: rate_limit, retry_after: Some(Duration::from_secs(90)) };
        let event = completed(&record, rate_limited, now);
        descriptions.push(step(&mut record, event, &instance, now));
        let force_open = Event::ForceOpen {
            until: Some(now + Duration::from_secs(600)),
            reason: Some("upgrade".into()),
            by: None,
        };
        descriptions.push(step(&mut record, force_open, &other, now));
        let without_end = Event::ForceOpen { until: None, reason: None, by: None };
        descriptions.push(step(&mut record, without_end, &other, now));
        assert_eq!(
            descriptions,
            [
                "CLOSED. 1 consecutive failure so far (instance a3f, 11:40:00).",
                "CLOSED. 2 consecutive failures so far (instance a3f, 11:40:00).",
                "OPEN. Next probe in 5 s (11:40:05). Cause: 3 consecutive failures, last HTTP 529 overloaded_error \
                 (instance a3f, 11:40:00).",
                "HALF_OPEN. The next request is the probe. Cause: 3 consecutive failures, last HTTP 529 \
                 overloaded_error (instance a3f, 11:40:00).",
                "HALF_OPEN. Probing from instance b71. Cause: 3 consecutive failures, last HTTP 529 overloaded_error \
                 (11:40:00).",
                "CLOSED since 11:40:05.",
                "OPEN. Next probe in 1 min 30 s (11:41:35). Cause: rate limited by the provider (HTTP 429), \
                 cooling down (instance a3f, 11:40:05).",
                "Forced open by b71 until 11:50:05, then one probe. Reason: upgrade.",
                "Forced open by b71 until closed manually. Reason: none given.",
            ]
        );
    }
}
