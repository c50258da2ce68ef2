//! Zstandard frames (RFC 8878) that arrive in pieces.

use std::io::{self, Write};

use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// The largest window that HTTP allows (RFC 9659).
const MAX_WINDOW_BYTES: u64 = 8 * 1024 * 1024;

/// The longest header of a frame.
const MAX_HEADER_BYTES: usize = 18;

const CHECKSUM_BYTES: usize = 4;

/// Decodes block by block, as each is there in full. The decoder keeps a window of what it decoded until the frame ends.
pub(super) struct Zstd {
    decoder: FrameDecoder,
    is_in_frame: bool,
    has_checksum: bool,
    /// What is not decoded yet: less than a block.
    input: Vec<u8>,
}

impl Zstd {
    pub(super) fn new() -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(MAX_WINDOW_BYTES);
        Self { decoder, is_in_frame: false, has_checksum: false, input: Vec::new() }
    }

    pub(super) fn decode(&mut self, piece: &[u8], is_end: bool, output: &mut impl Write) -> io::Result<()> {
        self.input.extend_from_slice(piece);
        let mut used = 0;
        while let Some(length) = self.next_length(&self.input[used..], is_end) {
            let mut input = &self.input[used..];
            let before = input.len();
            if self.is_in_frame {
                input = &input[..length];
                let one = BlockDecodingStrategy::UptoBlocks(1);
                self.decoder.decode_blocks(&mut input, one).map_err(io::Error::other)?;
                used += length - input.len();
                self.decoder.collect_to_writer(&mut *output)?;
                self.is_in_frame = !self.decoder.is_finished();
            } else {
                self.has_checksum = input.get(4).is_some_and(|descriptor| descriptor & 0b100 != 0);
                self.decoder.reset(&mut input).map_err(io::Error::other)?;
                used += before - input.len();
                self.is_in_frame = true;
            }
        }
        self.input.drain(..used);
        if is_end && (self.is_in_frame || !self.input.is_empty()) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    /// How many bytes the next step takes at most: the header of a frame, or a block with its header. `None`: they are not
    /// all there.
    fn next_length(&self, input: &[u8], is_end: bool) -> Option<usize> {
        if !self.is_in_frame {
            let is_there = input.len() >= MAX_HEADER_BYTES || is_end && !input.is_empty();
            return is_there.then_some(input.len());
        }
        let [first, second, third, ..] = *input else { return None };
        let header = usize::from(first) | usize::from(second) << 8 | usize::from(third) << 16;
        let (is_last, is_repeated) = (header & 1 == 1, header >> 1 & 3 == 1);
        let content = if is_repeated { 1 } else { header >> 3 };
        let checksum = if is_last && self.has_checksum { CHECKSUM_BYTES } else { 0 };
        let length = 3 + content + checksum;
        (input.len() >= length).then_some(length)
    }
}
