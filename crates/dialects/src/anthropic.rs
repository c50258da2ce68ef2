//! Anthropic Messages.

mod error;
mod event;
mod models;
mod response;
mod usage;

use serde_json::Value;

use crate::format::{ApiFormat, GatewayError, Parsed, TranslatedError};
use crate::json::Pattern;
use crate::progress::Progress;
use crate::response_meta::ResponseMeta;
use crate::usage::Usage;

pub(crate) struct Anthropic;

impl ApiFormat for Anthropic {
    fn name(&self) -> &'static str {
        "Anthropic Messages"
    }

    fn read_event(&self, data: &[u8], meta: &mut ResponseMeta, pattern: &mut Pattern) -> Parsed<Progress> {
        event::read(data, meta, pattern)
    }

    fn read_response(&self, body: &[u8], meta: Option<&mut ResponseMeta>) -> Parsed<Usage> {
        response::read(body, meta)
    }

    fn end_marker(&self) -> &'static str {
        "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
    }

    fn keep_alive(&self) -> &'static str {
        "event: ping\ndata: {\"type\":\"ping\"}\n\n"
    }

    fn error_object(&self, error: &GatewayError<'_>) -> Value {
        error::object(error)
    }

    fn translated_error(&self, error: &TranslatedError<'_>) -> Value {
        error::translated(error)
    }

    fn error_event(&self, body: &Value) -> String {
        format!("event: error\ndata: {body}\n\n")
    }

    fn model(&self, name: &str) -> Value {
        models::model(name)
    }

    fn model_list(&self, models: &[Value]) -> Value {
        models::list(models)
    }
}
