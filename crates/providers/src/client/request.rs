//! A request as bytes.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use http::{HeaderMap, HeaderValue, Method, Uri};
use http1::{push_content_length, push_field};
use tokio::io::AsyncWrite as _;

use super::transport::Transport;

/// Room for the head of most requests.
const USUAL_HEAD_BYTES: usize = 1024;

/// The lines of headers that all requests of a client have.
#[derive(Default)]
pub(super) struct CommonHeaders(Vec<u8>);

impl CommonHeaders {
    /// Adds a header.
    pub(super) fn with(mut self, name: &str, value: &HeaderValue) -> Self {
        push_field(&mut self.0, name, value.as_bytes());
        self
    }
}

/// Without the bytes: they may hold a password.
impl fmt::Debug for CommonHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommonHeaders").finish_non_exhaustive()
    }
}

/// The head of a request, as it is sent.
pub(crate) struct RequestHead(Vec<u8>);

impl RequestHead {
    /// The head of a request with its first line and the usual headers.
    pub(super) fn new(method: &Method, uri: &Uri, CommonHeaders(headers): &CommonHeaders) -> Self {
        let mut head = Vec::with_capacity(USUAL_HEAD_BYTES);
        head.extend_from_slice(method.as_str().as_bytes());
        head.push(b' ');
        if let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) {
            for part in [scheme, "://", authority.as_str()] {
                head.extend_from_slice(part.as_bytes());
            }
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        head.extend_from_slice(path.as_bytes());
        head.extend_from_slice(b" HTTP/1.1\r\n");
        head.extend_from_slice(headers);
        Self(head)
    }

    /// Adds a header, whose name and value are valid ones.
    pub(crate) fn add(&mut self, name: &str, value: &[u8]) {
        push_field(&mut self.0, name, value);
    }

    /// Adds headers.
    pub(crate) fn extend(&mut self, headers: &HeaderMap) {
        for (name, value) in headers {
            self.add(name.as_str(), value.as_bytes());
        }
    }

    /// The head with what says how long the body is, and its end.
    fn finish(mut self, method: &Method, length: usize) -> Bytes {
        // A server may wait for the length of what usually has a body (RFC 9110, section 8.6).
        if length > 0 || !matches!(*method, Method::GET | Method::HEAD | Method::DELETE) {
            push_content_length(&mut self.0, length as u64);
        }
        self.0.extend_from_slice(b"\r\n");
        self.0.into()
    }
}

/// The body of a request, in up to three pieces that follow one another. Most have one; a form has the name of its model
/// between two others.
#[derive(Clone, Copy, Default)]
pub(crate) struct RequestBody<'a> {
    /// `None`: the request has no body.
    body: Option<&'a Bytes>,
    tail: Option<&'a [Bytes; 2]>,
}

impl<'a> From<&'a Bytes> for RequestBody<'a> {
    fn from(body: &'a Bytes) -> Self {
        Self::new(body, None)
    }
}

impl<'a> RequestBody<'a> {
    /// A body, and what follows it.
    pub(crate) const fn new(body: &'a Bytes, tail: Option<&'a [Bytes; 2]>) -> Self {
        Self { body: Some(body), tail }
    }
}

/// What is still to be sent of a request.
pub(super) struct OutgoingRequest([Bytes; 4]);

impl OutgoingRequest {
    pub(super) fn new(
        method: &Method,
        head: RequestHead,
        RequestBody { body, tail }: RequestBody<'_>,
    ) -> Self {
        let (body, [second, third]) = (body.cloned().unwrap_or_default(), tail.cloned().unwrap_or_default());
        let head = head.finish(method, body.len() + second.len() + third.len());
        Self([head, body, second, third])
    }

    /// Sends it to its end.
    pub(super) fn poll_send(
        &mut self,
        transport: &mut Transport,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while self.0.iter().any(|piece| !piece.is_empty()) {
            let slices = self.0.each_ref().map(|piece| IoSlice::new(piece));
            let sent = ready!(Pin::new(&mut *transport).poll_write_vectored(cx, &slices))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(sent);
        }
        Pin::new(transport).poll_flush(cx)
    }

    fn advance(&mut self, mut sent: usize) {
        for piece in &mut self.0 {
            let length = sent.min(piece.len());
            piece.advance(length);
            sent -= length;
        }
    }
}

/// Without the bytes: they hold a prompt and a key.
impl fmt::Debug for OutgoingRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutgoingRequest").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_names_the_place_and_the_length() {
        let host = HeaderValue::from_static("a:81");
        for (method, uri, body, first, length) in [
            (Method::POST, "/v1/chat?a=b", "{}", "POST /v1/chat?a=b HTTP/1.1", "content-length: 2\r\n"),
            (
                Method::POST,
                "http://a:81/v1",
                "0123456789",
                "POST http://a:81/v1 HTTP/1.1",
                "content-length: 10\r\n",
            ),
            (Method::POST, "http://a:81", "", "POST http://a:81/ HTTP/1.1", "content-length: 0\r\n"),
            (Method::GET, "/", "", "GET / HTTP/1.1", ""),
            (Method::DELETE, "/", "", "DELETE / HTTP/1.1", ""),
        ] {
            let common = CommonHeaders::default().with("host", &host);
            let mut head = RequestHead::new(&method, &uri.parse().unwrap(), &common);
            head.add("x-two", b"2");
            let (body, tail) = (body.into(), [Bytes::new(), Bytes::new()]);
            let body = RequestBody::new(&body, Some(&tail));
            let OutgoingRequest([head, ..]) = OutgoingRequest::new(&method, head, body);
            assert_eq!(head, format!("{first}\r\nhost: a:81\r\nx-two: 2\r\n{length}\r\n"));
        }
    }
}
