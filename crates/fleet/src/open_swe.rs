//! What an Open SWE instance does with a circuit's key: its rules as far as Redis sees them, quirks included. It reads and
//! writes in two steps, between which others may write.

use breaker::Timestamp;
use serde_json::{Map, Value, json};

/// After this many failures, and for this many ms, it stops using a model.
const FAILURE_THRESHOLD: u64 = 2;
const OPEN_DURATION_MS: u64 = 180_000;

/// A circuit as an Open SWE instance reads it: a missing or invalid value is a closed one. Unknown fields are kept.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenSwe(Map<String, Value>);

impl OpenSwe {
    /// What it makes of a value.
    #[must_use]
    pub fn read(raw: Option<&[u8]>) -> Self {
        match raw.map(serde_json::from_slice) {
            Some(Ok(Value::Object(fields))) => Self(fields),
            _ => Self(Map::from_iter([
                ("state".to_owned(), json!("CLOSED")),
                ("failureCount".to_owned(), json!(0)),
                ("lastFailureTime".to_owned(), json!(0)),
            ])),
        }
    }

    /// Whether `state` says so.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.get("state") == Some(&json!("OPEN"))
    }

    /// Whether it may call. An open circuit whose period has ended is closed by that: it has no half-open.
    pub fn allows_call(&mut self, now: Timestamp) -> bool {
        if self.0.get("state") != Some(&json!("OPEN")) {
            return self.0.get("state") == Some(&json!("CLOSED"));
        }
        let opened_at = self.number_field("openedAt");
        if opened_at == 0 || now.as_millis().saturating_sub(opened_at) < OPEN_DURATION_MS {
            return false;
        }
        self.record_success();
        true
    }

    /// A call succeeded, whenever it began.
    pub fn record_success(&mut self) {
        self.0.insert("state".to_owned(), json!("CLOSED"));
        self.0.insert("failureCount".to_owned(), json!(0));
        self.0.remove("openedAt");
    }

    /// A call failed, whenever it began.
    pub fn record_failure(&mut self, now: Timestamp) {
        let failures = self.number_field("failureCount") + 1;
        self.0.insert("failureCount".to_owned(), json!(failures));
        self.0.insert("lastFailureTime".to_owned(), json!(now));
        if failures >= FAILURE_THRESHOLD {
            self.0.insert("state".to_owned(), json!("OPEN"));
            self.0.insert("openedAt".to_owned(), json!(now));
        }
    }

    /// What it writes.
    #[must_use]
    pub fn into_text(self) -> String {
        Value::Object(self.0).to_string()
    }

    fn number_field(&self, name: &str) -> u64 {
        self.0.get(name).and_then(Value::as_u64).unwrap_or(0)
    }
}
