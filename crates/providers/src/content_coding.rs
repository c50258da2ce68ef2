//! The content codings of HTTP (RFC 9110, 8.4.1): a compressed body becomes the plain one piece by piece.

mod zstd;

use std::{
    fmt,
    io::{self, Write},
};

use brotli_decompressor::DecompressorWriter;
use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use self::zstd::Zstd;

/// Brotli's buffer for output.
const BROTLI_BUFFER_BYTES: usize = 16 * 1024;

/// Brotli's first bits, lowest first, if its window is larger than RFC 7932 allows: up to 1 GiB, which the decoder would take.
const BROTLI_LARGE_WINDOW: u8 = 0b001_0001;

/// How a body can be compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentCoding {
    /// RFC 1952.
    Gzip,
    /// RFC 1950, or without its header and checksum.
    Deflate,
    /// RFC 7932.
    Brotli,
    /// RFC 8878, with the window of RFC 9659.
    Zstd,
}

impl ContentCoding {
    /// The one of this name in `content-encoding`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "deflate" => Some(Self::Deflate),
            "br" => Some(Self::Brotli),
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// Writes what the pieces of a compressed body become. An error of the writer ends it, so the writer decides how much that
/// may be.
pub struct Decoder<W: Write>(Coding<W>);

enum Coding<W: Write> {
    Gzip(Box<MultiGzDecoder<W>>),
    /// The first bytes tell which of two formats it is. There is a writer until they are there.
    Deflate(Vec<u8>, Option<W>),
    Zlib(Box<ZlibDecoder<W>>),
    RawDeflate(Box<DeflateDecoder<W>>),
    Brotli(Box<DecompressorWriter<W>>, IsStart),
    Zstd(Box<Zstd>, W),
}

/// Whether nothing has come yet.
type IsStart = bool;

impl<W: Write> Decoder<W> {
    /// One for a body of this coding.
    pub fn new(coding: ContentCoding, output: W) -> Self {
        Self(match coding {
            ContentCoding::Gzip => Coding::Gzip(Box::new(MultiGzDecoder::new(output))),
            ContentCoding::Deflate => Coding::Deflate(Vec::new(), Some(output)),
            ContentCoding::Brotli => {
                Coding::Brotli(Box::new(DecompressorWriter::new(output, BROTLI_BUFFER_BYTES)), true)
            }
            ContentCoding::Zstd => Coding::Zstd(Box::new(Zstd::new()), output),
        })
    }

    /// Decodes as much as the next piece allows.
    ///
    /// # Errors
    /// The writer's own; else the body is not what its coding says.
    pub fn push(&mut self, piece: &[u8]) -> io::Result<()> {
        self.0.decode(piece, false)
    }

    /// Decodes the rest, at the end of the body.
    ///
    /// # Errors
    /// As [`push`](Self::push), and `UnexpectedEof` if something is missing.
    pub fn finish(&mut self) -> io::Result<()> {
        self.0.decode(&[], true)
    }

    /// Where it writes to; `None`: it has failed.
    pub fn output(&mut self) -> Option<&mut W> {
        match &mut self.0 {
            Coding::Gzip(decoder) => Some(decoder.get_mut()),
            Coding::Deflate(_, output) => output.as_mut(),
            Coding::Zlib(decoder) => Some(decoder.get_mut()),
            Coding::RawDeflate(decoder) => Some(decoder.get_mut()),
            Coding::Brotli(decoder, _) => Some(decoder.get_mut()),
            Coding::Zstd(_, output) => Some(output),
        }
    }
}

impl<W: Write> fmt::Debug for Decoder<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder").finish_non_exhaustive()
    }
}

impl<W: Write> Coding<W> {
    fn decode(&mut self, piece: &[u8], is_end: bool) -> io::Result<()> {
        match self {
            Self::Gzip(decoder) => write(&mut **decoder, piece, is_end, MultiGzDecoder::try_finish),
            Self::Deflate(start, output) => {
                start.extend_from_slice(piece);
                if start.len() < 2 {
                    return if is_end { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) };
                }
                let start = std::mem::take(start);
                let output = output.take().ok_or(io::ErrorKind::InvalidInput)?;
                *self = match is_zlib(start[0], start[1]) {
                    true => Self::Zlib(Box::new(ZlibDecoder::new(output))),
                    false => Self::RawDeflate(Box::new(DeflateDecoder::new(output))),
                };
                self.decode(&start, is_end)
            }
            Self::Zlib(decoder) => write(&mut **decoder, piece, is_end, ZlibDecoder::try_finish),
            Self::RawDeflate(decoder) => write(&mut **decoder, piece, is_end, DeflateDecoder::try_finish),
            Self::Brotli(decoder, is_start) => {
                if *is_start && let Some(first) = piece.first() {
                    *is_start = false;
                    if first & 0x7f == BROTLI_LARGE_WINDOW {
                        return Err(io::ErrorKind::InvalidData.into());
                    }
                }
                write(&mut **decoder, piece, is_end, DecompressorWriter::close)
            }
            Self::Zstd(decoder, output) => decoder.decode(piece, is_end, output),
        }
    }
}

/// Writes a piece, and what it becomes as far as it can.
fn write<D: Write>(
    decoder: &mut D,
    piece: &[u8],
    is_end: bool,
    finish: impl FnOnce(&mut D) -> io::Result<()>,
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
