//! `[retry]`, `[timeouts]` and how routes behave: for all calls, and over that for one route.

use std::time::Duration;

use manager::{OnAuthError, Retry, StreamMode};
use providers::Timeouts;

use super::{document::Section, value::Value};

/// The words of `stream`.
pub(super) const STREAM_MODES: [(&str, StreamMode); 2] =
    [("passthrough", StreamMode::Relay), ("buffer", StreamMode::Hold)];

/// The words of `on_auth_error`.
pub(super) const ON_AUTH_ERROR: [(&str, OnAuthError); 2] =
    [("report", OnAuthError::Report), ("fallback", OnAuthError::Fallback)];

/// How calls are made: at the top of the file for all of them, in a route for that route.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Calls {
    /// Retries on one model.
    pub retry: Retry,
    /// The limits on a call.
    pub timeouts: Timeouts,
    /// Relay or hold.
    pub stream: StreamMode,
    /// No content by then: the next model is started too.
    pub hedge_after: Option<Duration>,
    /// What a 401 or 403 of a provider leads to.
    pub on_auth_error: OnAuthError,
}

impl Calls {
    /// These settings with those of a table over them.
    pub(super) fn overlaid(mut self, section: &mut Section<'_>) -> Self {
        section.set("stream", &mut self.stream, |value| value.choice(&STREAM_MODES));
        section.set("hedge_after", &mut self.hedge_after, Value::period_or_off);
        section.set("on_auth_error", &mut self.on_auth_error, |value| value.choice(&ON_AUTH_ERROR));
        read_retry(section.section("retry"), &mut self.retry);
        read_timeouts(section.section("timeouts"), &mut self.timeouts);
        self
    }
}

fn read_retry(mut section: Section<'_>, retry: &mut Retry) {
    section.set("max_attempts", &mut retry.attempts, Value::count);
    section.set("initial_backoff", &mut retry.backoff, Value::duration);
    section.set("max_retry_after", &mut retry.max_retry_after, Value::duration);
    section.finish();
}

fn read_timeouts(mut section: Section<'_>, timeouts: &mut Timeouts) {
    section.set("connect", &mut timeouts.connect, Value::period);
    section.set("first_byte", &mut timeouts.first_byte, Value::period);
    section.set("first_token", &mut timeouts.first_token, Value::period);
    section.set("idle", &mut timeouts.idle, Value::period);
    section.set("response", &mut timeouts.answer, Value::period);
    section.set("total", &mut timeouts.total, Value::period);
    section.finish();
}
