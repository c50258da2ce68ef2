//! Requests that are compressed: Claude Code sends large ones so.

use std::io;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header::CONTENT_ENCODING};
use providers::{ContentCoding, Decoder};

use crate::{
    error::Error,
    joined_body::{JoinError, JoinedBody},
};

/// The longest name of a coding that an error repeats, in bytes.
const MAX_NAME_BYTES: usize = 40;

/// How the body is compressed; takes the header away, since providers get the plain body. `None`: it is not.
pub(crate) fn take_coding(headers: &mut HeaderMap) -> Result<Option<ContentCoding>, Error> {
    let Some(first) = headers.get(CONTENT_ENCODING) else { return Ok(None) };
    let is_only = headers.get_all(CONTENT_ENCODING).iter().count() == 1;
    let name = first.to_str().unwrap_or_default().trim();
    let coding = if is_only { ContentCoding::from_name(name) } else { None };
    let is_plain = is_only && (name.is_empty() && first.is_empty() || name.eq_ignore_ascii_case("identity"));
    if coding.is_none() && !is_plain {
        return Err(not_supported(if is_only { name } else { "several headers" }));
    }
    headers.remove(CONTENT_ENCODING);
    Ok(coding)
}

/// What is in several codings has none of these names either.
fn not_supported(name: &str) -> Error {
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-_, ".contains(&byte);
    let name = Some(name).filter(|name| name.len() <= MAX_NAME_BYTES && name.bytes().all(is_safe));
    let message = format!(
        "content-encoding ({}) is not supported; send the body plain, or in one of gzip, deflate, br, zstd",
        name.unwrap_or("another one")
    );
    Error::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_encoding", message)
}

/// The plain body. It is made in one go, so there are no more windows (8 MiB of zstd, 16 MiB of brotli) than threads.
pub(crate) fn decompress(coding: ContentCoding, body: &[u8], mut plain: JoinedBody) -> Result<Bytes, Error> {
    let mut decoder = Decoder::new(coding, &mut plain);
    let result = decoder.push(body).and_then(|()| decoder.finish());
    drop(decoder);
    result.map_err(|error| reason(&error))?;
    Ok(plain.into_bytes())
}

fn reason(error: &io::Error) -> Error {
    let join_error = error.get_ref().and_then(|source| source.downcast_ref::<JoinError>());
    join_error.map_or_else(
        || Error::invalid_request("the request body is not what its content-encoding says".to_owned()),
        |&error| error.into(),
    )
}
