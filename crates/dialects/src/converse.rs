//! Amazon Bedrock's Converse and ConverseStream, which providers have and no caller uses.
//!
//! A stream comes as the events of `application/vnd.amazon.eventstream`. Whoever decodes them makes each an event of SSE
//! whose data is an object with the event's name as its one key: `{"contentBlockDelta":{…}}`, or for an exception
//! `{"throttlingException":{"message":…}}`.
//!
//! Source: botocore 1.44.8, `bedrock-runtime` 2023-09-30.

mod error;
mod event;
mod response;
mod usage;

use serde_json::{Value, json};

use crate::format::{ApiFormat, GatewayError, Parsed, TranslatedError};
use crate::json::Pattern;
use crate::progress::Progress;
use crate::response_meta::ResponseMeta;
use crate::usage::Usage;

pub(crate) struct Converse;

impl ApiFormat for Converse {
    fn name(&self) -> &'static str {
        "Amazon Bedrock Converse"
    }

    fn read_event(&self, data: &[u8], _: &mut ResponseMeta, pattern: &mut Pattern) -> Parsed<Progress> {
        event::read(data, pattern)
    }

    /// A response has neither an id nor the model's name.
    fn read_response(&self, body: &[u8], _: Option<&mut ResponseMeta>) -> Parsed<Usage> {
        response::read(body)
    }

    /// A stream ends with its connection.
    fn end_marker(&self) -> &'static str {
        ""
    }

    fn keep_alive(&self) -> &'static str {
        ""
    }

    fn error_object(&self, error: &GatewayError<'_>) -> Value {
        error::object(error.message)
    }

    fn translated_error(&self, error: &TranslatedError<'_>) -> Value {
        error::object(error.message)
    }

    fn error_body(&self, error: Value) -> Option<Value> {
        error::body(&error)
    }

    fn error_event(&self, body: &Value) -> String {
        error::event(body)
    }

    fn model(&self, name: &str) -> Value {
        json!({ "modelId": name })
    }

    fn model_list(&self, models: &[Value]) -> Value {
        json!({ "modelSummaries": models })
    }
}
