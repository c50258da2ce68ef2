//! Responses of providers as HTTP/1.1: the same response, however it arrives.

use providers::fuzzing::{WholeResponse, read_response};

use crate::{cuts::pieces, features::Features};

/// As it came, and as what follows the beginnings of good heads: a random change breaks those, and few would get to a body.
pub(super) fn run(input: &[u8], features: &mut Features) {
    read(input, features);
    for framing in ["transfer-encoding: chunked", "content-length: 9", "connection: close"] {
        for between in ["\r\n", "\r\n\r\n"] {
            let head = format!("HTTP/1.1 200 OK\r\n{framing}{between}");
            read(&[head.as_bytes(), input].concat(), features);
        }
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    [
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n8\r\ndata: 1\n\r\n1;a=b\r\n\n\r\n0\r\nx: y\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 429 Too Many\r\nretry-after: 1\r\n\r\nto the end",
        "HTTP/1.1 204\r\n\r\n",
        "2\r\nHi\r\n0\r\n\r\n",
        "x-request-id: a\r\ncontent-length: 9, 9\r\n\r\n123456789",
    ]
    .map(|seed| seed.as_bytes().to_vec())
    .to_vec()
}

fn read(response: &[u8], features: &mut Features) {
    let whole = of_pieces(std::iter::once(response));
    if let Some(whole) = &whole {
        features.add(("http", whole.status / 100, whole.is_reusable, whole.headers.len().min(9)));
        features.add_magnitude("body", whole.body.len() as u64);
        // What follows a response is no part of it.
        let followed = of_pieces([response, b"HTTP/1.1 "].into_iter());
        assert!(followed.is_none_or(|followed| !followed.is_reusable), "its end is not certain");
    }
    for longest in [1, 13] {
        assert_eq!(of_pieces(pieces(response, longest)), whole, "pieces of {longest}");
    }
}

/// Of what is cut off, a reader may see sooner or later that it is malformed, too.
fn of_pieces<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Option<WholeResponse> {
    read_response(pieces, |name| name != "date", false).ok()
}
