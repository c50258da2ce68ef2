//! What is still to be sent to a client.

use std::{cell::Cell, io::IoSlice, mem};

use bytes::{Buf as _, Bytes};

use crate::response_head::push_chunk_size;

/// So much is put together before it is sent.
const MAX_BUFFERED_BYTES: usize = 16 * 1024;

/// A piece of this size or more is sent from where it is. To copy a smaller one costs less than to hand its parts to the
/// kernel.
const LARGE_PIECE_BYTES: usize = 4 * 1024;

/// Room for the head of most responses.
const USUAL_HEAD_BYTES: usize = 1024;

/// A buffer of this size at most is kept for the next response.
const MAX_SPARE_BYTES: usize = 8 * 1024;

thread_local! {
    /// The buffer of the last response that this thread has sent. Memory that each connection takes anew is never in a
    /// processor's cache.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// What is still to be sent, in this order: the buffer, a large piece, and what ends it.
#[derive(Debug, Default)]
pub(crate) struct Output {
    buffer: Vec<u8>,
    /// So much of the buffer was sent.
    sent: usize,
    large: Bytes,
    end: &'static [u8],
}

impl Output {
    /// Makes room for the head of a response and, unless it is large, its body of so many bytes; `None`: it is a stream, which
    /// holds its memory for long.
    pub(crate) fn reserve_response(&mut self, body: Option<usize>) {
        if body.is_some() && self.buffer.capacity() == 0 {
            self.buffer = SPARE.take();
        }
        let body = body.filter(|body| *body < LARGE_PIECE_BYTES);
        self.buffer.reserve(USUAL_HEAD_BYTES + body.unwrap_or_default());
    }

    /// The buffer, to append to it. Not while there is a large piece.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        debug_assert!(self.large.is_empty() && self.end.is_empty(), "it would be sent too early");
        &mut self.buffer
    }

    /// Adds a piece of a body of known length.
    pub(crate) fn push(&mut self, piece: Bytes) {
        if piece.len() < LARGE_PIECE_BYTES {
            self.buffer().extend_from_slice(&piece);
        } else {
            self.large = piece;
        }
    }

    /// Adds a chunk, which is not empty.
    pub(crate) fn push_chunk(&mut self, piece: Bytes) {
        push_chunk_size(self.buffer(), piece.len());
        if piece.len() < LARGE_PIECE_BYTES {
            self.buffer.extend_from_slice(&piece);
            self.buffer.extend_from_slice(b"\r\n");
        } else {
            self.large = piece;
            self.end = b"\r\n";
        }
    }

    /// Adds the end of a body in chunks.
    pub(crate) fn push_last_chunk(&mut self) {
        self.buffer().extend_from_slice(b"0\r\n\r\n");
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.buffer.is_empty() && self.large.is_empty() && self.end.is_empty()
    }

    /// Whether it has to be sent before anything is added.
    pub(crate) const fn is_full(&self) -> bool {
        self.buffer.len() >= MAX_BUFFERED_BYTES || !self.large.is_empty() || !self.end.is_empty()
    }

    /// What is to be sent, if it is in one piece.
    pub(crate) fn as_one_piece(&self) -> Option<&[u8]> {
        (self.large.is_empty() && self.end.is_empty()).then(|| &self.buffer[self.sent..])
    }

    /// All of it.
    pub(crate) fn as_pieces(&self) -> [IoSlice<'_>; 3] {
        [IoSlice::new(&self.buffer[self.sent..]), IoSlice::new(&self.large), IoSlice::new(self.end)]
    }

    /// So many bytes were sent.
    pub(crate) fn advance(&mut self, bytes: usize) {
        let of_buffer = bytes.min(self.buffer.len() - self.sent);
        self.sent += of_buffer;
        if self.sent == self.buffer.len() {
            self.buffer.clear();
            self.sent = 0;
        }
        let rest = bytes - of_buffer;
        let of_large = rest.min(self.large.len());
        self.large.advance(of_large);
        self.end = &self.end[(rest - of_large).min(self.end.len())..];
    }

    /// Gives its memory back.
    pub(crate) fn shrink(&mut self) {
        if self.is_empty() {
            let buffer = mem::take(&mut self.buffer);
            if (1..=MAX_SPARE_BYTES).contains(&buffer.capacity()) {
                SPARE.set(buffer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends all of it in steps of so many bytes.
    fn sent(output: &mut Output, step: usize) -> Vec<u8> {
        let mut sent = Vec::new();
        while !output.is_empty() {
            let all = output.as_pieces().iter().flat_map(|piece| piece.to_vec()).collect::<Vec<u8>>();
            let length = step.min(all.len());
            sent.extend_from_slice(&all[..length]);
            output.advance(length);
        }
        sent
    }

    #[test]
    fn pieces_are_sent_in_their_order_whatever_the_kernel_takes() {
        let large = Bytes::from(vec![b'x'; LARGE_PIECE_BYTES]);
        let expected = [b"head3\r\nabc\r\n1000\r\n".as_slice(), &large, b"\r\n"].concat();
        for step in [1, 7, 4_096, usize::MAX] {
            let mut output = Output::default();
            output.buffer().extend_from_slice(b"head");
            output.push_chunk(Bytes::from_static(b"abc"));
            assert!(output.as_one_piece().is_some() && !output.is_full());
            output.push_chunk(large.clone());
            assert!(output.as_one_piece().is_none() && output.is_full());
            assert_eq!(sent(&mut output, step), expected, "{step}");
            output.push_last_chunk();
            assert_eq!(sent(&mut output, step), b"0\r\n\r\n");
            output.push(large.clone());
            assert!(output.is_full());
            assert_eq!(sent(&mut output, step), large);
        }
    }

    #[test]
    fn many_small_pieces_fill_it() {
        let mut output = Output::default();
        let mut pieces = 0;
        while !output.is_full() {
            output.push(Bytes::from_static(&[b'x'; 1_000]));
            pieces += 1;
        }
        assert_eq!(pieces, MAX_BUFFERED_BYTES.div_ceil(1_000));
    }
}
