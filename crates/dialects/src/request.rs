//! What a gateway reads of a request: the model, whether to stream, and what it refers to.

mod conversation;
mod depth;
mod scan;
mod stored;

use std::fmt;
use std::ops::Range;

use bytes::{BufMut, Bytes, BytesMut};
use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::endpoint::Endpoint;
pub use conversation::Conversation;
use scan::ScannedFields;
pub use stored::StoredReference;

/// What asks for the tokens of a stream, as a field that follows another.
const INCLUDE_USAGE: &str = r#","stream_options":{"include_usage":true}"#;

/// A caller's request: its unchanged body, and the fields that were read from it.
#[derive(Clone)]
pub struct Request {
    endpoint: Endpoint,
    body: Bytes,
    model: String,
    /// The range of the model's JSON string in the body, quotes included; `None`: the path names the model.
    model_range: Option<Range<usize>>,
    stream: bool,
    json_array: bool,
    has_stream_options: bool,
    stored: Option<StoredReference>,
}

/// Why a body is no request. The caller has to change it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Not UTF-8, which JSON is.
    #[error("the request body is not valid UTF-8: see byte {position}")]
    NotUtf8 {
        /// The first byte that is wrong, counted from 0.
        position: usize,
    },
    /// More levels of arrays and objects than parsers bear.
    #[error("the request body is nested too deeply: arrays and objects may have {} levels", depth::MAX_DEPTH)]
    TooDeep,
    /// Not JSON.
    #[error("the request body is not valid JSON: see line {line}, column {column}")]
    NotJson {
        /// Counted from 1.
        line: usize,
        /// Counted from 1; 0 is the beginning of the line.
        column: usize,
    },
    /// JSON, but not an object.
    #[error("the request body must be a JSON object")]
    NotAnObject,
    /// No `model`.
    #[error("the request has no field `model`: add it")]
    MissingModel,
    /// A path without the model that it should name.
    #[error("the path names no model: it is /v1beta/models/MODEL:generateContent")]
    MissingPathModel,
    /// A `model` that is not a string, or is empty.
    #[error("the field `model` must be a non-empty string")]
    ModelNotAString,
    /// A `stream` that is neither true, false nor null.
    #[error("the field `stream` must be true or false")]
    StreamNotABoolean,
    /// A duplicate key. Parsers differ in which one they use, so the provider might use another than the gateway.
    #[error("the field `{0}` occurs twice: remove one")]
    DuplicateField(&'static str),
}

impl Request {
    /// Reads a body, without a document tree.
    ///
    /// # Errors
    /// When it is not a JSON object with exactly one `model`.
    pub fn parse(endpoint: Endpoint, body: Bytes) -> Result<Self, RequestError> {
        let fields = scan(endpoint, &body)?;
        let raw = fields.model.ok_or(RequestError::MissingModel)?.get();
        let model: String = serde_json::from_str(raw).map_err(|_| RequestError::ModelNotAString)?;
        if model.is_empty() {
            return Err(RequestError::ModelNotAString);
        }
        let stream = match fields.stream.map(RawValue::get) {
            None | Some("false" | "null") => false,
            Some("true") => true,
            Some(_) => return Err(RequestError::StreamNotABoolean),
        };
        let has_stream_options = fields.has_stream_options;
        let stored = fields.stored.into_reference();
        let start = raw.as_ptr().addr() - body.as_ptr().addr();
        let model_range = Some(start..start + raw.len());
        Ok(Self { endpoint, body, model, model_range, stream, json_array: false, has_stream_options, stored })
    }

    /// Reads a body whose model and way of streaming are named in the path: Gemini's. A `model` in the body is allowed, and
    /// ignored. `json_array`: the caller wants the stream as a JSON array, since it did not ask for `alt=sse`.
    ///
    /// # Errors
    /// When it is not a JSON object, or `model` is empty.
    pub fn with_path_model(
        endpoint: Endpoint,
        body: Bytes,
        model: String,
        stream: bool,
        json_array: bool,
    ) -> Result<Self, RequestError> {
        if model.is_empty() {
            return Err(RequestError::MissingPathModel);
        }
        let stored = scan(endpoint, &body)?.stored.into_reference();
        let (model_range, has_stream_options) = (None, false);
        Ok(Self { endpoint, body, model, model_range, stream, json_array, has_stream_options, stored })
    }

    /// What tells its conversation from others. Reads the whole body once more.
    #[must_use]
    pub fn conversation(&self) -> Conversation<'_> {
        Conversation::read(&self.body)
    }

    /// The requested endpoint.
    #[must_use]
    pub const fn endpoint(&self) -> Endpoint {
        self.endpoint
    }

    /// The requested model or route.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Whether the response is to be streamed.
    #[must_use]
    pub const fn stream(&self) -> bool {
        self.stream
    }

    /// Whether the caller wants a stream as a JSON array instead of server-sent events.
    #[must_use]
    pub const fn json_array(&self) -> bool {
        self.json_array
    }

    /// Whether it is a stream of Chat Completions whose caller has left open whether to report its tokens: there is no
    /// `stream_options`.
    #[must_use]
    pub fn leaves_usage_open(&self) -> bool {
        self.stream && !self.has_stream_options && self.endpoint == Endpoint::ChatCompletions
    }

    /// What only the provider that stored it can answer for; `None`: the request is complete in itself, and any provider
    /// can answer it.
    #[must_use]
    pub const fn stored_reference(&self) -> Option<&StoredReference> {
        self.stored.as_ref()
    }

    /// The unchanged body.
    #[must_use]
    pub const fn body(&self) -> &Bytes {
        &self.body
    }

    /// The body with another model's name; every other byte is unchanged. With the same name, or where the path names the
    /// model, it is the same body, not a copy.
    #[must_use]
    pub fn with_model(&self, model: &str) -> Bytes {
        let Some(range) = self.model_range.clone().filter(|_| model != self.model) else {
            return self.body.clone();
        };
        self.replace(range, model, "")
    }

    /// The body with another model's name, which also asks for the tokens of its stream. For a request that
    /// [leaves that open](Self::leaves_usage_open).
    #[must_use]
    pub fn with_model_and_usage(&self, model: &str) -> Bytes {
        match self.model_range.clone() {
            Some(range) => self.replace(range, model, INCLUDE_USAGE),
            None => self.body.clone(),
        }
    }

    /// The body with another model's name, and `fields` behind it.
    fn replace(&self, range: Range<usize>, model: &str, fields: &str) -> Bytes {
        let name = serde_json::Value::from(model).to_string();
        let mut body = BytesMut::with_capacity(self.body.len() + name.len() + fields.len());
        body.put_slice(&self.body[..range.start]);
        body.put_slice(name.as_bytes());
        body.put_slice(fields.as_bytes());
        body.put_slice(&self.body[range.end..]);
        body.freeze()
    }
}

/// Without the body: it holds the prompt.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("endpoint", &self.endpoint)
            .field("model", &self.model)
            .field("stream", &self.stream)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// A body that no parser can read is refused here: a provider that chokes on it answers like one that is down.
fn scan(endpoint: Endpoint, body: &[u8]) -> Result<ScannedFields<'_>, RequestError> {
    let body =
        std::str::from_utf8(body).map_err(|error| RequestError::NotUtf8 { position: error.valid_up_to() })?;
    if depth::is_too_deep(body) {
        return Err(RequestError::TooDeep);
    }
    let fields = scan::scan(endpoint.dialect(), body).map_err(|error| parse_error(&error))?;
    fields.duplicate.map_or(Ok(fields), |key| Err(RequestError::DuplicateField(key)))
}

fn parse_error(error: &serde_json::Error) -> RequestError {
    match error.classify() {
        // The scan rejects no value except one that is not an object.
        Category::Data => RequestError::NotAnObject,
        Category::Syntax | Category::Eof | Category::Io => {
            RequestError::NotJson { line: error.line(), column: error.column() }
        }
    }
}

#[cfg(test)]
mod tests;
