//! Reading the body of a response.

use bytes::{Bytes, BytesMut};
use dialects::{ResponseMeta, Usage};

use crate::client::{ClientResponse, ResponseBody};
use crate::decode::BodyDecoder;
use crate::error::ProviderError;
use crate::headers::{forwarded_response_headers, with_upstream_request_id};
use crate::response::CompleteResponse;

/// The largest body of a response that is not streamed: 64 MiB, enough for generated images and audio.
const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;

/// How much memory an announced length is given before the bytes are there.
const MAX_RESERVED_BYTES: usize = 256 * 1024;

/// So much white space is read ahead of an answer before it is looked at.
const MAX_BLANK_BYTES: usize = 64 * 1024;

/// Reads a response to its end.
pub(crate) async fn read_complete(response: ClientResponse) -> Result<CompleteResponse, ProviderError> {
    read_rest(None, response).await
}

/// The same of a response whose first chunk is read already, if there is one.
pub(crate) async fn read_rest(
    first: Option<Bytes>,
    response: ClientResponse,
) -> Result<CompleteResponse, ProviderError> {
    let ClientResponse { status, mut headers, mut body } = response;
    let decoder = BodyDecoder::take_from(&mut headers);
    let mut body = read_body(first, &mut body).await?;
    if let Some(mut decoder) = decoder {
        body = [decoder.push(&body)?, decoder.finish()?].concat().into();
    }
    let headers = if status.is_success() {
        with_upstream_request_id(headers)
    } else {
        forwarded_response_headers(headers)
    };
    Ok(CompleteResponse { status, headers, body, usage: Usage::default(), meta: ResponseMeta::default() })
}

/// The first chunk of a body, without an end of white space alone, which some servers send until they have an answer.
pub(crate) async fn read_first(response: &mut ResponseBody) -> Result<Option<Bytes>, ProviderError> {
    let Some(first) = next_chunk(response).await? else { return Ok(None) };
    if !first.trim_ascii().is_empty() {
        return Ok(Some(first));
    }
    let mut read = BytesMut::from(first);
    while read.trim_ascii().is_empty() && read.len() < MAX_BLANK_BYTES {
        let Some(next) = next_chunk(response).await? else { break };
        read.extend_from_slice(&next);
    }
    Ok(Some(read.freeze()))
}

/// The complete body; not copied if it arrived in one chunk.
async fn read_body(first: Option<Bytes>, response: &mut ResponseBody) -> Result<Bytes, ProviderError> {
    let expected = response.remaining().and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or_default();
    if expected > MAX_BODY_BYTES {
        return Err(ProviderError::too_large(MAX_BODY_BYTES));
    }
    let first = match first {
        Some(first) => first,
        None => next_chunk(response).await?.unwrap_or_default(),
    };
    let Some(second) = next_chunk(response).await? else { return Ok(first) };
    // Without trust in the announced length: whoever sends nothing gets no memory.
    let mut body = BytesMut::with_capacity(expected.min(MAX_RESERVED_BYTES).max(first.len() + second.len()));
    body.extend_from_slice(&first);
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
pub(crate) async fn next_chunk(response: &mut ResponseBody) -> Result<Option<Bytes>, ProviderError> {
    response.chunk().await.map_err(ProviderError::from)
}
