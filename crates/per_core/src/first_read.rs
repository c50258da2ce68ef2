//! Where what comes first on a connection is read to, before anyone knows how much it is.

use std::cell::Cell;

use bytes::BytesMut;

/// A request or an answer of the usual size comes in one read.
const MAX_BYTES: usize = 32 * 1024;

thread_local! {
    static SCRATCH: Cell<BytesMut> = Cell::default();
}

/// Reads by way of memory that this thread uses again and again, and makes `buffer`, which is empty, of just the size of what
/// came. Memory that each connection takes anew is never in a processor's cache.
///
/// `read` gets an empty buffer with room for 32 KiB. What it leaves there is what came.
pub fn first_read<R>(buffer: &mut BytesMut, read: impl FnOnce(&mut BytesMut) -> R) -> R {
    let mut scratch = SCRATCH.take();
    scratch.clear();
    scratch.reserve(MAX_BYTES);
    let result = read(&mut scratch);
    if !scratch.is_empty() {
        *buffer = BytesMut::from(&scratch[..]);
    }
    SCRATCH.set(scratch);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_as_large_as_what_came() {
        let mut addresses = Vec::new();
        for length in [0, 1, 700, MAX_BYTES] {
            let mut buffer = BytesMut::new();
            let read = |scratch: &mut BytesMut| {
                addresses.push(scratch.as_ptr().addr());
                assert!(scratch.is_empty() && scratch.capacity() >= MAX_BYTES);
                scratch.extend_from_slice(&vec![b'x'; length]);
                length
            };
            assert_eq!(first_read(&mut buffer, read), length);
            assert!(buffer.len() == length && buffer.capacity() < length.max(8) + 8, "{length}");
        }
        addresses.dedup();
        assert_eq!(addresses.len(), 1, "its memory is used again");
    }
}
