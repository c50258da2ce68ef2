//! The one line that the log gets of each call.

use std::sync::Arc;

use breaker::ModelKey;
use dialects::{Endpoint, Usage};
use tokio::time::Instant;

use crate::{Call, Chain};

/// What is known of a call so far. Writes its line when it ends; dropped without an end, the client has left.
pub(crate) struct Record {
    id: String,
    endpoint: Endpoint,
    stream: bool,
    model: Arc<str>,
    began: Instant,
    outcome: &'static str,
    /// Who answered.
    pub(crate) answered_by: Option<ModelKey>,
    /// Calls to providers.
    pub(crate) attempts: u32,
    /// Tokens, as far as reported.
    pub(crate) usage: Usage,
}

impl Record {
    /// A call begins.
    pub(crate) fn begin(call: &Call, chain: &Chain) -> Self {
        Self {
            id: call.id.clone(),
            endpoint: call.request.endpoint(),
            stream: call.request.stream(),
            model: Arc::clone(&chain.name),
            began: Instant::now(),
            outcome: "client_left",
            answered_by: None,
            attempts: 0,
            usage: Usage::default(),
        }
    }

    /// When the call began.
    pub(crate) const fn began(&self) -> Instant {
        self.began
    }

    /// The call has ended.
    pub(crate) fn end(mut self, outcome: &'static str) {
        self.outcome = outcome;
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        tracing::info!(
            request = self.id,
            path = self.endpoint.path(),
            stream = self.stream,
            model = &*self.model,
            answered_by = self.answered_by.as_ref().map(ModelKey::as_str),
            attempts = self.attempts,
            duration_ms = self.began.elapsed().as_secs_f64() * 1000.0,
            tokens_in = self.usage.input,
            tokens_out = self.usage.output,
            outcome = self.outcome,
            "call"
        );
    }
}
