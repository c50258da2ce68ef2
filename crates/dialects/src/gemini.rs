//! Gemini: Google's `generateContent` and `streamGenerateContent`.

mod chunk;
mod error;
mod models;
mod usage;

use serde_json::Value;

use crate::format::{ApiFormat, GatewayError, Parsed, TranslatedError};
use crate::json::Pattern;
use crate::progress::Progress;
use crate::response_meta::ResponseMeta;
use crate::usage::Usage;

pub(crate) struct Gemini;

impl ApiFormat for Gemini {
    fn name(&self) -> &'static str {
        "Gemini"
    }

    fn read_event(&self, data: &[u8], meta: &mut ResponseMeta, pattern: &mut Pattern) -> Parsed<Progress> {
        chunk::read_event(data, meta, pattern)
    }

    fn read_response(&self, body: &[u8], meta: Option<&mut ResponseMeta>) -> Parsed<Usage> {
        chunk::read_response(body, meta)
    }

    /// A stream ends with its connection.
    fn end_marker(&self) -> &'static str {
        ""
    }

    /// Google's SDK fails on comments, and there is no event without meaning.
    fn keep_alive(&self) -> &'static str {
        ""
    }

    fn error_object(&self, error: &GatewayError<'_>) -> Value {
        error::object(error)
    }

    fn error_body(&self, error: Value) -> Option<Value> {
        error::body(error)
    }

    fn error_event(&self, body: &Value) -> String {
        error::event(body)
    }

    fn translated_error(&self, error: &TranslatedError<'_>) -> Value {
        error::translated(error)
    }

    fn model(&self, name: &str) -> Value {
        models::model(name)
    }

    fn model_list(&self, models: &[Value]) -> Value {
        models::list(models)
    }
}
