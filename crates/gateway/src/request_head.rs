//! Reads the head of a request.

use std::mem::MaybeUninit;

use bytes::{Buf as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, Version, request::Parts};
use http1::{BodyFields, Framing, blank_lines, request_head_length};
use httparse::{Header, ParserConfig, Status};

/// The largest head of a request, in bytes.
pub(crate) const MAX_HEAD_BYTES: usize = 64 * 1024;

/// The most headers of a request.
const MAX_HEADERS: usize = 100;

/// The longest target of a request that a [`Uri`] can hold, in bytes.
const MAX_TARGET_BYTES: usize = 65_534;

/// The head of a request, and what it says of the body and the connection.
#[derive(Debug)]
pub(crate) struct RequestHead {
    pub(crate) parts: Parts,
    /// Where the body ends.
    pub(crate) framing: Framing,
    /// The client sends the body once it is asked to (`expect: 100-continue`).
    pub(crate) expects_continue: bool,
    /// Whether another request may follow it.
    pub(crate) keeps_alive: bool,
}

/// Why a request is not read. Where the next one begins, nobody knows then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadHead {
    /// It is longer than [`MAX_HEAD_BYTES`].
    #[error("the head of the request is larger than {} KiB", MAX_HEAD_BYTES / 1024)]
    TooLarge,
    /// It has more than [`MAX_HEADERS`].
    #[error("the request has more than {MAX_HEADERS} headers")]
    TooManyHeaders,
    /// Its target is longer than [`MAX_TARGET_BYTES`].
    #[error("the request's target is longer than {MAX_TARGET_BYTES} bytes")]
    TargetTooLong,
    /// Two readers would find two ends of it.
    #[error("the request has a content-length and a transfer-encoding: send one of them")]
    TwoLengths,
    /// Its length is no number, or it has two.
    #[error("the request's content-length is not one number")]
    Length,
    /// It is no request of HTTP/1.1 or 1.0.
    #[error("the request is not HTTP/1.1: {0}")]
    Malformed(&'static str),
}

impl BadHead {
    /// The status of its response.
    pub(crate) const fn status(self) -> StatusCode {
        match self {
            Self::TooLarge | Self::TooManyHeaders => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
            Self::TwoLengths | Self::Length | Self::Malformed(_) => StatusCode::BAD_REQUEST,
        }
    }
}

impl From<httparse::Error> for BadHead {
    fn from(error: httparse::Error) -> Self {
        match error {
            httparse::Error::TooManyHeaders => Self::TooManyHeaders,
            httparse::Error::Token => Self::Malformed("its first line is not a method and a target"),
            httparse::Error::Version => Self::Malformed("it has another version of HTTP"),
            httparse::Error::NewLine => Self::Malformed("a line does not end with CR LF"),
            httparse::Error::HeaderName => Self::Malformed("the name of a header is not one"),
            httparse::Error::HeaderValue => Self::Malformed("the value of a header is not one"),
            httparse::Error::Status => Self::Malformed("it is a response"),
        }
    }
}

/// Reads heads from pieces.
#[derive(Debug, Default)]
pub(crate) struct HeadReader {
    /// So much was looked at.
    scanned: usize,
}

impl HeadReader {
    /// Takes the head out of what was read. `None`: more has to come.
    pub(crate) fn next(&mut self, unread: &mut BytesMut) -> Result<Option<RequestHead>, BadHead> {
        let blank = blank_lines(unread);
        if blank > 0 {
            unread.advance(blank);
            self.scanned = 0;
        }
        let length = request_head_length(unread, self.scanned)
            .map_err(|_| BadHead::Malformed("a line does not end with CR LF"))?;
        let Some(length) = length else {
            if unread.len() >= MAX_HEAD_BYTES {
                return Err(BadHead::TooLarge);
            }
            // What can be no request, such as TLS, is not waited for.
            if self.scanned == 0 && !unread.is_empty() {
                is_begin_of_request(unread)?;
            }
            self.scanned = unread.len();
            return Ok(None);
        };
        self.scanned = 0;
        if length > MAX_HEAD_BYTES {
            return Err(BadHead::TooLarge);
        }
        parse(&unread.split_to(length).freeze()).map(Some)
    }
}

/// Looks at what is the begin of a request, or is none.
fn is_begin_of_request(bytes: &[u8]) -> Result<(), BadHead> {
    let mut headers = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut []);
    request.parse_with_uninit_headers(bytes, &mut headers)?;
    Ok(())
}

fn parse(head: &Bytes) -> Result<RequestHead, BadHead> {
    let mut headers = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut []);
    let status =
        ParserConfig::default().parse_request_with_uninit_headers(&mut request, head, &mut headers)?;
    let (Status::Complete(_), Some(method), Some(target), Some(version)) =
        (status, request.method, request.path, request.version)
    else {
        return Err(BadHead::Malformed("it ends early"));
    };
    let mut parts = Request::new(()).into_parts().0;
    parts.method =
        Method::from_bytes(method.as_bytes()).map_err(|_| BadHead::Malformed("its method is not one"))?;
    if target.len() > MAX_TARGET_BYTES {
        return Err(BadHead::TargetTooLong);
    }
    parts.uri = Uri::from_maybe_shared(head.slice_ref(target.as_bytes()))
        .map_err(|_| BadHead::Malformed("its target is not a path or URL"))?;
    let is_http_1_1 = version == 1;
    parts.version = if is_http_1_1 { Version::HTTP_11 } else { Version::HTTP_10 };
    let mut fields = BodyFields::default();
    let mut expects_continue = false;
    parts.headers = HeaderMap::with_capacity(request.headers.len());
    for header in request.headers.iter() {
        fields.read(header.name, header.value).map_err(|_| BadHead::Length)?;
        expects_continue |= is_expect_continue(header);
        keep(header, head, &mut parts.headers)?;
    }
    let framing = match fields {
        BodyFields { is_chunked: Some(_), length: Some(_), .. } => return Err(BadHead::TwoLengths),
        BodyFields { is_chunked: Some(_), .. } if !is_http_1_1 => {
            return Err(BadHead::Malformed("HTTP/1.0 has no transfer-encoding"));
        }
        BodyFields { is_chunked: Some(true), .. } => Framing::chunked(),
        // Other codings are refused, with their connection (`request_rules`).
        BodyFields { is_chunked: Some(false), .. } => Framing::Length(0),
        BodyFields { length, .. } => Framing::Length(length.unwrap_or(0)),
    };
    let expects_continue = expects_continue && is_http_1_1 && !framing.is_complete();
    let keeps_alive = !fields.is_closing && (is_http_1_1 || fields.is_keeping_alive);
    Ok(RequestHead { parts, framing, expects_continue, keeps_alive })
}

fn is_expect_continue(header: &Header<'_>) -> bool {
    header.name.len() == 6
        && header.name.eq_ignore_ascii_case("expect")
        && header.value.eq_ignore_ascii_case(b"100-continue")
}

/// Adds a header, whose value is a slice of the head.
fn keep(header: &Header<'_>, head: &Bytes, headers: &mut HeaderMap) -> Result<(), BadHead> {
    let name = HeaderName::from_bytes(header.name.as_bytes())
        .map_err(|_| BadHead::Malformed("the name of a header is not one"))?;
    let value = HeaderValue::from_maybe_shared(head.slice_ref(header.value))
        .map_err(|_| BadHead::Malformed("the value of a header is not one"))?;
    headers.try_append(name, value).map_err(|_| BadHead::TooManyHeaders)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Option<RequestHead>, BadHead> {
        HeadReader::default().next(&mut BytesMut::from(bytes))
    }

    fn good(head: &str) -> RequestHead {
        read(head.as_bytes()).unwrap_or_else(|error| panic!("{head:?}: {error}")).expect(head)
    }

    #[test]
    fn the_head_says_what_follows() {
        for (head, length, expects_continue, keeps_alive) in [
            ("GET / HTTP/1.1\r\n\r\n", Some(0), false, true),
            ("GET / HTTP/1.1\r\nconnection: close\r\n\r\n", Some(0), false, false),
            ("GET / HTTP/1.0\r\n\r\n", Some(0), false, false),
            ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", Some(0), false, true),
            ("POST / HTTP/1.1\r\ncontent-length: 5\r\n\r\n", Some(5), false, true),
            ("POST / HTTP/1.1\r\nContent-Length: 5\r\ncontent-length: 5\r\n\r\n", Some(5), false, true),
            ("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n", None, false, true),
            ("POST / HTTP/1.1\r\ncontent-length: 5\r\nExpect: 100-Continue\r\n\r\n", Some(5), true, true),
            ("POST / HTTP/1.1\r\nexpect: 100-continue\r\n\r\n", Some(0), false, true),
            ("POST / HTTP/1.0\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n", Some(5), false, false),
            (
                "GET / HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n",
                Some(0),
                false,
                true,
            ),
        ] {
            let read = good(head);
            assert_eq!(read.framing.remaining(), length, "{head}");
            assert_eq!((read.expects_continue, read.keeps_alive), (expects_continue, keeps_alive), "{head}");
        }
    }

    #[test]
    fn names_and_values_are_as_they_came() {
        let head = good(
            "\r\n\nPOST http://a:1/b?c=d HTTP/1.1\r\nHost:a:1\r\nX-A:  one  \r\nx-a: t\u{fc}o\r\nx-b:\r\n\r\n",
        );
        assert_eq!(
            (head.parts.method.as_str(), head.parts.uri.to_string().as_str()),
            ("POST", "http://a:1/b?c=d")
        );
        let values: Vec<&[u8]> =
            head.parts.headers.get_all("x-a").iter().map(HeaderValue::as_bytes).collect();
        assert_eq!(values, [b"one".as_slice(), "t\u{fc}o".as_bytes()]);
        assert!(head.parts.headers["host"] == "a:1" && head.parts.headers["x-b"].is_empty());
    }

    #[test]
    fn what_is_no_request_has_a_status_of_its_own() {
        let long = |length: usize| format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(length));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(MAX_HEADERS + 1));
        for (head, status) in [
            ("nonsense\r\n\r\n", 400),
            ("GET / HTTP/2.0\r\n\r\n", 400),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
            ("HTTP/1.1 200 OK\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\na b: c\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\na : c\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\na: b\r\n c\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\na: \0\r\n\r\n", 400),
            ("GET / HTTP/1.1\na: b\n\n", 400),
            ("GET / HTTP/1.1\r\na: b\ncontent-length: 9\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\na: b\r\n\n", 400),
            ("GET / HTTP/1.1\r\na: b\rcontent-length: 9\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\ncontent-length: -1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n", 400),
            ("GET / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n", 400),
            ("\x16\x03\x01\x02\0\x01\0\x01", 400),
            (&long(MAX_HEAD_BYTES - 16), 431),
            (&many, 431),
        ] {
            let error = read(head.as_bytes()).err();
            assert_eq!(error.map(|error| error.status().as_u16()), Some(status), "{head:?}: {error:?}");
        }
        assert!(read(long(MAX_HEAD_BYTES - 32).as_bytes()).is_ok());
    }

    #[test]
    fn a_head_in_single_bytes_is_the_same() {
        let text = "\r\nPOST /v1/messages HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n";
        let (mut reader, mut unread) = (HeadReader::default(), BytesMut::new());
        for (at, byte) in text.bytes().enumerate() {
            unread.extend_from_slice(&[byte]);
            let head = reader.next(&mut unread).unwrap();
            assert_eq!(head.is_some(), at + 1 == text.len(), "{at}");
        }
        unread.extend_from_slice(&vec![b'a'; MAX_HEAD_BYTES]);
        assert_eq!(reader.next(&mut unread).err(), Some(BadHead::TooLarge));
    }
}
