//! A request as bytes.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use http::{HeaderMap, Method, Uri};
use tokio::io::AsyncWrite as _;

use super::transport::Transport;

/// Room for the head of most requests.
const USUAL_HEAD_BYTES: usize = 1024;

/// The head of a request, as it is sent.
pub(crate) struct RequestHead(Vec<u8>);

impl RequestHead {
    /// The head of a request with its first line, and with the headers that all requests of a client have.
    pub(super) fn new(method: &Method, uri: &Uri, common_headers: &[u8]) -> Self {
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
        head.extend_from_slice(common_headers);
        Self(head)
    }

    /// Adds a header, whose name and value are valid ones.
    pub(crate) fn add(&mut self, name: &str, value: &[u8]) {
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b": ");
        self.0.extend_from_slice(value);
        self.0.extend_from_slice(b"\r\n");
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
            self.0.extend_from_slice(b"content-length: ");
            push_number(&mut self.0, length);
            self.0.extend_from_slice(b"\r\n");
        }
        self.0.extend_from_slice(b"\r\n");
        self.0.into()
    }
}

fn push_number(bytes: &mut Vec<u8>, number: usize) {
    if number >= 10 {
        push_number(bytes, number / 10);
    }
    bytes.push(b'0' + u8::try_from(number % 10).unwrap_or_default());
}

/// The body of a request, in up to three pieces that follow one another. Most have one; a form has the name of its model
/// between two others.
#[derive(Clone, Default)]
pub(crate) struct RequestBody([Bytes; 3]);

impl From<&Bytes> for RequestBody {
    fn from(body: &Bytes) -> Self {
        Self::new(body, None)
    }
}

impl RequestBody {
    /// A body, and what follows it.
    pub(crate) fn new(body: &Bytes, tail: Option<&[Bytes; 2]>) -> Self {
        let [second, third] = tail.cloned().unwrap_or_default();
        Self([body.clone(), second, third])
    }
}

/// What is still to be sent of a request.
#[derive(Clone)]
pub(super) struct OutgoingRequest([Bytes; 4]);

impl OutgoingRequest {
    pub(super) fn new(method: &Method, head: RequestHead, RequestBody(body): RequestBody) -> Self {
        let head = head.finish(method, body.iter().map(Bytes::len).sum());
        let [first, second, third] = body;
        Self([head, first, second, third])
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
impl std::fmt::Debug for OutgoingRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OutgoingRequest").finish_non_exhaustive()
    }
}
