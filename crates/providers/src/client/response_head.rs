//! The head of a response, and what it says of the body and the connection.

use std::borrow::Cow;
use std::mem::MaybeUninit;

use bytes::{Buf as _, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http1::{BodyFields, Framing, Malformed, blank_lines, head_length};
use httparse::{Header, ParserConfig, Response, Status};

/// The largest head of a response. Providers send about 2 kB.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// There is room for so many headers on the stack.
const USUAL_HEADERS: usize = 64;

/// The most headers that a response may have.
const MAX_HEADERS: usize = 1024;

/// Room for the headers that are kept, and for those that a caller's response gets besides: a map that grows sorts all anew.
const KEPT_HEADERS: usize = 12;

/// The longest name of a header that is compared without an allocation.
const USUAL_NAME_BYTES: usize = 64;

/// Which headers of a success are of interest, by their names in lower case.
pub(crate) type IsKept = fn(&str) -> bool;

/// The head of a response, and what it says of the body and the connection.
#[derive(Debug)]
pub(super) struct ResponseHead {
    pub(super) status: StatusCode,
    /// Of a success those that are kept; else all.
    pub(super) headers: HeaderMap,
    pub(super) framing: Framing,
    /// Whether another request may follow it.
    pub(super) is_reusable: bool,
}

/// Reads the head of a response from pieces.
#[derive(Debug)]
pub(super) struct HeadReader {
    is_kept: IsKept,
    /// The response is to HEAD.
    is_bodiless: bool,
    /// So much was looked at.
    scanned: usize,
}

impl HeadReader {
    pub(super) const fn new(is_kept: IsKept, is_bodiless: bool) -> Self {
        Self { is_kept, is_bodiless, scanned: 0 }
    }

    /// Takes the head out of what was read, and those of the informational responses before it. `None`: more has to come.
    pub(super) fn next(&mut self, unread: &mut BytesMut) -> Result<Option<ResponseHead>, Malformed> {
        loop {
            // Empty lines before a head are passed over, and not looked at again with each byte.
            let blank = blank_lines(unread);
            if blank > 0 {
                unread.advance(blank);
                self.scanned = 0;
            }
            if unread.is_empty() {
                return Ok(None);
            }
            // A head in single bytes is not parsed for each of them.
            if (self.scanned == 0 || head_length(unread, self.scanned).is_some())
                && let Some((length, head)) = self.parse(unread)?
            {
                unread.advance(length);
                self.scanned = 0;
                match head {
                    Some(head) => return Ok(Some(head)),
                    None => continue,
                }
            }
            if unread.len() >= MAX_HEAD_BYTES {
                return Err(Malformed);
            }
            self.scanned = unread.len();
            return Ok(None);
        }
    }

    /// The length of a head and what it says; `None` inside: it is informational.
    fn parse(&self, bytes: &[u8]) -> Result<Option<(usize, Option<ResponseHead>)>, Malformed> {
        let mut headers = [const { MaybeUninit::uninit() }; USUAL_HEADERS];
        let result = match self.parse_with(bytes, &mut headers) {
            Err(Unreadable::TooManyHeaders) => {
                self.parse_with(bytes, &mut vec![MaybeUninit::uninit(); MAX_HEADERS])
            }
            result => result,
        };
        result.map_err(|_| Malformed)
    }

    fn parse_with<'b>(
        &self,
        bytes: &'b [u8],
        headers: &mut [MaybeUninit<Header<'b>>],
    ) -> Result<Option<(usize, Option<ResponseHead>)>, Unreadable> {
        let mut response = Response::new(&mut []);
        let status =
            ParserConfig::default().parse_response_with_uninit_headers(&mut response, bytes, headers)?;
        match status {
            Status::Partial => Ok(None),
            Status::Complete(length) if length > MAX_HEAD_BYTES => Err(Unreadable::Malformed),
            Status::Complete(length) => Ok(Some((length, self.interpret(&response)?))),
        }
    }

    fn interpret(&self, response: &Response<'_, '_>) -> Result<Option<ResponseHead>, Malformed> {
        let status = StatusCode::from_u16(response.code.ok_or(Malformed)?).map_err(|_| Malformed)?;
        // Nobody asked to switch protocols: 101 is an answer that is none.
        if status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS {
            return Ok(None);
        }
        let is_http_1_1 = response.version == Some(1);
        let mut fields = BodyFields::default();
        let mut headers = HeaderMap::with_capacity(KEPT_HEADERS);
        for header in response.headers.iter() {
            let mut usual = [0; USUAL_NAME_BYTES];
            let name = in_lower_case(header.name, &mut usual)?;
            fields.read(&name, header.value)?;
            // Of a success only some are of interest.
            if !status.is_success() || (self.is_kept)(&name) {
                keep(&name, header.value, &mut headers)?;
            }
        }
        let is_bodiless = self.is_bodiless
            || matches!(
                status,
                StatusCode::SWITCHING_PROTOCOLS | StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
            );
        let (framing, is_certain) = match (&fields, is_bodiless) {
            (_, true) => (Framing::Length(0), status != StatusCode::SWITCHING_PROTOCOLS),
            (BodyFields { is_chunked: Some(_), .. }, _) if !is_http_1_1 => return Err(Malformed),
            // Whoever reads both by other rules finds another end.
            (BodyFields { is_chunked: Some(true), length, has_other_coding, .. }, _) => {
                (Framing::chunked(), length.is_none() && !has_other_coding)
            }
            (BodyFields { is_chunked: Some(false), .. } | BodyFields { length: None, .. }, _) => {
                (Framing::UntilClose, false)
            }
            (BodyFields { length: Some(length), .. }, _) => (Framing::Length(*length), true),
        };
        let is_kept_open = !fields.is_closing && (is_http_1_1 || fields.is_keeping_alive);
        Ok(Some(ResponseHead { status, headers, framing, is_reusable: is_certain && is_kept_open }))
    }
}

/// A name in lower case, which is in `usual` if it is not too long.
fn in_lower_case<'n>(
    name: &'n str,
    usual: &'n mut [u8; USUAL_NAME_BYTES],
) -> Result<Cow<'n, str>, Malformed> {
    if !name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Ok(Cow::Borrowed(name));
    }
    let Some(lower) = usual.get_mut(..name.len()) else {
        return Ok(Cow::Owned(name.to_ascii_lowercase()));
    };
    lower.copy_from_slice(name.as_bytes());
    lower.make_ascii_lowercase();
    std::str::from_utf8(lower).map(Cow::Borrowed).map_err(|_| Malformed)
}

/// Adds a header.
fn keep(name: &str, value: &[u8], headers: &mut HeaderMap) -> Result<(), Malformed> {
    // Copied: a slice would hold all that was read with it for as long as the response is under way.
    let value = HeaderValue::from_bytes(value).map_err(|_| Malformed)?;
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| Malformed)?;
    headers.try_append(name, value).map_err(|_| Malformed)?;
    Ok(())
}

/// Why a head was not read.
enum Unreadable {
    TooManyHeaders,
    Malformed,
}

impl From<httparse::Error> for Unreadable {
    fn from(error: httparse::Error) -> Self {
        match error {
            httparse::Error::TooManyHeaders => Self::TooManyHeaders,
            _ => Self::Malformed,
        }
    }
}

impl From<Malformed> for Unreadable {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}
