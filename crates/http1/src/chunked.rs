//! A body in chunks (RFC 9112, section 7.1), whose pieces are slices of what was read.

use crate::piece::{DataSlice, Malformed, Piece};

/// The largest size of all extensions of a body together, and of all trailers. They are read over.
const MAX_IGNORED_BYTES: usize = 16 * 1024;

/// Where in a chunked body the next byte is. Every line must end with CR LF: what one reader takes for a line's end and another
/// one does not, is the way to answers that belong to somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    SizeStart,
    Size,
    AfterSize,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    TrailerStart,
    Trailer,
    TrailerLf,
    EndLf,
    End,
}

/// The state of a body in chunks.
#[derive(Debug)]
pub struct Chunked {
    position: Position,
    /// What is still to come of the chunk.
    remaining: u64,
    /// Bytes of extensions and trailers so far.
    ignored: usize,
}

impl Chunked {
    pub(crate) const fn new() -> Self {
        Self { position: Position::SizeStart, remaining: 0, ignored: 0 }
    }

    /// Whether its last chunk and what follows it were read.
    pub(crate) fn is_complete(&self) -> bool {
        self.position == Position::End
    }

    /// Finds the next piece in what was read.
    #[inline]
    pub(crate) fn next(&mut self, unread: &[u8]) -> Result<Piece, Malformed> {
        if unread.is_empty() && self.position != Position::End {
            return Ok(Piece::Incomplete(0));
        }
        let Some(slice) = self.whole_chunk(unread) else { return self.next_part(unread) };
        self.position = Position::SizeStart;
        Ok(Piece::Data(slice))
    }

    /// Where the bytes of the next chunk are, if all of it is there with the end of its line, and nothing unusual: the end of the
    /// chunk before, up to eight digits, the end of the line. Nearly all of a stream's chunks are such.
    #[inline]
    fn whole_chunk(&self, unread: &[u8]) -> Option<DataSlice> {
        let mut start = match self.position {
            Position::DataCr if unread.starts_with(b"\r\n") => 2,
            Position::SizeStart => 0,
            _ => return None,
        };
        let (mut size, last_digit) = (0, start + 8);
        while let Some(digit) = (*unread.get(start)? as char).to_digit(16) {
            size = size << 4 | digit as usize;
            start += 1;
            if start > last_digit {
                return None;
            }
        }
        start += 2;
        let end = start + size;
        let is_whole = size > 0
            && unread.get(end..end + 2) == Some(b"\r\n")
            && unread.get(start - 2..start) == Some(b"\r\n");
        is_whole.then_some(DataSlice { before: start, length: size, after: 2 })
    }

    /// The next piece of any chunk, or of a part of it.
    #[inline(never)]
    fn next_part(&mut self, unread: &[u8]) -> Result<Piece, Malformed> {
        let before = self.pass_to_data(unread)?;
        match (self.position, unread.get(before..).unwrap_or_default()) {
            (Position::End, _) => Ok(Piece::End(before)),
            (Position::Data, data) if !data.is_empty() => Ok(Piece::Data(self.slice_of(before, data))),
            _ => Ok(Piece::Incomplete(before)),
        }
    }

    /// The number of bytes before those of a chunk, or before the end of the body.
    fn pass_to_data(&mut self, unread: &[u8]) -> Result<usize, Malformed> {
        let mut passed = 0;
        while !matches!(self.position, Position::Data | Position::End) {
            let Some(byte) = unread.get(passed) else { break };
            self.position = self.after(*byte)?;
            passed += 1;
        }
        Ok(passed)
    }

    /// Of the chunk's bytes, with which these begin.
    fn slice_of(&mut self, before: usize, data: &[u8]) -> DataSlice {
        let length = usize::try_from(self.remaining).unwrap_or(usize::MAX).min(data.len());
        self.remaining -= length as u64;
        let mut after = 0;
        if self.remaining == 0 {
            self.position = Position::DataCr;
            // Left there, it would look like the beginning of the next one.
            if data.get(length..).is_some_and(|rest| rest.starts_with(b"\r\n")) {
                after = 2;
                self.position = Position::SizeStart;
            }
        }
        DataSlice { before, length, after }
    }

    fn after(&mut self, byte: u8) -> Result<Position, Malformed> {
        use Position::{
            AfterSize, Data, DataCr, DataLf, End, EndLf, Extension, Size, SizeLf, SizeStart, Trailer,
            TrailerLf, TrailerStart,
        };
        match (self.position, byte) {
            (SizeStart | Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = (byte as char).to_digit(16).ok_or(Malformed)?;
                let size = self.remaining.checked_mul(16).ok_or(Malformed)?;
                self.remaining = size | u64::from(digit);
                Ok(Size)
            }
            (Size | AfterSize | Extension, b'\r') => Ok(SizeLf),
            (Extension | TrailerStart | Trailer, b'\n') | (TrailerStart | Trailer, b'\0') => Err(Malformed),
            (Size | AfterSize, b'\t' | b' ') => self.ignore(AfterSize),
            (Size | AfterSize, b';') | (Extension, _) => self.ignore(Extension),
            (SizeLf, b'\n') if self.remaining == 0 => Ok(TrailerStart),
            (SizeLf, b'\n') => Ok(Data),
            (DataCr, b'\r') => Ok(DataLf),
            (DataLf, b'\n') => Ok(SizeStart),
            (TrailerStart, b'\r') => Ok(EndLf),
            (Trailer, b'\r') => Ok(TrailerLf),
            (TrailerStart | Trailer, _) => self.ignore(Trailer),
            (TrailerLf, b'\n') => Ok(TrailerStart),
            (EndLf, b'\n') => Ok(End),
            _ => Err(Malformed),
        }
    }

    fn ignore(&mut self, next: Position) -> Result<Position, Malformed> {
        self.ignored += 1;
        if self.ignored > MAX_IGNORED_BYTES { Err(Malformed) } else { Ok(next) }
    }
}
