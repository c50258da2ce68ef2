//! Times, states and reasons as a person reads them.

use std::time::Duration;

use breaker::{State, Timestamp, TripRule};
use circuits::Report;

use crate::output::{Style, printable};

/// A length of time in its two largest units: `450 ms`, `12 s`, `3 min 20 s`, `2 h 5 min`.
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

/// When it may be tried again, for a table.
pub(super) fn next_probe(report: &Report) -> String {
    match (report.state, report.retry_in_ms) {
        (State::Closed, _) => String::new(),
        (State::HalfOpen, _) if !report.probing.is_empty() => "probe under way".to_owned(),
        (State::HalfOpen, _) => "at the next call".to_owned(),
        (State::Open, Some(millis)) => duration(Duration::from_millis(millis)),
        (State::Open, None) => "when closed by hand".to_owned(),
    }
}

/// One circuit in a sentence.
pub(super) fn describe(report: &Report, now: Timestamp) -> String {
    // Of a failure it was the writer who saw it, until a probe's instance has written. What was written otherwise says
    // nothing of who did.
    let failed = report.state == State::Closed || report.reason.as_ref().is_some_and(|r| r.rule.is_some());
    let by = report.updated_by.as_ref().filter(|_| failed && report.probing.is_empty());
    let by = by.map_or(String::new(), |instance| format!(" from instance {instance}"));
    // A rest is no failure, and has no time but its beginning.
    let cooling_down = report.reason.as_ref().is_some_and(|reason| reason.rule == Some(TripRule::Cooldown));
    let last = match time_of_day(if cooling_down { report.since } else { report.last_failure_time }) {
        at if cooling_down => format!("{by} at {at}"),
        _ if report.last_failure_time == Timestamp::NEVER => String::new(),
        at if failed => format!("{by} at {at}"),
        at => format!(", last failure at {at}"),
    };
    let reason = printable(&report.explanation);
    let who = report.updated_by.as_ref().map_or(String::new(), |instance| format!(" (instance {instance})"));
    match report.state {
        State::Closed if report.failure_count > 0 => {
            let plural = if report.failure_count == 1 { "" } else { "s" };
            format!(
                "CLOSED: calls go through; {} failure{plural} in a row so far,{last}.",
                report.failure_count
            )
        }
        // Whoever else wrote it did not say when.
        State::Closed if report.epoch == 0 => "CLOSED: calls go through.".to_owned(),
        State::Closed => format!("CLOSED for {}: calls go through.", duration(now.since(report.since))),
        State::Open if report.forced => match report.retry_at {
            Some(until) => {
                format!(
                    "OPEN by hand until {}: {reason}{who}; then one probe is let through.",
                    time_of_day(until)
                )
            }
            None => format!("OPEN by hand until it is closed by hand: {reason}{who}."),
        },
        State::Open => {
            let remaining = Duration::from_millis(report.retry_in_ms.unwrap_or(0));
            let probe = report.retry_at.map_or(String::new(), |at| {
                format!("; one probe will be let through at {}", time_of_day(at))
            });
            format!("OPEN for {} more: {reason}{last}{probe}.", duration(remaining))
        }
        State::HalfOpen if report.probing.is_empty() => {
            format!("HALF_OPEN: {reason}{last}; the next call is the probe that decides.")
        }
        State::HalfOpen => format!(
            "HALF_OPEN: {reason}{last}; instance {} is probing, and its call decides.",
            report.probing.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use breaker::{
        AdmissionToken, Context, Document, Event, Failure, InstanceId, Lease, Outcome, Policy, Record, apply,
    };

    use super::*;

    const NOON: u64 = 1_795_434_000_000;

    #[test]
    fn lengths_have_two_units() {
        for (seconds, expected) in
            [(0, "0 ms"), (12, "12 s"), (200, "3 min 20 s"), (7_500, "2 h 5 min"), (90_000, "1 d 1 h")]
        {
            assert_eq!(duration(Duration::from_secs(seconds)), expected);
        }
    }

    /// What `show` says of a value in Redis at 11:40:00.
    fn described(value: &str) -> String {
        let policy = Policy { open_jitter: 0.0, ..Policy::default() };
        let now = Timestamp::from_millis(NOON);
        let value = value.replace("NOW", &NOON.to_string());
        let record = match Document::parse(value.as_bytes(), &policy) {
            Document::Native(record, _) | Document::External(record, _) => record,
            Document::Invalid => panic!("{value}"),
        };
        describe(&Report::new(&"openai:gpt-5".parse().unwrap(), &record, &policy, now), now)
    }

    #[test]
    fn what_others_wrote_is_told_without_an_instance() {
        for (value, expected) in [
            (r#"{"state":"CLOSED"}"#, "CLOSED: calls go through."),
            (
                r#"{"state":"CLOSED","failureCount":1,"lastFailureTime":NOW}"#,
                "CLOSED: calls go through; 1 failure in a row so far, at 11:40:00.",
            ),
            (
                r#"{"state":"OPEN","failureCount":2,"lastFailureTime":NOW,"openedAt":NOW}"#,
                "OPEN for 5 s more: written by Open SWE or redis-cli, last failure at 11:40:00; one probe will be let \
                 through at 11:40:05.",
            ),
            (
                r#"{"state":"OPEN"}"#,
                "OPEN by hand until it is closed by hand: written by Open SWE or redis-cli.",
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
            describe(&Report::new(&"openai:gpt-5".parse().unwrap(), record, &policy, now), now)
        };
        let ended = |record: &Record, outcome: Outcome, at: Timestamp| Event::CallCompleted {
            token: AdmissionToken { epoch: record.epoch, lease_id: None },
            outcome,
            at,
        };
        let failure = Failure { error_type: Some("overloaded_error".into()), ..Failure::status(529) };
        for _ in 0..3 {
            let event = ended(&record, Outcome::Failed(failure.clone()), now);
            descriptions.push(step(&mut record, event, &instance, now));
        }
        now = now + Duration::from_secs(5);
        descriptions
            .push(describe(&Report::new(&"openai:gpt-5".parse().unwrap(), &record, &policy, now), now));
        let lease =
            Lease { id: "lease".into(), instance: other.clone(), until: now + Duration::from_secs(15) };
        let probe = Event::ProbeRequested { lease };
        descriptions.push(step(&mut record, probe, &other, now));
        let stamp = AdmissionToken { epoch: record.epoch, lease_id: Some("lease".into()) };
        let good = Event::CallCompleted { token: stamp, outcome: Outcome::Succeeded, at: now };
        descriptions.push(step(&mut record, good, &other, now));
        let asked = Failure { kind: breaker::FailureKind::RateLimited, ..Failure::status(429) };
        let rest = Outcome::RateLimited { failure: asked, retry_after: Some(Duration::from_secs(90)) };
        let event = ended(&record, rest, now);
        descriptions.push(step(&mut record, event, &instance, now));
        let by_hand =
            Event::ForceOpen { until: Some(now + Duration::from_secs(600)), reason: Some("upgrade".into()) };
        descriptions.push(step(&mut record, by_hand, &other, now));
        assert_eq!(
            descriptions,
            [
                "CLOSED: calls go through; 1 failure in a row so far, from instance a3f at 11:40:00.",
                "CLOSED: calls go through; 2 failures in a row so far, from instance a3f at 11:40:00.",
                "OPEN for 5 s more: 3 failures in a row, last HTTP 529 overloaded_error from instance a3f at 11:40:00; \
                 one probe will be let through at 11:40:05.",
                "HALF_OPEN: 3 failures in a row, last HTTP 529 overloaded_error from instance a3f at 11:40:00; the next \
                 call is the probe that decides.",
                "HALF_OPEN: 3 failures in a row, last HTTP 529 overloaded_error at 11:40:00; instance b71 is probing, \
                 and its call decides.",
                "CLOSED for 0 ms: calls go through.",
                "OPEN for 1 min 30 s more: the provider asks for a rest: rate limited HTTP 429 from instance a3f at \
                 11:40:05; one probe will be let through at 11:41:35.",
                "OPEN by hand until 11:50:05: by hand: upgrade (instance b71); then one probe is let through.",
            ]
        );
    }
}
