//! What each API format provides.

use serde_json::Value;

use crate::error_body::ErrorCategory;
use crate::json::{NotJson, Pattern};
use crate::progress::Progress;
use crate::response_meta::ResponseMeta;
use crate::usage::Usage;

/// One API format. Each has a folder of its own, with an empty type that implements this.
pub(crate) trait ApiFormat: Sync {
    /// Its name for users.
    fn name(&self) -> &'static str;

    /// Reads the data of one event. What it says about the response goes into `meta`; `pattern` is it, for those that follow.
    fn read_event(&self, data: &[u8], meta: &mut ResponseMeta, pattern: &mut Pattern) -> Parsed<Progress>;

    /// Reads the body of a response that is not streamed. Its id and model go into `meta`, if anybody wants them.
    fn read_response(&self, body: &[u8], meta: Option<&mut ResponseMeta>) -> Parsed<Usage>;

    /// The event that ends a stream.
    fn end_marker(&self) -> &'static str;

    /// An event without content, which keeps a connection alive.
    fn keep_alive(&self) -> &'static str;

    /// The body of an error of the gateway's own.
    fn error_object(&self, error: &GatewayError<'_>) -> Value;

    /// The body of a provider's error of another format.
    fn translated_error(&self, error: &TranslatedError<'_>) -> Value;

    /// The body of a response that says what an error of this format says; `None`: it is no error. `error` may be the data
    /// of an event.
    fn error_body(&self, error: Value) -> Option<Value> {
        error.get("error").is_some().then_some(error)
    }

    /// The event that carries the body of an error in a stream.
    fn error_event(&self, body: &Value) -> String;

    /// One model, as an item of the list of models.
    fn model(&self, name: &str) -> Value;

    /// The list of these models.
    fn model_list(&self, models: &[Value]) -> Value;
}

/// What was read; `None`: an error object of the provider's.
pub(crate) type Parsed<T> = Result<Option<T>, UnexpectedShape>;

/// Bytes that do not have the shape of the format.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UnexpectedShape;

impl From<serde_json::Error> for UnexpectedShape {
    fn from(_: serde_json::Error) -> Self {
        Self
    }
}

impl From<NotJson> for UnexpectedShape {
    fn from(_: NotJson) -> Self {
        Self
    }
}

/// Whether an event's data is OpenAI's end marker, which is no JSON.
#[inline]
pub(crate) fn is_done_marker(data: &[u8]) -> bool {
    data.first() != Some(&b'{') && data.trim_ascii() == b"[DONE]"
}

/// An error of the gateway's own.
pub(crate) struct GatewayError<'a> {
    /// The HTTP status that it has, or would have had before the stream's head was sent.
    pub(crate) status: u16,
    pub(crate) code: &'a str,
    pub(crate) message: &'a str,
    /// `None` inside a stream: the head had it.
    pub(crate) request_id: Option<&'a str>,
}

/// A provider's error, for a caller of another format.
pub(crate) struct TranslatedError<'a> {
    pub(crate) status: u16,
    pub(crate) category: ErrorCategory,
    /// The provider's words.
    pub(crate) message: &'a str,
    /// Its type, code and parameter, if it speaks a format of OpenAI's.
    pub(crate) openai_names: OpenAiNames<'a>,
    /// `None` inside a stream.
    pub(crate) request_id: Option<&'a str>,
}

/// What only OpenAI's formats have.
#[derive(Default)]
pub(crate) struct OpenAiNames<'a> {
    pub(crate) error_type: Option<&'a str>,
    pub(crate) code: Option<&'a str>,
    pub(crate) param: Option<&'a str>,
}
