//! Reading a request's body.

use std::error::Error as _;

use axum::{
    body::{Body, to_bytes},
    extract::{FromRequest, Request},
};
use bytes::Bytes;
use http::StatusCode;
use http_body_util::LengthLimitError;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::error::{Error, Plain};

/// The largest body that says something about a circuit, in bytes.
const LARGEST_WORD: usize = 16 * 1024;

/// Reads all of it, up to so many bytes.
pub(crate) async fn read(body: Body, most: usize) -> Result<Bytes, Error> {
    to_bytes(body, most).await.map_err(|error| {
        if error.source().is_some_and(|source| source.is::<LengthLimitError>()) {
            let message = format!("the request body is larger than {most} bytes");
            Error::new(StatusCode::PAYLOAD_TOO_LARGE, "request_too_large", message)
        } else {
            Error::invalid("the request body broke off before its end".to_owned())
        }
    })
}

/// A small JSON object. No body at all is an empty one.
pub(crate) struct Word<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Word<T> {
    type Rejection = Plain;

    async fn from_request(request: Request, _: &S) -> Result<Self, Plain> {
        let body = read(request.into_body(), LARGEST_WORD).await?;
        let body = if body.is_empty() { Bytes::from_static(b"{}") } else { body };
        let wrong = |error: serde_json::Error| Error::invalid(format!("the request body: {error}"));
        // By way of an object, since a struct would be read out of an array, too.
        let object: Map<String, Value> = serde_json::from_slice(&body).map_err(wrong)?;
        Ok(Self(serde_json::from_value(Value::Object(object)).map_err(wrong)?))
    }
}
