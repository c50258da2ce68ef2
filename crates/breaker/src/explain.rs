//! A reason in words.

use crate::{Cause, Phase, Reason, Record, Rule};

/// Why a circuit is as it is, as the end of a sentence: "3 failures in a row, last HTTP 529 overloaded_error".
#[must_use]
pub fn describe(record: &Record) -> String {
    let Some(reason) = &record.reason else {
        let counted = record.phase == Phase::Closed && record.row.failures > 0;
        let words = if counted { "too few failures so far to open it" } else { "nothing has happened yet" };
        return words.to_owned();
    };
    let last = particulars(reason);
    match reason.rule {
        Some(Rule::Row) if record.row.failures == 1 => format!("one failure is enough here: {last}"),
        Some(Rule::Row) => format!("{} failures in a row, last {last}", record.row.failures),
        Some(Rule::Rate) => format!("too many failed calls, last {last}"),
        Some(Rule::Probe) => format!("the probe failed: {last}"),
        Some(Rule::Rest) => format!("the provider asks for a rest: {last}"),
        Some(Rule::Other) | None => last,
    }
}

impl Reason {
    /// The reason in a few words, for a table.
    #[must_use]
    pub fn in_short(&self) -> String {
        particulars(self)
    }
}

fn particulars(reason: &Reason) -> String {
    let mut words = vec![match reason.kind {
        Cause::Connection => "no connection".to_owned(),
        Cause::Timeout => "timeout".to_owned(),
        Cause::Status => String::new(),
        Cause::Invalid => "invalid answer".to_owned(),
        Cause::Cut => "answer cut off".to_owned(),
        Cause::RateLimited => "rate limited".to_owned(),
        Cause::Quota => "quota or credit spent".to_owned(),
        Cause::UnknownModel => "the provider does not know the model".to_owned(),
        Cause::Probe => "its time came and a probe was let through".to_owned(),
        Cause::Recovered => "a probe succeeded".to_owned(),
        Cause::Manual => "by hand".to_owned(),
        Cause::Reset => "reset".to_owned(),
        Cause::Foreign => "written by Open SWE or redis-cli".to_owned(),
        Cause::Restored => "written back after Redis lost its data".to_owned(),
        Cause::Merged => "learnt while Redis was away".to_owned(),
        Cause::Other => "a reason of a newer version".to_owned(),
    }];
    words.extend(reason.status.map(|status| format!("HTTP {status}")));
    words.extend(reason.error_type.clone());
    words.extend(reason.error_code.clone().filter(|code| Some(code) != reason.error_type.as_ref()));
    let text = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    match &reason.why {
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
        record.row.failures = 1;
        assert_eq!(describe(&record), "too few failures so far to open it");
    }
}
