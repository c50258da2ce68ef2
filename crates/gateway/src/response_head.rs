//! Writes the head of a response.

use std::{
    cell::RefCell,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use http::{HeaderMap, StatusCode, Version, header};
use http1::{push_content_length, push_field};

use crate::{headers, model_reply::ModelReply};

/// The length of a date such as `Sun, 06 Nov 1994 08:49:37 GMT`.
const DATE_BYTES: usize = 29;

/// How a client finds the end of a response's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyLength {
    /// It has none, and the status says so.
    None,
    /// There is none, but there would be one of so many bytes, as far as that is known: the request was HEAD.
    OfHead(Option<u64>),
    /// So many bytes.
    Exact(u64),
    /// The last chunk ends it.
    Chunked,
    /// It ends with the connection: HTTP/1.0 knows no chunks.
    UntilClose,
}

/// What a response says of its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AfterResponse {
    /// As its version has it: HTTP/1.1 goes on.
    GoesOn,
    /// A client of HTTP/1.0 asked for it.
    GoesOnWith10,
    Closes,
}

/// The headers of a response.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ResponseHeaders<'a> {
    pub(crate) map: &'a HeaderMap,
    /// Whose own ones follow.
    pub(crate) reply: Option<&'a ModelReply>,
}

/// Appends a head to what is to be sent. Of the headers, those about the connection and the length are this function's.
pub(crate) fn write(
    output: &mut Vec<u8>,
    (version, status): (Version, StatusCode),
    ResponseHeaders { map, reply }: ResponseHeaders<'_>,
    length: BodyLength,
    after: AfterResponse,
) {
    output.extend_from_slice(if version == Version::HTTP_10 { b"HTTP/1.0 " } else { b"HTTP/1.1 " });
    output.extend_from_slice(status.as_str().as_bytes());
    output.push(b' ');
    output.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    output.extend_from_slice(b"\r\n");
    let mut has_date = false;
    for (name, value) in map {
        if *name == header::CONTENT_LENGTH
            || *name == header::TRANSFER_ENCODING
            || *name == header::CONNECTION
            || reply.is_some() && *name == headers::REQUEST_ID
        {
            continue;
        }
        has_date |= *name == header::DATE;
        push_field(output, name.as_str(), value.as_bytes());
    }
    if let Some(reply) = reply {
        reply.push_headers(output);
    }
    match length {
        BodyLength::Exact(length) | BodyLength::OfHead(Some(length)) => {
            push_content_length(output, length);
        }
        BodyLength::Chunked => output.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        BodyLength::None | BodyLength::OfHead(None) | BodyLength::UntilClose => {}
    }
    match after {
        AfterResponse::GoesOn => {}
        AfterResponse::GoesOnWith10 => output.extend_from_slice(b"connection: keep-alive\r\n"),
        AfterResponse::Closes => output.extend_from_slice(b"connection: close\r\n"),
    }
    if !has_date {
        push_date(output);
    }
    output.extend_from_slice(b"\r\n");
}

/// Appends the line that begins a chunk of so many bytes.
pub(crate) fn push_chunk_size(output: &mut Vec<u8>, size: usize) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = (usize::BITS - size.leading_zeros()).div_ceil(4).max(1);
    for digit in (0..digits).rev() {
        output.push(DIGITS[size >> (digit * 4) & 0xf]);
    }
    output.extend_from_slice(b"\r\n");
}

/// The date, which is written anew once a second (RFC 9110, section 6.6.1).
fn push_date(output: &mut Vec<u8>) {
    thread_local! {
        static DATE: RefCell<(u64, [u8; DATE_BYTES])> = const { RefCell::new((0, [0; DATE_BYTES])) };
    }
    let second = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    DATE.with_borrow_mut(|(written, date)| {
        if *written != second {
            let text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(second));
            if let Ok(text) = <[u8; DATE_BYTES]>::try_from(text.as_bytes()) {
                (*written, *date) = (second, text);
            }
        }
        push_field(output, "date", date);
    });
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn written(version: Version, status: u16, length: BodyLength, after: AfterResponse) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(header::DATE, HeaderValue::from_static("today"));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("7"));
        headers.append(header::SET_COOKIE, HeaderValue::from_static("a"));
        headers.append(header::SET_COOKIE, HeaderValue::from_static("b"));
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        let mut output = Vec::new();
        let headers = ResponseHeaders { map: &headers, reply: None };
        write(&mut output, (version, StatusCode::from_u16(status).unwrap()), headers, length, after);
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn a_head_says_where_the_body_ends() {
        const FIELDS: &str = "date: today\r\nset-cookie: a\r\nset-cookie: b\r\n";
        use {AfterResponse::*, BodyLength::*};
        for (version, status, length, after, first, last) in [
            (Version::HTTP_11, 200, Exact(0), GoesOn, "HTTP/1.1 200 OK", "content-length: 0\r\n"),
            (Version::HTTP_11, 200, Chunked, GoesOn, "HTTP/1.1 200 OK", "transfer-encoding: chunked\r\n"),
            (
                Version::HTTP_11,
                404,
                Exact(1234),
                Closes,
                "HTTP/1.1 404 Not Found",
                "content-length: 1234\r\nconnection: close\r\n",
            ),
            (Version::HTTP_11, 204, None, GoesOn, "HTTP/1.1 204 No Content", ""),
            (Version::HTTP_11, 200, OfHead(Some(7)), GoesOn, "HTTP/1.1 200 OK", "content-length: 7\r\n"),
            (Version::HTTP_11, 299, Exact(7), GoesOn, "HTTP/1.1 299 ", "content-length: 7\r\n"),
            (Version::HTTP_10, 200, UntilClose, Closes, "HTTP/1.0 200 OK", "connection: close\r\n"),
            (
                Version::HTTP_10,
                200,
                Exact(5),
                GoesOnWith10,
                "HTTP/1.0 200 OK",
                "content-length: 5\r\nconnection: keep-alive\r\n",
            ),
        ] {
            let written = written(version, status, length, after);
            assert_eq!(written, format!("{first}\r\n{FIELDS}{last}\r\n"));
        }
    }

    #[test]
    fn a_date_is_added() {
        let mut output = Vec::new();
        write(
            &mut output,
            (Version::HTTP_11, StatusCode::OK),
            ResponseHeaders { map: &HeaderMap::new(), reply: None },
            BodyLength::None,
            AfterResponse::GoesOn,
        );
        let text = String::from_utf8(output).unwrap();
        let date = text.lines().find_map(|line| line.strip_prefix("date: ")).expect("a date");
        let written = httpdate::parse_http_date(date).unwrap();
        assert!(written.elapsed().unwrap() < Duration::from_secs(60), "{date}");
    }

    #[test]
    fn the_size_of_a_chunk_is_hexadecimal() {
        for (size, expected) in
            [(1, "1\r\n"), (15, "f\r\n"), (16, "10\r\n"), (0xabc, "abc\r\n"), (65_536, "10000\r\n")]
        {
            let mut output = Vec::new();
            push_chunk_size(&mut output, size);
            assert_eq!(output, expected.as_bytes());
        }
    }
}
