//! A reason in words.

use crate::{Phase, Reason, Record, TransitionCause, TripRule};

/// Why a circuit is as it is, as the end of a sentence: "3 failures in a row, last HTTP 529 overloaded_error".
#[must_use]
pub fn describe(record: &Record) -> String {
    let Some(reason) = &record.reason else {
        let counted = record.phase == Phase::Closed && record.consecutive_failures.count > 0;
        let words = if counted { "too few failures so far to open it" } else { "nothing has happened yet" };
        return words.to_owned();
    };
    let last = details(reason);
    match reason.rule {
        Some(TripRule::ConsecutiveFailures) if record.consecutive_failures.count == 1 => {
            format!("one failure is enough here: {last}")
        }
        Some(TripRule::ConsecutiveFailures) => {
            format!("{} failures in a row, last {last}", record.consecutive_failures.count)
        }
        Some(TripRule::FailureRate) => format!("too many failed calls, last {last}"),
        Some(TripRule::Probe) => format!("the probe failed: {last}"),
        Some(TripRule::Cooldown) => format!("the provider asks for a rest: {last}"),
        Some(TripRule::Other) | None => last,
    }
}

impl Reason {
    /// The reason in a few words, for a table.
    #[must_use]
    pub fn summary(&self) -> String {
        details(self)
    }
}

fn details(reason: &Reason) -> String {
    let mut words = vec![match reason.cause {
        TransitionCause::Connection => "no connection".to_owned(),
        TransitionCause::Timeout => "timeout".to_owned(),
        TransitionCause::Status => String::new(),
        TransitionCause::Invalid => "invalid answer".to_owned(),
        TransitionCause::Truncated => "answer cut off".to_owned(),
        TransitionCause::RateLimited => "rate limited".to_owned(),
        TransitionCause::Quota => "quota or credit spent".to_owned(),
        TransitionCause::UnknownModel => "the provider does not know the model".to_owned(),
        TransitionCause::Probe => "its time came and a probe was let through".to_owned(),
        TransitionCause::Recovered => "a probe succeeded".to_owned(),
        TransitionCause::Manual => "by hand".to_owned(),
        TransitionCause::Reset => "reset".to_owned(),
        TransitionCause::External => "written by Open SWE or redis-cli".to_owned(),
        TransitionCause::Restored => "written back after Redis lost its data".to_owned(),
        TransitionCause::Merged => "learnt while Redis was away".to_owned(),
        TransitionCause::Other => "a reason of a newer version".to_owned(),
    }];
    words.extend(reason.status.map(|status| format!("HTTP {status}")));
    words.extend(reason.error_type.clone());
    words.extend(reason.error_code.clone().filter(|code| Some(code) != reason.error_type.as_ref()));
    let text = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    match &reason.operator_reason {
        Some(why) => format!("{text}: {why}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{InstanceId, Timestamp};

    #[test]
    fn failures_that_have_not_opened_a_circuit_are_something() {
        let mut record = Record::fresh(0, &InstanceId::new("a3f"), Timestamp::NEVER);
        assert_eq!(describe(&record), "nothing has happened yet");
        record.consecutive_failures.count = 1;
        assert_eq!(describe(&record), "too few failures so far to open it");
    }
}
