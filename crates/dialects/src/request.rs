//! What a gateway reads of a request: the model, whether to stream, and what it refers to.

mod conversation;
mod malformed;
mod scan;
mod stored;

use std::fmt;
use std::ops::Range;

use bytes::{BufMut, Bytes, BytesMut};

use crate::endpoint::Endpoint;
use crate::form::{Form, FormError};
use crate::json::{self, Cursor, MAX_DEPTH, NotJson};
use crate::openai_call::{OpenAiCall, Streams};
pub use conversation::Conversation;
use malformed::Malformed;
use scan::{Model, ScannedFields};
use stored::ScannedStored;
pub use stored::StoredReference;

/// What asks for the tokens of a stream, as a field that follows another.
const INCLUDE_USAGE: &str = r#","stream_options":{"include_usage":true}"#;

/// A caller's request: its unchanged body, and the fields that were read from it.
#[derive(Clone)]
pub struct Request {
    endpoint: Endpoint,
    body: Bytes,
    model: String,
    name_place: NamePlace,
    stream: bool,
    json_array: bool,
    has_stream_options: bool,
    stored: Option<StoredReference>,
}

/// Where the body names the model.
#[derive(Debug, Clone)]
enum NamePlace {
    /// Nowhere: the path does.
    Path,
    /// In a JSON string, quotes included.
    Json(Range<usize>),
    /// In no field yet. It can stand here, behind the object's brace; `is_alone`: no other field follows.
    Absent { at: usize, is_alone: bool },
    /// In the value of a form's field.
    Form(Range<usize>),
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
    #[error("the request body is nested too deeply: arrays and objects may have {} levels", MAX_DEPTH)]
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
    /// No form that every reader reads alike.
    #[error(transparent)]
    Form(#[from] FormError),
    /// A form where JSON was to come.
    #[error("POST {0} takes JSON, and no form")]
    NoFormHere(&'static str),
}

impl Request {
    /// Reads a body, without a document tree.
    ///
    /// # Errors
    /// When it is not a JSON object with exactly one `model`; moderations need none.
    pub fn parse(endpoint: Endpoint, body: Bytes) -> Result<Self, RequestError> {
        let mut fields = ScannedFields::default();
        scan(endpoint, &body, &mut fields)?;
        let (model, name_place) = match (fields.model, default_model(endpoint)) {
            (None, Some(default)) => (default.to_owned(), place_for_name(&body)),
            (None, None) => return Err(RequestError::MissingModel),
            (Some(Model { raw, plain }), _) => {
                let start = raw.as_ptr().addr() - body.as_ptr().addr();
                (decode_model(raw, plain)?, NamePlace::Json(start..start + raw.len()))
            }
        };
        if model.is_empty() {
            return Err(RequestError::ModelNotAString);
        }
        let stream = match streams(endpoint) {
            Streams::Never => false,
            Streams::Always => true,
            Streams::OnRequest => match fields.stream {
                None | Some(b"false" | b"null") => false,
                Some(b"true") => true,
                Some(_) => return Err(RequestError::StreamNotABoolean),
            },
        };
        let has_stream_options = fields.has_stream_options;
        let stored = fields.stored.and_then(ScannedStored::into_reference);
        Ok(Self { endpoint, body, model, name_place, stream, json_array: false, has_stream_options, stored })
    }

    /// Reads a form with this `content-type`, in which the model is a field beside files.
    ///
    /// # Errors
    /// When the endpoint takes none, or it is no form with exactly one `model`.
    pub fn parse_form(endpoint: Endpoint, content_type: &str, body: Bytes) -> Result<Self, RequestError> {
        if !endpoint.openai_call().is_some_and(OpenAiCall::takes_form) {
            return Err(RequestError::NoFormHere(endpoint.path()));
        }
        let form = Form::read(content_type, &body)?;
        let range = form.model.ok_or(RequestError::MissingModel)?;
        let model = std::str::from_utf8(&body[range.clone()]).map_err(|_| RequestError::ModelNotAString)?;
        if model.is_empty() {
            return Err(RequestError::ModelNotAString);
        }
        // Written as a truth is in forms; anything else is the provider's to refuse.
        let is_true = |range: Range<usize>| body[range].eq_ignore_ascii_case(b"true");
        let stream = streams(endpoint) == Streams::OnRequest && form.stream.is_some_and(is_true);
        let (model, name_place) = (model.to_owned(), NamePlace::Form(range));
        let (json_array, has_stream_options, stored) = (false, false, None);
        Ok(Self { endpoint, body, model, name_place, stream, json_array, has_stream_options, stored })
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
        let mut fields = ScannedFields::default();
        scan(endpoint, &body, &mut fields)?;
        let stored = fields.stored.and_then(ScannedStored::into_reference);
        let (name_place, has_stream_options) = (NamePlace::Path, false);
        Ok(Self { endpoint, body, model, name_place, stream, json_array, has_stream_options, stored })
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

    /// Whether it is a stream of completions (of a chat, or the older ones) whose caller has left open whether to report its
    /// tokens: there is no `stream_options`.
    #[must_use]
    pub fn leaves_usage_open(&self) -> bool {
        let has_option =
            matches!(self.endpoint, Endpoint::ChatCompletions | Endpoint::OpenAi(OpenAiCall::Completions));
        self.stream && !self.has_stream_options && has_option
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
        if model == self.model {
            return self.body.clone();
        }
        match &self.name_place {
            NamePlace::Path => self.body.clone(),
            NamePlace::Json(range) => self.replace(range.clone(), &quoted(model)),
            NamePlace::Absent { at, is_alone } => {
                let comma = if *is_alone { "" } else { "," };
                self.replace(*at..*at, &format!("\"model\":{}{comma}", quoted(model)))
            }
            NamePlace::Form(_) => self.pieces_with_model(model).concat().into(),
        }
    }

    /// The same in pieces that follow one another. What surrounds the name in a form is not copied: its files are large.
    #[must_use]
    pub fn pieces_with_model(&self, model: &str) -> [Bytes; 3] {
        match &self.name_place {
            NamePlace::Form(range) if model != self.model => [
                self.body.slice(..range.start),
                Bytes::copy_from_slice(model.as_bytes()),
                self.body.slice(range.end..),
            ],
            _ => [self.with_model(model), Bytes::new(), Bytes::new()],
        }
    }

    /// The body with another model's name, which also asks for the tokens of its stream. For a request that
    /// [leaves that open](Self::leaves_usage_open).
    #[must_use]
    pub fn with_model_and_usage(&self, model: &str) -> Bytes {
        match &self.name_place {
            NamePlace::Json(range) => self.replace(range.clone(), &(quoted(model) + INCLUDE_USAGE)),
            _ => self.with_model(model),
        }
    }

    fn replace(&self, range: Range<usize>, text: &str) -> Bytes {
        let mut body = BytesMut::with_capacity(self.body.len() + text.len());
        body.put_slice(&self.body[..range.start]);
        body.put_slice(text.as_bytes());
        body.put_slice(&self.body[range.end..]);
        body.freeze()
    }
}

fn quoted(model: &str) -> String {
    serde_json::Value::from(model).to_string()
}

fn default_model(endpoint: Endpoint) -> Option<&'static str> {
    endpoint.openai_call().and_then(OpenAiCall::default_model)
}

fn streams(endpoint: Endpoint) -> Streams {
    endpoint.openai_call().map_or(Streams::OnRequest, OpenAiCall::streams)
}

/// Of an object without a model.
fn place_for_name(body: &[u8]) -> NamePlace {
    let at = body.iter().position(|byte| *byte == b'{').map_or(0, |brace| brace + 1);
    NamePlace::Absent { at, is_alone: body[at..].trim_ascii_start().starts_with(b"}") }
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

impl From<Malformed> for RequestError {
    fn from(malformed: Malformed) -> Self {
        match malformed {
            Malformed::TooDeep => Self::TooDeep,
            Malformed::NotJson { line, column } => Self::NotJson { line, column },
            Malformed::NotAnObject => Self::NotAnObject,
        }
    }
}

/// A body that no parser can read is refused here: a provider that chokes on it answers like one that is down.
fn scan<'a>(endpoint: Endpoint, body: &'a [u8], fields: &mut ScannedFields<'a>) -> Result<(), RequestError> {
    let scanned = scan::scan(endpoint.dialect(), body, fields);
    // Most bodies are ASCII, which the scan has seen.
    if !fields.is_ascii {
        str::from_utf8(body).map_err(|error| RequestError::NotUtf8 { position: error.valid_up_to() })?;
    }
    scanned.map_err(|NotJson| RequestError::from(malformed::explain(body)))?;
    fields.duplicate.map_or(Ok(()), |key| Err(RequestError::DuplicateField(key)))
}

fn decode_model(raw: &[u8], plain: Option<&[u8]>) -> Result<String, RequestError> {
    if let Some(Ok(model)) = plain.map(str::from_utf8) {
        return Ok(model.to_owned());
    }
    let model = json::read(raw, Cursor::text).map_err(|NotJson| RequestError::ModelNotAString)?;
    Ok(model.decode().into_owned())
}

#[cfg(test)]
mod tests;
