//! A reason as a sentence.

use crate::{Phase, Reason, Record, SourceScope, TransitionCause, TripRule};

/// Why a circuit is as it is, as the end of a sentence: "3 consecutive failures, last HTTP 529 overloaded_error"; and whom
/// alone it refuses, if not everyone.
#[must_use]
pub fn describe(record: &Record) -> String {
    // Without named keys, "all that have none" is everyone.
    let is_everyone = |scope: &&SourceScope| scope.caller.is_none() && scope.tag.is_none();
    match record.bound_to().filter(|scope| !is_everyone(scope)) {
        Some(scope) => format!("{}; only {scope} is refused", describe_reason(record)),
        None => describe_reason(record),
    }
}

fn describe_reason(record: &Record) -> String {
    let Some(reason) = &record.reason else {
        let counted = record.phase == Phase::Closed && record.consecutive_failures.count > 0;
        let words = if counted { "too few failures to open" } else { "no recent failures" };
        return words.to_owned();
    };
    let last = details(reason);
    match reason.rule {
        Some(TripRule::ConsecutiveFailures) if record.consecutive_failures.count == 1 => {
            format!("1 failure, which is the threshold: {last}")
        }
        Some(TripRule::ConsecutiveFailures) => {
            format!("{} consecutive failures, last {last}", record.consecutive_failures.count)
        }
        Some(TripRule::FailureRate) => format!("failure rate too high, last {last}"),
        Some(TripRule::Probe) => format!("probe failed: {last}"),
        Some(TripRule::Cooldown) => cooldown(reason),
        Some(TripRule::Other) | None => last,
    }
}

impl Reason {
    /// The reason in a few words, for a table or a log line.
    #[must_use]
    pub fn summary(&self) -> String {
        details(self)
    }
}

/// A cooldown: what the provider said, and that the circuit waits for it.
fn cooldown(reason: &Reason) -> String {
    let cause = match reason.cause {
        TransitionCause::RateLimited => "rate limited by the provider",
        cause => cause_text(cause),
    };
    let status = reason.status.map(|status| format!("HTTP {status}"));
    // The type of a rate limit says only what is counted ("requests"); the code says what happened.
    let code = reason.error_code.clone().or_else(|| reason.error_type.clone());
    let response = status.into_iter().chain(code).collect::<Vec<_>>().join(" ");
    let by = reported_by(reason);
    if response.is_empty() {
        format!("{cause}, cooling down{by}")
    } else {
        format!("{cause} ({response}), cooling down{by}")
    }
}

/// Whose word it is, where that is not this fleet's own.
fn reported_by(reason: &Reason) -> String {
    reason.by.as_ref().map_or_else(String::new, |name| format!(", reported by {name}"))
}

fn cause_text(cause: TransitionCause) -> &'static str {
    match cause {
        TransitionCause::Connection => "no connection",
        TransitionCause::Timeout => "timeout",
        TransitionCause::Status => "",
        TransitionCause::Invalid => "invalid response",
        TransitionCause::Truncated => "response truncated",
        TransitionCause::RateLimited => "rate limited",
        TransitionCause::Quota => "quota exhausted",
        TransitionCause::UnknownModel => "model not found",
        TransitionCause::Probe => "open period ended, probing",
        TransitionCause::Recovered => "probe succeeded",
        TransitionCause::OthersSucceed => "calls of others succeed",
        TransitionCause::Manual => "manual",
        TransitionCause::Reset => "reset",
        TransitionCause::External => "written by Open SWE or redis-cli",
        TransitionCause::Restored => "restored after Redis data loss",
        TransitionCause::Merged => "merged after Redis outage",
        TransitionCause::Other => "unknown to this version",
    }
}

fn details(reason: &Reason) -> String {
    let mut words = vec![cause_text(reason.cause).to_owned()];
    words.extend(reason.status.map(|status| format!("HTTP {status}")));
    words.extend(reason.error_type.clone());
    words.extend(reason.error_code.clone().filter(|code| Some(code) != reason.error_type.as_ref()));
    let text = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    match (&reason.operator_reason, &reason.by) {
        (Some(why), Some(name)) => format!("{text} by {name}: {why}"),
        (Some(why), None) => format!("{text}: {why}"),
        (None, Some(name)) if reason.rule.is_none() => format!("{text} by {name}"),
        (None, _) => text + &reported_by(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Failure, FailureKind, InstanceId, Timestamp};

    #[test]
    fn a_cooldown_says_what_the_provider_said() {
        let mut record = Record::fresh(0, &InstanceId::new("a3f"), Timestamp::NEVER);
        let mut failure = Failure { error_type: Some("requests".into()), ..Failure::status(429) };
        failure.error_code = Some("rate_limit_exceeded".into());
        for (kind, expected) in [
            (
                FailureKind::RateLimited,
                "rate limited by the provider (HTTP 429 rate_limit_exceeded), cooling down",
            ),
            (FailureKind::Quota, "quota exhausted (HTTP 429 rate_limit_exceeded), cooling down"),
            (FailureKind::UnknownModel, "model not found (HTTP 429 rate_limit_exceeded), cooling down"),
        ] {
            failure.kind = kind;
            record.reason = Some(Reason::failure(&failure, TripRule::Cooldown));
            assert_eq!(describe(&record), expected);
        }
    }

    #[test]
    fn it_says_whose_word_it_is() {
        let by = || Some("ci".parse().unwrap());
        let failure = Failure { reported_by: by(), ..Failure::status(402) };
        let cooldown =
            Reason::failure(&Failure { kind: FailureKind::Quota, ..failure.clone() }, TripRule::Cooldown);
        let mut record = Record::fresh(0, &InstanceId::new("a3f"), Timestamp::NEVER);
        for (reason, expected) in [
            (cooldown, "quota exhausted (HTTP 402), cooling down, reported by ci"),
            (Reason::failure(&failure, TripRule::Probe), "probe failed: HTTP 402, reported by ci"),
            (Reason::manual(Some("upgrade".into()), by()), "manual by ci: upgrade"),
            (Reason::manual(None, by()), "manual by ci"),
            (Reason::manual(None, None), "manual"),
        ] {
            record.reason = Some(reason);
            assert_eq!(describe(&record), expected);
        }
    }

    #[test]
    fn a_bound_circuit_says_whom_it_refuses() {
        let mut record = Record::fresh(0, &InstanceId::new("a3f"), Timestamp::NEVER);
        record.reason = Some(Reason::failure(&Failure::status(500), TripRule::ConsecutiveFailures));
        record.consecutive_failures.count = 3;
        let mut outage = crate::OpenState::new(Timestamp::NEVER, Timestamp::NEVER);
        for (caller, tag, expected) in [
            (
                "ci",
                Some(1),
                "3 consecutive failures, last HTTP 500; only one request of caller ci is refused",
            ),
            ("ci", None, "3 consecutive failures, last HTTP 500; only caller ci is refused"),
            ("", Some(1), "3 consecutive failures, last HTTP 500; only one request is refused"),
        ] {
            outage.bound_to = Some(crate::SourceScope { caller: caller.parse().ok(), tag });
            record.phase = Phase::Open(outage.clone());
            assert_eq!(describe(&record), expected);
        }
    }

    #[test]
    fn failures_below_the_threshold_are_not_nothing() {
        let mut record = Record::fresh(0, &InstanceId::new("a3f"), Timestamp::NEVER);
        assert_eq!(describe(&record), "no recent failures");
        record.consecutive_failures.count = 1;
        assert_eq!(describe(&record), "too few failures to open");
    }
}
