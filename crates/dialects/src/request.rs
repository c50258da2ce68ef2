//! What a gateway reads of a request: the model, and whether to stream.

use std::fmt;
use std::ops::Range;

use bytes::{BufMut, Bytes, BytesMut};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::endpoint::Endpoint;

/// A caller's request: its unchanged body, and the fields that were read from it.
#[derive(Clone)]
pub struct Request {
    endpoint: Endpoint,
    body: Bytes,
    model: String,
    /// The range of the model's JSON string in the body, quotes included.
    model_range: Range<usize>,
    stream: bool,
}

/// Why a body is no request. The caller has to change it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
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
    /// Reads a body, in one pass and without a document tree.
    ///
    /// # Errors
    /// When it is not a JSON object with exactly one `model`.
    pub fn parse(endpoint: Endpoint, body: Bytes) -> Result<Self, RequestError> {
        let fields: ScannedFields<'_> = serde_json::from_slice(&body).map_err(|error| parse_error(&error))?;
        if let Some(key) = fields.duplicate {
            return Err(RequestError::DuplicateField(key));
        }
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
        let start = raw.as_ptr().addr() - body.as_ptr().addr();
        let model_range = start..start + raw.len();
        Ok(Self { endpoint, body, model, model_range, stream })
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

    /// The unchanged body.
    #[must_use]
    pub const fn body(&self) -> &Bytes {
        &self.body
    }

    /// The body with another model's name; every other byte is unchanged. With the same name it is the same body, not
    /// a copy.
    #[must_use]
    pub fn with_model(&self, model: &str) -> Bytes {
        if model == self.model {
            return self.body.clone();
        }
        let name = serde_json::Value::from(model).to_string();
        let mut body = BytesMut::with_capacity(self.body.len() + name.len());
        body.put_slice(&self.body[..self.model_range.start]);
        body.put_slice(name.as_bytes());
        body.put_slice(&self.body[self.model_range.end..]);
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

/// The fields of the body's top level that matter. Reading fails on syntax only; the values are checked afterwards.
#[derive(Default)]
struct ScannedFields<'a> {
    model: Option<&'a RawValue>,
    stream: Option<&'a RawValue>,
    duplicate: Option<&'static str>,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Key {
    Model,
    Stream,
    #[serde(other)]
    Other,
}

impl<'de> Deserialize<'de> for ScannedFields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ScannedFieldsVisitor)
    }
}

struct ScannedFieldsVisitor;

impl<'de> Visitor<'de> for ScannedFieldsVisitor {
    type Value = ScannedFields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = ScannedFields::default();
        while let Some(key) = map.next_key::<Key>()? {
            let (slot, name) = match key {
                Key::Model => (&mut fields.model, "model"),
                Key::Stream => (&mut fields.stream, "stream"),
                Key::Other => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            if slot.replace(map.next_value()?).is_some() {
                fields.duplicate = Some(name);
            }
        }
        Ok(fields)
    }
}

fn parse_error(error: &serde_json::Error) -> RequestError {
    match error.classify() {
        // `ScannedFields` rejects no value except one that is not an object.
        Category::Data => RequestError::NotAnObject,
        Category::Syntax | Category::Eof | Category::Io => {
            RequestError::NotJson { line: error.line(), column: error.column() }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};
    use serde_json::json;

    use super::{Bytes, Endpoint, Request, RequestError};

    fn parse(body: &'static str) -> Result<Request, RequestError> {
        Request::parse(Endpoint::ChatCompletions, Bytes::from_static(body.as_bytes()))
    }

    #[test]
    fn model_and_stream_are_found_wherever_they_stand() {
        let request =
            parse(r#"{"messages":[{"model":"not this"}],"stream":true, "model" : "gpt-5" }"#).unwrap();
        assert_eq!((request.model(), request.stream()), ("gpt-5", true));
        let request = parse(r#"{"mod\u0065l":"a\u0062c","stream":null}"#).unwrap();
        assert_eq!((request.model(), request.stream()), ("abc", false));
    }

    #[test]
    fn bodies_that_are_no_request() {
        for (body, expected) in [
            ("", RequestError::NotJson { line: 1, column: 0 }),
            ("{\n\"model\": oops}", RequestError::NotJson { line: 2, column: 10 }),
            (r#"{"model":"a"} trailing"#, RequestError::NotJson { line: 1, column: 15 }),
            (r#"{"model":"a""#, RequestError::NotJson { line: 1, column: 12 }),
            (r#"["model","a"]"#, RequestError::NotAnObject),
            ("null", RequestError::NotAnObject),
            ("{}", RequestError::MissingModel),
            (r#"{"model":null}"#, RequestError::ModelNotAString),
            (r#"{"model":7}"#, RequestError::ModelNotAString),
            (r#"{"model":""}"#, RequestError::ModelNotAString),
            (r#"{"model":"a","model":"b"}"#, RequestError::DuplicateField("model")),
            (r#"{"model":"a","mod\u0065l":"b"}"#, RequestError::DuplicateField("model")),
            (r#"{"model":"a","stream":true,"stream":false}"#, RequestError::DuplicateField("stream")),
            (r#"{"model":"a","stream":"yes"}"#, RequestError::StreamNotABoolean),
        ] {
            assert_eq!(parse(body).unwrap_err(), expected, "{body}");
        }
    }

    #[test]
    fn an_error_and_debug_quote_nothing_of_the_prompt() {
        let error = parse(r#"{"model":"a","messages":"my secret" oops"#).unwrap_err();
        assert!(!error.to_string().contains("secret"));
        let request = parse(r#"{"model":"a","messages":"my secret"}"#).unwrap();
        assert!(!format!("{request:?}").contains("secret"));
    }

    #[test]
    fn only_the_models_bytes_change() {
        let request = parse("{ \"x\":1.0e0 ,\"model\":\t\"a\", \"z\":\"\\u00e9\", \"z\":2}").unwrap();
        assert_eq!(
            request.with_model("openai/\"b\""),
            "{ \"x\":1.0e0 ,\"model\":\t\"openai/\\\"b\\\"\", \"z\":\"\\u00e9\", \"z\":2}"
        );
    }

    #[test]
    fn the_same_name_copies_nothing() {
        let request = parse(r#"{"model":"a"}"#).unwrap();
        assert_eq!(request.with_model("a").as_ptr(), request.body().as_ptr());
    }

    proptest! {
        #[test]
        fn any_names_survive(old in ".+", new in ".+", prompt in any::<String>(), first in any::<bool>()) {
            let body = |model: &str| if first {
                json!({"model": model, "prompt": prompt}).to_string()
            } else {
                json!({"prompt": prompt, "model": model}).to_string()
            };
            let request = Request::parse(Endpoint::Messages, Bytes::from(body(&old))).unwrap();
            prop_assert_eq!(request.model(), &old);
            prop_assert_eq!(request.with_model(&new), body(&new));
        }
    }
}
