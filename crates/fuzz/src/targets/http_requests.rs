//! Requests of clients as HTTP/1.1: the same request, however it arrives.

use gateway::fuzzing::{NoRequest, WholeRequest, read_request};

use crate::{cuts::pieces, features::Features};

/// As it came, and as what follows the beginnings of good heads: a random change breaks those, and few would get to a body.
pub(super) fn run(input: &[u8], features: &mut Features) {
    read(input, features);
    for framing in ["transfer-encoding: chunked", "content-length: 9", "connection: close"] {
        for between in ["\r\n", "\r\n\r\n"] {
            let head = format!("POST /v1/messages HTTP/1.1\r\nhost: a\r\n{framing}{between}");
            read(&[head.as_bytes(), input].concat(), features);
        }
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    [
        "POST /v1/chat/completions HTTP/1.1\r\nHost: a:1\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\n{}",
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\nexpect: 100-continue\r\n\r\n2;a=b\r\n{}\r\n0\r\nx: y\r\n\r\nGET ",
        "\r\n\nGET http://a/b?c HTTP/1.0\r\nconnection: keep-alive\r\n\r\n",
        "HEAD / HTTP/1.1\r\ncontent-length: 1, 1\r\n\r\n1",
        "OPTIONS * HTTP/1.1\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ]
    .map(|seed| seed.as_bytes().to_vec())
    .to_vec()
}

fn read(request: &[u8], features: &mut Features) {
    let whole = of_pieces(std::iter::once(request));
    if let Some(WholeRequest { headers, body, keeps_alive, unread, .. }) = &whole {
        features.add(("http", *keeps_alive, headers.len().min(9), unread.min(&9)));
        features.add_magnitude("body", body.len() as u64);
    }
    for longest in [1, 13] {
        assert_eq!(of_pieces(pieces(request, longest)), whole, "pieces of {longest}");
    }
}

/// Of what is cut off, a reader may see sooner or later that it is malformed, too.
fn of_pieces<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Option<WholeRequest> {
    match read_request(pieces) {
        Ok(whole) => Some(whole),
        Err(NoRequest::Refused(status)) => {
            assert!((400..500).contains(&status), "it is the client's fault: {status}");
            None
        }
        Err(NoRequest::Truncated) => None,
    }
}
