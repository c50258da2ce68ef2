//! Bodies that a provider compresses although nobody asked for it.
//!
//! Callers' `accept-encoding` is not forwarded, so their SDKs may not be able to read what comes; and the gateway has to.

mod zstd;

use std::io::{self, Write};

use brotli_decompressor::DecompressorWriter;
use bytes::Bytes;
use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

use self::zstd::Zstd;
use crate::error::{ProviderError, ProviderErrorKind};

/// What one piece of a body may become: the largest plain body.
const MAX_DECODED_BYTES: usize = 64 * 1024 * 1024;

/// Brotli's buffer for output.
const BUFFER_BYTES: usize = 16 * 1024;

/// Turns the pieces of a compressed body into those of the plain one.
pub(crate) struct BodyDecoder(Coding);

enum Coding {
    Gzip(Box<MultiGzDecoder<Output>>),
    /// The first bytes tell which of two formats it is.
    Deflate(Vec<u8>),
    Zlib(Box<ZlibDecoder<Output>>),
    RawDeflate(Box<DeflateDecoder<Output>>),
    Brotli(Box<DecompressorWriter<Output>>),
    Zstd(Box<Zstd>),
}

/// What was decoded and not yet taken.
struct Output(Vec<u8>);

impl BodyDecoder {
    /// The one for a response; takes the header away. `None`: the body is not compressed, or in a way that is not known.
    pub(crate) fn take_from(headers: &mut HeaderMap) -> Option<Self> {
        let coding = headers.get(CONTENT_ENCODING)?.to_str().ok()?.trim().to_ascii_lowercase();
        let coding = match coding.as_str() {
            "gzip" | "x-gzip" => Coding::Gzip(Box::new(MultiGzDecoder::new(Output(Vec::new())))),
            "deflate" => Coding::Deflate(Vec::new()),
            "br" => Coding::Brotli(Box::new(DecompressorWriter::new(Output(Vec::new()), BUFFER_BYTES))),
            "zstd" => Coding::Zstd(Box::new(Zstd::new())),
            "identity" => {
                headers.remove(CONTENT_ENCODING);
                return None;
            }
            _ => return None,
        };
        headers.remove(CONTENT_ENCODING);
        Some(Self(coding))
    }

    /// What the next piece becomes. Nothing, if more has to come.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<Bytes, ProviderError> {
        self.0.decode(piece, false).map(Bytes::from).map_err(|error| failure(&error))
    }

    /// The rest, at the end of the body.
    pub(crate) fn finish(&mut self) -> Result<Bytes, ProviderError> {
        self.0.decode(&[], true).map(Bytes::from).map_err(|error| failure(&error))
    }
}

impl Coding {
    fn decode(&mut self, piece: &[u8], is_end: bool) -> io::Result<Vec<u8>> {
        if let Self::Deflate(start) = self {
            start.extend_from_slice(piece);
            if start.len() < 2 {
                return if is_end { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(Vec::new()) };
            }
            let start = std::mem::take(start);
            *self = match is_zlib(start[0], start[1]) {
                true => Self::Zlib(Box::new(ZlibDecoder::new(Output(Vec::new())))),
                false => Self::RawDeflate(Box::new(DeflateDecoder::new(Output(Vec::new())))),
            };
            return self.decode(&start, is_end);
        }
        match self {
            Self::Gzip(decoder) => {
                write(&mut **decoder, piece, is_end, MultiGzDecoder::try_finish)?;
                Ok(std::mem::take(&mut decoder.get_mut().0))
            }
            Self::Zlib(decoder) => {
                write(&mut **decoder, piece, is_end, ZlibDecoder::try_finish)?;
                Ok(std::mem::take(&mut decoder.get_mut().0))
            }
            Self::RawDeflate(decoder) => {
                write(&mut **decoder, piece, is_end, DeflateDecoder::try_finish)?;
                Ok(std::mem::take(&mut decoder.get_mut().0))
            }
            Self::Brotli(decoder) => {
                write(&mut **decoder, piece, is_end, DecompressorWriter::close)?;
                Ok(std::mem::take(&mut decoder.get_mut().0))
            }
            Self::Zstd(decoder) => {
                let mut output = Output(Vec::new());
                decoder.decode(piece, is_end, &mut output)?;
                Ok(output.0)
            }
            Self::Deflate(_) => Ok(Vec::new()),
        }
    }
}

/// Writes a piece, and what it becomes as far as it can.
fn write<W: Write>(
    decoder: &mut W,
    piece: &[u8],
    is_end: bool,
    finish: impl FnOnce(&mut W) -> io::Result<()>,
) -> io::Result<()> {
    if is_end {
        return finish(decoder);
    }
    decoder.write_all(piece)?;
    decoder.flush()
}

/// RFC 1950's header. RFC 9110 asks for it, and some servers leave it out.
fn is_zlib(first: u8, second: u8) -> bool {
    first & 0x0f == 8 && u16::from_be_bytes([first, second]).is_multiple_of(31)
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
