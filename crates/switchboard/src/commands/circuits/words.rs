//! Times, states and reasons as a person reads them.

use std::time::Duration;

use breaker::{State, Timestamp};
use circuits::Report;

use crate::output::{Style, printable};

/// A length of time in its two largest units: `450 ms`, `12 s`, `3 min 20 s`, `2 h 5 min`.
pub(super) fn length(length: Duration) -> String {
    let seconds = length.as_secs();
    match seconds {
        0 => format!("{} ms", length.as_millis()),
        1..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// The time of day in UTC, as `10:02:11`.
pub(super) fn clock(at: Timestamp) -> String {
    moment(at).map_or_else(|| at.to_string(), |time| time.strftime("%H:%M:%S").to_string())
}

/// Date and time in UTC.
pub(super) fn date(at: Timestamp) -> String {
    if at == Timestamp::NEVER {
        return "never".to_owned();
    }
    moment(at).map_or_else(|| at.to_string(), |time| time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

fn moment(at: Timestamp) -> Option<jiff::Zoned> {
    let millis = i64::try_from(at.as_millis()).ok()?;
    Some(jiff::Timestamp::from_millisecond(millis).ok()?.to_zoned(jiff::tz::TimeZone::UTC))
}

pub(super) const fn style(state: State) -> Style {
    match state {
        State::Closed => Style::Good,
        State::Open => Style::Bad,
        State::HalfOpen => Style::Warning,
    }
}

/// When it may be tried again, for a table.
pub(super) fn retry(report: &Report) -> String {
    match (report.state, report.retry_in_ms) {
        (State::Closed, _) => String::new(),
        (State::HalfOpen, _) if !report.probing.is_empty() => "probe under way".to_owned(),
        (State::HalfOpen, _) => "at the next call".to_owned(),
        (State::Open, Some(millis)) => length(Duration::from_millis(millis)),
        (State::Open, None) => "when closed by hand".to_owned(),
    }
}

/// One circuit in a sentence.
pub(super) fn sentence(report: &Report, now: Timestamp) -> String {
    let by =
        report.updated_by.as_ref().map_or(String::new(), |instance| format!(" from instance {instance}"));
    let last = if report.last_failure_time == Timestamp::NEVER {
        String::new()
    } else {
        format!("{by} at {}", clock(report.last_failure_time))
    };
    let why = printable(&report.explanation);
    match report.state {
        State::Closed if report.failure_count > 0 => {
            format!("CLOSED: calls go through; {} failures in a row so far{last}.", report.failure_count)
        }
        State::Closed => format!("CLOSED for {}: calls go through.", length(now.since(report.since))),
        State::Open if report.forced => match report.retry_at {
            Some(until) => {
                format!("OPEN by hand until {}: {why}; then one probe is let through.", clock(until))
            }
            None => format!("OPEN by hand until it is closed by hand: {why}."),
        },
        State::Open => {
            let left = Duration::from_millis(report.retry_in_ms.unwrap_or(0));
            let probe = report
                .retry_at
                .map_or(String::new(), |at| format!("; one probe will be let through at {}", clock(at)));
            format!("OPEN for {} more: {why}{last}{probe}.", length(left))
        }
        State::HalfOpen if report.probing.is_empty() => {
            format!("HALF_OPEN: {why}{last}; the next call is the probe that decides.")
        }
        State::HalfOpen => format!(
            "HALF_OPEN: {why}{last}; instance {} is probing.",
            report.probing.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use breaker::{Context, Event, Failure, InstanceId, Outcome, Policy, Record, Stamp, apply};

    use super::*;

    const NOON: u64 = 1_795_434_000_000;

    #[test]
    fn lengths_have_two_units() {
        for (seconds, expected) in
            [(0, "0 ms"), (12, "12 s"), (200, "3 min 20 s"), (7_500, "2 h 5 min"), (90_000, "1 d 1 h")]
        {
            assert_eq!(length(Duration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn an_open_circuit_says_why_and_when() {
        let policy = Policy { failure_span: Duration::ZERO, open_for_jitter: 0.0, ..Policy::default() };
        let instance = InstanceId::new("a3f");
        let now = Timestamp::from_millis(NOON);
        let failure = Failure { error_type: Some("overloaded_error".into()), ..Failure::status(529) };
        let mut record = Record::fresh(0, &instance, now);
        for _ in 0..3 {
            let stamp = Stamp { epoch: record.epoch, lease: None };
            let event = Event::Ended { stamp, outcome: Outcome::Failed(failure.clone()), at: now };
            record = apply(&record, &event, Context { instance: &instance, policy: &policy, now }).record;
        }
        let report = Report::new(&"openai:gpt-5".parse().unwrap(), &record, &policy, now);
        assert_eq!(
            sentence(&report, now),
            "OPEN for 5 s more: 3 failures in a row, last HTTP 529 overloaded_error from instance a3f at 11:40:00; \
             one probe will be let through at 11:40:05."
        );
    }
}
