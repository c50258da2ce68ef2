//! The pieces of a stream that are kept back.

use bytes::{Bytes, BytesMut};

/// So many pieces are kept as they came. A piece costs some ten bytes besides its own, and may hold the whole of what was
/// received with it, so a provider that sends millions of small ones would take many times their size.
const MAX_PIECES: usize = 64;

/// The pieces of a stream that are kept back. Their memory is bounded by a factor of their size.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    first: Vec<Bytes>,
    /// Those after the first.
    joined: BytesMut,
    size: usize,
}

impl Pieces {
    /// Adds the next one.
    pub(crate) fn push(&mut self, piece: Bytes) {
        self.size += piece.len();
        if self.first.len() < MAX_PIECES {
            self.first.push(piece);
        } else {
            self.joined.extend_from_slice(&piece);
        }
    }

    /// The bytes in all of them.
    pub(crate) const fn size(&self) -> usize {
        self.size
    }

    /// All of them, in order.
    pub(crate) fn into_vec(self) -> Vec<Bytes> {
        let mut pieces = self.first;
        if !self.joined.is_empty() {
            pieces.push(self.joined.freeze());
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_pieces_are_joined_in_order() {
        let mut pieces = Pieces::default();
        for number in 0..=255 {
            pieces.push(Bytes::copy_from_slice(&[number]));
        }
        assert_eq!(pieces.size(), 256);
        let pieces = pieces.into_vec();
        assert_eq!(pieces.len(), MAX_PIECES + 1);
        assert_eq!(pieces.concat(), (0..=255).collect::<Vec<u8>>());
    }
}
