//! The head of a request as the gateway reads it, for the crate `fuzz`: not a part of the interface.

use bytes::BytesMut;
use dialects::Dialect;
use http::{HeaderMap, HeaderName, Method, Uri};
use http1::Taken;

use crate::{
    error, keys::Keys, loopback, present_headers::PresentHeaders, request_head::HeadReader, request_path,
    request_rules,
};

/// What the head of a request is taken for.
#[derive(Debug, PartialEq, Eq)]
pub struct Head {
    /// The URI with the usual path, if it has another.
    pub usual_uri: Option<Uri>,
    /// What is wrong with it.
    pub violation: Option<&'static str>,
    /// The header that names another host than loopback.
    pub host_not_allowed: Option<HeaderName>,
    /// The API format of errors.
    pub dialect: Dialect,
    /// Whether it has one of the keys.
    pub has_key: bool,
}

/// Reads the head of a request.
#[must_use]
pub fn read_head(uri: &Uri, headers: &HeaderMap, keys: &Keys) -> Head {
    let present = PresentHeaders::of(headers);
    Head {
        usual_uri: request_path::usual(uri),
        violation: request_rules::violation(uri, headers, present),
        host_not_allowed: loopback::host_not_allowed(headers, present, true),
        dialect: error::dialect_of(uri.path(), headers),
        has_key: keys.identify(headers).is_ok_and(|key| key.is_some()),
    }
}

/// A request that was read to its end.
#[derive(Debug, PartialEq, Eq)]
pub struct WholeRequest {
    /// Its method.
    pub method: Method,
    /// Its target.
    pub uri: Uri,
    /// Its headers.
    pub headers: HeaderMap,
    /// The bytes of its body.
    pub body: Vec<u8>,
    /// Whether another request may follow it on its connection.
    pub keeps_alive: bool,
    /// The number of bytes that follow it.
    pub unread: usize,
}

/// Why a request was not read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRequest {
    /// It is answered with this status.
    Refused(u16),
    /// The connection ended before.
    Truncated,
}

/// Reads a request, as a connection does that ends after these pieces.
///
/// # Errors
/// When it is not one, or not a whole one.
pub fn read_request<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<WholeRequest, NoRequest> {
    let mut pieces = pieces.into_iter();
    let (mut reader, mut unread) = (HeadReader::default(), BytesMut::new());
    let mut head = loop {
        unread.extend_from_slice(pieces.next().ok_or(NoRequest::Truncated)?);
        match reader.next(&mut unread) {
            Ok(Some(head)) => break head,
            Ok(None) => {}
            Err(bad) => return Err(NoRequest::Refused(bad.status().as_u16())),
        }
    };
    let mut body = Vec::new();
    loop {
        match head.framing.take(&mut unread) {
            Ok(Taken::Data(bytes)) => body.extend_from_slice(&bytes),
            Ok(Taken::End) => break,
            Ok(Taken::Incomplete) => unread.extend_from_slice(pieces.next().ok_or(NoRequest::Truncated)?),
            Err(_) => return Err(NoRequest::Refused(400)),
        }
    }
    let unread = unread.len() + pieces.map(<[u8]>::len).sum::<usize>();
    let http::request::Parts { method, uri, headers, .. } = head.parts;
    Ok(WholeRequest { method, uri, headers, body, keeps_alive: head.keeps_alive, unread })
}
