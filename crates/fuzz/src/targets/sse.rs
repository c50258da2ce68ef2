//! The frames of a stream: together they are the stream, however it arrives.

use bytes::Bytes;
use dialects::sse::{Decoder, Frame, FrameTooLarge, begins_events};

use crate::{cuts::pieces, features::Features};

/// The lengths of pieces that a stream is cut into.
const LENGTHS: [usize; 3] = [1, 7, 4_096];

/// The limit of a decoder that refuses frames.
const SMALL_LIMIT: usize = 64;

pub(super) fn run(input: &[u8], features: &mut Features) {
    let whole = decode(std::iter::once(input), usize::MAX);
    let raw: Vec<u8> = whole.iter().flatten().flat_map(|frame| frame.raw().to_vec()).collect();
    assert!(raw.starts_with(input), "the frames are the stream");
    // All that may be added is the blank line that the last frame lacks.
    assert!(raw[input.len()..].iter().all(|byte| *byte == b'\n') && raw.len() <= input.len() + 2);
    for frame in whole.iter().flatten() {
        let data = frame.data();
        features.add((frame.event().len().min(8), data.as_ref().map(|data| data.len().checked_ilog2())));
        features.add((
            frame.raw().starts_with(b":"),
            frame.raw().ends_with(b"\r\n"),
            frame.raw().ends_with(b"\r"),
        ));
        features.add(data.is_some_and(|data| data.contains(&b'\n')));
    }
    features.add(begins_events(input));
    let limited = decode(std::iter::once(input), SMALL_LIMIT);
    for longest in LENGTHS {
        assert_eq!(decode(pieces(input, longest), usize::MAX), whole, "pieces of {longest}");
        let cut = decode(pieces(input, longest), SMALL_LIMIT);
        assert_eq!(cut, limited, "pieces of {longest}, and a limit");
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let streams: [&[u8]; 6] = [
        b"data: a\n\ndata: b\n\n",
        b"\xef\xbb\xbfevent: x\r\ndata: {}\r\n\r\n: ping\r\n\r\n",
        b"data\rdata:\rdata: \r\r",
        b"id: 1\nretry: 5\nevent: message\ndata:one\ndata: two\n\ndata: [DONE]",
        b"\n\n\r\r\n\n",
        b"data: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n\n",
    ];
    streams.iter().map(|stream| stream.to_vec()).collect()
}

fn decode<'a>(pieces: impl Iterator<Item = &'a [u8]>, limit: usize) -> Vec<Result<Frame, FrameTooLarge>> {
    let mut decoder = Decoder::new(limit);
    let mut frames = Vec::new();
    for piece in pieces {
        decoder.push(Bytes::copy_from_slice(piece));
        while let Some(frame) = decoder.next_frame() {
            let is_failed = frame.is_err();
            frames.push(frame);
            if is_failed {
                return frames;
            }
        }
    }
    frames.extend(decoder.finish().map(Ok));
    frames
}
