//! Bodies that a provider compresses although nobody asked for it.
//!
//! Callers' `accept-encoding` is not forwarded, so their SDKs may not be able to read what comes; and the gateway has to.

use std::io::{self, Write};

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

use crate::content_coding::{ContentCoding, Decoder};
use crate::error::{ProviderError, ProviderErrorKind};

/// What one piece of a body may become: the largest plain body.
const MAX_DECODED_BYTES: usize = 64 * 1024 * 1024;

/// Turns the pieces of a compressed body into those of the plain one.
pub(crate) struct BodyDecoder(Decoder<Output>);

/// What was decoded and not yet taken.
struct Output(Vec<u8>);

impl BodyDecoder {
    /// The one for a response; takes the header away. `None`: the body is not compressed, or in a way that is not known.
    pub(crate) fn take_from(headers: &mut HeaderMap) -> Option<Self> {
        // Few headers are left of a response, and to look for a name costs more than to compare it.
        if !headers.keys().any(|name| *name == CONTENT_ENCODING) {
            return None;
        }
        let name = headers.get(CONTENT_ENCODING)?.to_str().ok()?.trim();
        let coding = ContentCoding::from_name(name);
        if coding.is_some() || name.eq_ignore_ascii_case("identity") {
            headers.remove(CONTENT_ENCODING);
        }
        Some(Self(Decoder::new(coding?, Output(Vec::new()))))
    }

    /// What the next piece becomes. Nothing, if more has to come.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<Bytes, ProviderError> {
        let result = self.0.push(piece);
        self.take(result)
    }

    /// The rest, at the end of the body.
    pub(crate) fn finish(&mut self) -> Result<Bytes, ProviderError> {
        let result = self.0.finish();
        self.take(result)
    }

    fn take(&mut self, result: io::Result<()>) -> Result<Bytes, ProviderError> {
        result.map_err(|error| failure(&error))?;
        let decoded = self.0.output().map(|Output(decoded)| std::mem::take(decoded));
        Ok(Bytes::from(decoded.unwrap_or_default()))
    }
}

impl Write for Output {
    fn write(&mut self, decoded: &[u8]) -> io::Result<usize> {
        // A few bytes can become very many.
        if self.0.len() + decoded.len() > MAX_DECODED_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(decoded);
        Ok(decoded.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn failure(error: &io::Error) -> ProviderError {
    match error.kind() {
        io::ErrorKind::FileTooLarge => ProviderError::too_large(MAX_DECODED_BYTES),
        io::ErrorKind::UnexpectedEof => ProviderError::provider_failure(ProviderErrorKind::Truncated),
        _ => ProviderError::provider_failure(ProviderErrorKind::Invalid),
    }
}

#[cfg(test)]
mod tests;
