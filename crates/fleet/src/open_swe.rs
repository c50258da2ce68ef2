//! What an Open SWE instance does with a circuit's key: its rules as far as Redis sees them, quirks included. It reads and
//! writes in two steps, between which others may write.

use breaker::Timestamp;
use serde_json::{Value, json};

/// After this many failures, and for this many ms, it stops using a model.
const FAILURE_THRESHOLD: u64 = 2;
const OPEN_DURATION_MS: u64 = 180_000;

/// A circuit as an Open SWE instance reads it, and whether it wrote. Unknown fields are kept.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenSwe {
    value: Value,
    wrote: bool,
}

impl OpenSwe {
    /// A missing or invalid value is a closed one, and so is one that JavaScript takes for false: that one it writes.
    #[must_use]
    pub fn read(raw: Option<&[u8]>) -> Self {
        let value = raw.and_then(|raw| serde_json::from_slice(raw).ok());
        match value.filter(|value| ![json!(null), json!(false), json!(0), json!("")].contains(value)) {
            Some(value) => Self { value, wrote: false },
            None => {
                let value = json!({"state": "CLOSED", "failureCount": 0, "lastFailureTime": 0});
                Self { value, wrote: true }
            }
        }
    }

    /// Whether `state` says so.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.value["state"] == "OPEN"
    }

    /// Whether it may call. An open circuit whose period has ended is closed by that: it has no half-open.
    pub fn allows_call(&mut self, now: Timestamp) -> bool {
        if self.value["state"] != "OPEN" {
            return self.value["state"] == "CLOSED";
        }
        let opened_at = self.value["openedAt"].as_u64().unwrap_or(0);
        if opened_at == 0 || now.as_millis().saturating_sub(opened_at) < OPEN_DURATION_MS {
            return false;
        }
        self.record_success();
        true
    }

    /// A call succeeded, whenever it began.
    pub fn record_success(&mut self) {
        self.wrote = true;
        self.value["state"] = json!("CLOSED");
        self.value["failureCount"] = json!(0);
        if let Some(fields) = self.value.as_object_mut() {
            fields.remove("openedAt");
        }
    }

    /// A call failed, whenever it began.
    pub fn record_failure(&mut self, now: Timestamp) {
        self.wrote = true;
        // To JavaScript an absent number and one is not a number, which becomes null in JSON; null and one is one.
        let failures = self.value.get("failureCount").map(|count| count.as_u64().unwrap_or(0) + 1);
        self.value["failureCount"] = json!(failures);
        self.value["lastFailureTime"] = json!(now);
        if failures.is_some_and(|failures| failures >= FAILURE_THRESHOLD) {
            self.value["state"] = json!("OPEN");
            self.value["openedAt"] = json!(now);
        }
    }

    /// What it writes.
    #[must_use]
    pub fn into_text(self) -> String {
        self.value.to_string()
    }

    /// What it wrote, if it did.
    #[must_use]
    pub fn into_written(self) -> Option<String> {
        self.wrote.then(|| self.value.to_string())
    }
}
