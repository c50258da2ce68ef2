//! OpenAI Responses. Its errors outside streams and its list of models are those of Chat Completions.

mod error;
mod event;
mod response;
mod usage;

use serde_json::Value;

use crate::format::{ApiFormat, GatewayError, Parsed, TranslatedError};
use crate::json::Pattern;
use crate::openai_chat::OpenAiChat;
use crate::progress::Progress;
use crate::response_meta::ResponseMeta;
use crate::usage::Usage;

pub(crate) struct OpenAiResponses;

impl ApiFormat for OpenAiResponses {
    fn name(&self) -> &'static str {
        "OpenAI Responses"
    }

    fn read_event(&self, data: &[u8], meta: &mut ResponseMeta, pattern: &mut Pattern) -> Parsed<Progress> {
        event::read(data, meta, pattern)
    }

    fn read_response(&self, body: &[u8], meta: Option<&mut ResponseMeta>) -> Parsed<Usage> {
        response::read(body, meta)
    }

    /// The event with the finish is also the last one, so no stream lacks just a marker.
    fn end_marker(&self) -> &'static str {
        ""
    }

    fn keep_alive(&self) -> &'static str {
        OpenAiChat.keep_alive()
    }

    fn error_object(&self, error: &GatewayError<'_>) -> Value {
        OpenAiChat.error_object(error)
    }

    fn error_body(&self, error: Value) -> Option<Value> {
        error::body(error)
    }

    fn error_event(&self, body: &Value) -> String {
        error::event(body)
    }

    fn translated_error(&self, error: &TranslatedError<'_>) -> Value {
        OpenAiChat.translated_error(error)
    }

    fn model(&self, name: &str) -> Value {
        OpenAiChat.model(name)
    }

    fn model_list(&self, models: &[Value]) -> Value {
        OpenAiChat.model_list(models)
    }
}
