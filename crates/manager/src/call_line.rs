//! What the log says about a call that has ended: the fields of its line, their names and their order. The form of a line and its
//! way are the program's: a line is not an event of `tracing`, since to record one costs more than the rest of a call's record.

use std::fmt;

use crate::Translated;

/// Takes the line of each call.
pub trait CallLines: fmt::Debug + Send + Sync + 'static {
    /// A call has ended. Must not block: what is in its way is the call.
    fn add(&self, line: &CallLine<'_>);
}

/// The fields of a line, one after another.
pub trait LineFields {
    /// A text that may have any character.
    fn text(&mut self, name: &'static str, value: &str);

    /// A text of this program, which has nothing but letters, digits and punctuation, and neither `"` nor `\`.
    fn label(&mut self, name: &'static str, value: &'static str);

    /// Something that is not text.
    fn value(&mut self, name: &'static str, value: &dyn fmt::Display);

    /// A count.
    fn number(&mut self, name: &'static str, value: u64);

    /// Yes or no.
    fn flag(&mut self, name: &'static str, value: bool);
}

/// The line of a call.
#[derive(Debug, Clone, Copy)]
pub struct CallLine<'a> {
    /// The request's id.
    pub request: &'a str,
    /// The name of the caller's key.
    pub caller: Option<&'a str>,
    /// The path of the endpoint.
    pub path: &'static str,
    /// Whether a stream was requested.
    pub stream: bool,
    /// The requested route or model.
    pub model: &'a str,
    /// The model that responded.
    pub answered_by: Option<&'a str>,
    /// What that model's provider calls the request.
    pub upstream_request: Option<&'a str>,
    /// Requests to providers.
    pub attempts: u32,
    /// Why they failed.
    pub attempt_failures: Option<&'a str>,
    /// How the request was translated.
    pub translated: Option<&'a Translated>,
    /// Its fields that were left out for that.
    pub dropped: Option<&'a str>,
    /// From its beginning to its end, in ms.
    pub duration_ms: u64,
    /// From its beginning to the first token of a stream, in ms.
    pub first_token_ms: Option<u64>,
    /// The tokens of the request, as the response reports them.
    pub tokens_in: Option<u64>,
    /// The tokens of the response.
    pub tokens_out: Option<u64>,
    /// How it has ended.
    pub outcome: &'static str,
}

impl CallLine<'_> {
    /// What filters of the log call the origin of these lines. Their level is "info".
    pub const TARGET: &'static str = "manager::call_log";

    /// What a line says before its fields.
    pub const MESSAGE: &'static str = "call";

    /// Gives the fields that have a value.
    #[inline]
    pub fn write_to(&self, fields: &mut impl LineFields) {
        fields.text("request", self.request);
        if let Some(caller) = self.caller {
            fields.text("caller", caller);
        }
        fields.label("path", self.path);
        fields.flag("stream", self.stream);
        fields.text("model", self.model);
        if let Some(model) = self.answered_by {
            fields.text("answered_by", model);
        }
        if let Some(id) = self.upstream_request {
            fields.text("upstream_request", id);
        }
        fields.number("attempts", self.attempts.into());
        if let Some(failures) = self.attempt_failures {
            fields.text("attempt_failures", failures);
        }
        if let Some(translated) = self.translated {
            fields.value("translated", translated);
        }
        if let Some(dropped) = self.dropped {
            fields.text("dropped", dropped);
        }
        fields.number("duration_ms", self.duration_ms);
        if let Some(duration) = self.first_token_ms {
            fields.number("first_token_ms", duration);
        }
        if let Some(tokens) = self.tokens_in {
            fields.number("tokens_in", tokens);
        }
        if let Some(tokens) = self.tokens_out {
            fields.number("tokens_out", tokens);
        }
        fields.label("outcome", self.outcome);
    }
}
