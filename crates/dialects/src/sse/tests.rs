use std::convert::Infallible;

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, stream};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};

use super::{Decoder, Frame, FrameTooLarge};

fn decode<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Frame> {
    let mut decoder = Decoder::default();
    let mut frames = Vec::new();
    for chunk in chunks {
        decoder.push(Bytes::copy_from_slice(chunk));
        while let Some(frame) = decoder.next_frame() {
            frames.push(frame.unwrap());
        }
    }
    frames.extend(decoder.finish());
    frames
}

fn name_and_data(frame: &Frame) -> (String, Option<String>) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(frame.event()), frame.data().map(|data| text(&data)))
}

#[test]
fn names_and_data_of_frames() {
    for (stream, event, data) in [
        ("data: {}\n\n", "", Some("{}")),
        ("data:{}\n\n", "", Some("{}")),
        ("data:  two spaces\n\n", "", Some(" two spaces")),
        ("event: ping\r\ndata: {}\r\n\r\n", "ping", Some("{}")),
        ("event:ping\rdata: {}\r\r", "ping", Some("{}")),
        ("data: a\ndata: b\ndata\ndata: c\n\n", "", Some("a\nb\n\nc")),
        ("data: a\r\ndata: b\r\n\r\n", "", Some("a\nb")),
        ("event: a\nevent: b\nid: 7\nretry: 10\ndatabase: x\ndata:\n\n", "b", Some("")),
        ("\u{feff}event: a\ndata: b\n\n", "a", Some("b")),
        (": keep-alive\n\n", "", None),
        ("event: lone\n\n", "lone", None),
        ("\n", "", None),
    ] {
        let frames = decode([stream.as_bytes()]);
        assert_eq!(frames.len(), 1, "{stream:?}");
        assert_eq!(name_and_data(&frames[0]), (event.into(), data.map(Into::into)), "{stream:?}");
        assert_eq!(frames[0].raw(), stream, "{stream:?}");
    }
}

#[test]
fn a_byte_order_mark_counts_only_at_the_beginning() {
    let frames = decode(["data: a\n\n\u{feff}data: b\n\n".as_bytes()]);
    assert_eq!(frames[1].data(), None);
}

#[test]
fn the_last_frame_gets_the_blank_line_that_it_lacks() {
    for (stream, last) in [
        ("data: a\n\ndata: b", "data: b\n\n"),
        ("data: a\n\ndata: b\n", "data: b\n\n"),
        ("data: a\r\n\r\ndata: b\r", "data: b\r\n\n"),
        ("data: a\n\ndata: b\r\r", "data: b\r\r"),
    ] {
        let frames = decode([stream.as_bytes()]);
        assert_eq!(frames[1].raw(), last);
        assert_eq!(frames[1].data().unwrap(), &b"b"[..]);
    }
}

#[test]
fn a_frame_in_one_chunk_is_not_copied() {
    let chunk = Bytes::from_static(b"data: a\n\ndata: b\n\n");
    let mut decoder = Decoder::default();
    decoder.push(chunk.clone());
    let first = decoder.next_frame().unwrap().unwrap();
    let second = decoder.next_frame().unwrap().unwrap();
    assert_eq!(first.raw().as_ptr(), chunk.as_ptr());
    assert_eq!(second.raw().as_ptr(), chunk[9..].as_ptr());
}

#[test]
fn a_frame_beyond_the_limit_is_rejected_whole_or_in_chunks() {
    let too_large = Some(Err(FrameTooLarge { limit: 10 }));
    let mut whole = Decoder::new(10);
    whole.push(Bytes::from_static(b"data: 12\n\ndata: 123\n\n"));
    assert!(whole.next_frame().is_some_and(|frame| frame.is_ok()), "10 bytes are within the limit");
    assert_eq!(whole.next_frame(), too_large);

    let mut pieces = Decoder::new(10);
    pieces.push(Bytes::from_static(b"data: 1"));
    assert_eq!(pieces.next_frame(), None);
    pieces.push(Bytes::from_static(b"2345"));
    assert_eq!(pieces.next_frame(), too_large);
    pieces.push(Bytes::from_static(b"\n\ndata: 1\n\n"));
    assert_eq!(pieces.next_frame(), too_large, "an error is final");
}

/// Streams of the tokens of the grammar, in any order.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just("\n".as_bytes().to_vec()),
        Just("\r".as_bytes().to_vec()),
        Just("\r\n".as_bytes().to_vec()),
        Just("data: ".as_bytes().to_vec()),
        Just("data".as_bytes().to_vec()),
        Just("event:".as_bytes().to_vec()),
        Just(": comment".as_bytes().to_vec()),
        Just("\u{feff}".as_bytes().to_vec()),
        Just("{\"é\":1}".as_bytes().to_vec()),
        vec(any::<u8>(), 0..4),
    ];
    vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

/// The names and data of the events as `sse-stream` decodes them.
fn oracle(stream: &[u8]) -> Option<Vec<(String, Option<String>)>> {
    let body = stream::iter([Ok::<_, Infallible>(Bytes::copy_from_slice(stream))]);
    let events = sse_stream::SseByteStream::new(body).collect::<Vec<_>>().now_or_never()?;
    events
        .into_iter()
        .map(|event| event.ok().map(|event| (event.event.unwrap_or_default(), event.data)))
        .collect()
}

proptest! {
    #[test]
    fn how_a_stream_is_split_makes_no_difference(stream in streams(), sizes in vec(1_usize..9, 1..50)) {
        let whole = decode([&stream[..]]);
        let mut chunks = Vec::new();
        let mut left = &stream[..];
        for size in sizes.iter().cycle() {
            let (chunk, after) = left.split_at((*size).min(left.len()));
            chunks.push(chunk);
            left = after;
            if left.is_empty() {
                break;
            }
        }
        prop_assert_eq!(&decode(chunks), &whole);
        let all = whole.iter().map(|frame| &frame.raw()[..]).collect::<Vec<_>>().concat();
        let added = all.strip_prefix(&stream[..]);
        prop_assert!(matches!(added, Some(b"" | b"\n" | b"\n\n")), "{added:?}");
    }

    #[test]
    fn another_decoder_finds_the_same_events(text in "(data: ?|data\n|event: ?|: ?|x|é|\\{\\}|\n|\n|\r\n|\n\n){0,60}") {
        // `sse-stream` drops a last frame without its blank line.
        let text = text + "\n\n";
        let ours = decode([text.as_bytes()]).iter().filter(|frame| frame.data().is_some()).map(name_and_data).collect::<Vec<_>>();
        let Some(theirs) = oracle(text.as_bytes()) else { return Ok(()) };
        let theirs = theirs.into_iter().filter(|(_, data)| data.is_some()).collect::<Vec<_>>();
        prop_assert_eq!(ours, theirs);
    }
}
