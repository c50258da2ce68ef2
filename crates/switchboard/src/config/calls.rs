//! `[retry]`, `[timeouts]`, `stream`, `hedge_after` and `on_auth_error`: for all requests, or for one route.

use std::time::Duration;

use manager::{OnAuthError, Retry, StreamMode};
use providers::Timeouts;

use super::{document::Section, value::Value};

/// The values of `stream`.
pub(super) const STREAM_MODES: [(&str, StreamMode); 2] =
    [("passthrough", StreamMode::PassThrough), ("buffer", StreamMode::Buffer)];

/// The values of `on_auth_error`.
pub(super) const ON_AUTH_ERROR: [(&str, OnAuthError); 2] =
    [("report", OnAuthError::Report), ("fallback", OnAuthError::Fallback)];

/// How requests are made: at the top of the file for all of them, in a route for that route.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallSettings {
    /// Retries on the same model.
    pub retry: Retry,
    /// The timeouts.
    pub timeouts: Timeouts,
    /// Pass-through or buffer.
    pub stream: StreamMode,
    /// Without a first token by then, the next model is started too.
    pub hedge_after: Option<Duration>,
    /// What follows a 401 or 403 of a provider.
    pub on_auth_error: OnAuthError,
}

impl CallSettings {
    /// These settings, overridden by those of a table.
    pub(super) fn with_overrides(mut self, section: &mut Section<'_>) -> Self {
        section.read_into("stream", &mut self.stream, |value| value.choice(&STREAM_MODES));
        section.read_into("hedge_after", &mut self.hedge_after, Value::nonzero_duration_or_off);
        section.read_into("on_auth_error", &mut self.on_auth_error, |value| value.choice(&ON_AUTH_ERROR));
        read_retry(section.section("retry"), &mut self.retry);
        read_timeouts(section.section("timeouts"), &mut self.timeouts);
        self
    }
}

fn read_retry(mut section: Section<'_>, retry: &mut Retry) {
    section.read_into("max_attempts", &mut retry.max_attempts, Value::positive_integer);
    section.read_into("initial_backoff", &mut retry.initial_backoff, Value::duration);
    section.read_into("max_retry_after", &mut retry.max_retry_after, Value::duration);
    section.report_unknown_keys();
}

fn read_timeouts(mut section: Section<'_>, timeouts: &mut Timeouts) {
    section.read_into("connect", &mut timeouts.connect, Value::nonzero_duration);
    section.read_into("first_byte", &mut timeouts.first_byte, Value::nonzero_duration);
    section.read_into("first_token", &mut timeouts.first_token, Value::nonzero_duration);
    section.read_into("idle", &mut timeouts.idle, Value::nonzero_duration);
    section.read_into("response", &mut timeouts.response, Value::nonzero_duration);
    section.read_into("total", &mut timeouts.total, Value::nonzero_duration);
    section.report_unknown_keys();
}
