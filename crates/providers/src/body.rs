//! Reading the body of a response.

use bytes::{Bytes, BytesMut};
use dialects::{ResponseMeta, Usage};
use reqwest::Response;

use crate::decode::BodyDecoder;
use crate::error::{ProviderError, ProviderErrorKind};
use crate::headers::forwarded_response_headers;
use crate::response::CompleteResponse;

/// The largest body of a response that is not streamed: 64 MiB, enough for generated images and audio.
const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;

/// So much white space is read ahead of an answer before it is looked at.
const MAX_BLANK_BYTES: usize = 64 * 1024;

/// Reads a response to its end.
pub(crate) async fn read_complete(response: Response) -> Result<CompleteResponse, ProviderError> {
    read_rest(None, response).await
}

/// The same of a response whose first chunk is read already, if there is one.
pub(crate) async fn read_rest(
    first: Option<Bytes>,
    mut response: Response,
) -> Result<CompleteResponse, ProviderError> {
    let decoder = BodyDecoder::take_from(response.headers_mut());
    let mut body = read_body(first, &mut response).await?;
    if let Some(mut decoder) = decoder {
        body = [decoder.push(&body)?, decoder.finish()?].concat().into();
    }
    let status = response.status();
    let headers = forwarded_response_headers(std::mem::take(response.headers_mut()));
    Ok(CompleteResponse { status, headers, body, usage: Usage::default(), meta: ResponseMeta::default() })
}

/// The first chunk of a body, without an end of white space alone, which some servers send until they have an answer.
pub(crate) async fn read_first(response: &mut Response) -> Result<Option<Bytes>, ProviderError> {
    let Some(mut first) = next_chunk(response).await? else { return Ok(None) };
    while first.trim_ascii().is_empty() && first.len() < MAX_BLANK_BYTES {
        let Some(next) = next_chunk(response).await? else { break };
        first = [first, next].concat().into();
    }
    Ok(Some(first))
}

/// The complete body; not copied if it arrived in one chunk.
async fn read_body(first: Option<Bytes>, response: &mut Response) -> Result<Bytes, ProviderError> {
    let first = match first {
        Some(first) => first,
        None => next_chunk(response).await?.unwrap_or_default(),
    };
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

/// The next chunk of a body. The connection was made and the head received before, so any error here truncates the body.
pub(crate) async fn next_chunk(response: &mut Response) -> Result<Option<Bytes>, ProviderError> {
    response.chunk().await.map_err(|_| ProviderError::provider_failure(ProviderErrorKind::Truncated))
}
