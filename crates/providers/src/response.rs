//! What a provider answered.

use std::fmt;

use bytes::{Bytes, BytesMut};
use dialects::{ResponseMeta, Usage};
use http::{HeaderMap, StatusCode};
use reqwest::Response;

use crate::headers::forwarded_response_headers;
use crate::{EventStream, ProviderError, ProviderErrorKind};

/// The largest body of a plain answer: 64 MiB, which leaves room for generated images and audio.
const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;

/// What a provider answered.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "it is moved once a call; a box would be one more allocation")]
pub enum ProviderResponse {
    /// All at once.
    Complete(CompleteResponse),
    /// Event by event.
    Streaming(EventStream),
}

/// An answer in one piece.
#[derive(Clone)]
pub struct CompleteResponse {
    /// Its status.
    pub status: StatusCode,
    /// The headers that the caller gets.
    pub headers: HeaderMap,
    /// Its body as it came.
    pub body: Bytes,
    /// The tokens it reports.
    pub usage: Usage,
    /// Where it says that it comes from.
    pub meta: ResponseMeta,
}

/// Without the body, since it holds what the model says.
impl fmt::Debug for CompleteResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WholeAnswer")
            .field("status", &self.status)
            .field("body_bytes", &self.body.len())
            .field("usage", &self.usage)
            .finish_non_exhaustive()
    }
}

impl CompleteResponse {
    /// Reads the rest of an answer.
    pub(crate) async fn read(mut response: Response) -> Result<Self, ProviderError> {
        let body = read_body(&mut response).await?;
        let status = response.status();
        let headers = forwarded_response_headers(std::mem::take(response.headers_mut()));
        Ok(Self { status, headers, body, usage: Usage::default(), meta: ResponseMeta::default() })
    }
}

/// The whole body; not copied where it came in one piece.
async fn read_body(response: &mut Response) -> Result<Bytes, ProviderError> {
    let first = next_chunk(response).await?.unwrap_or_default();
    let Some(second) = next_chunk(response).await? else { return Ok(first) };
    let mut body = BytesMut::from(first);
    let mut next = Some(second);
    while let Some(chunk) = next {
        if body.len() + chunk.len() > MAX_BODY_BYTES {
            return Err(ProviderError::too_large(MAX_BODY_BYTES));
        }
        body.extend_from_slice(&chunk);
        next = next_chunk(response).await?;
    }
    Ok(body.freeze())
}

/// The next piece of a body. Any error here comes after a connection was made and a head received, so it is a cut.
pub(crate) async fn next_chunk(response: &mut Response) -> Result<Option<Bytes>, ProviderError> {
    response.chunk().await.map_err(|_| ProviderError::provider_failure(ProviderErrorKind::Truncated))
}
