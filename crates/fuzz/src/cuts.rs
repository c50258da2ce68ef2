//! Pieces of an input as a network may deliver them. The same input gives the same pieces.

use fastrand::Rng;

/// The input in pieces of `1..=longest` bytes.
pub(crate) fn pieces(input: &[u8], longest: usize) -> impl Iterator<Item = &[u8]> {
    let seed = input.iter().fold(longest as u64, |seed, byte| seed.rotate_left(5) ^ u64::from(*byte));
    let mut rng = Rng::with_seed(seed);
    let mut left = input;
    std::iter::from_fn(move || {
        let length = rng.usize(1..=longest).min(left.len());
        let (piece, after) = left.split_at(length);
        left = after;
        (!piece.is_empty()).then_some(piece)
    })
}
