//! Heads and bodies of responses, good and bad, however they are cut.

use http::HeaderValue;
use proptest::prelude::*;

use super::super::whole::{NoResponse, WholeResponse, read_response};

fn read(response: &[u8]) -> Result<WholeResponse, NoResponse> {
    let whole = read_response([response], |_| true, false);
    let in_bytes = read_response(response.chunks(1), |_| true, false);
    assert_same(in_bytes, &whole);
    whole
}

/// Of what is cut off, a reader may see sooner or later that it is malformed, too.
fn assert_same(found: Result<WholeResponse, NoResponse>, expected: &Result<WholeResponse, NoResponse>) {
    assert_eq!(found.ok().as_ref(), expected.as_ref().ok());
}

/// Where the body ends (RFC 9112, section 6.3), and whether another request may follow.
#[test]
fn a_body_ends_where_its_head_says() {
    for (response, status, body, is_reusable) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nHi", 200, "Hi", true),
        ("HTTP/1.1 200 OK\r\nContent-Length:2\r\n\r\nHi", 200, "Hi", true),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2, 2\r\ncontent-length: 2\r\n\r\nHi", 200, "Hi", true),
        ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 200, "", true),
        ("HTTP/1.1 200 OK\r\n\r\nto the end", 200, "to the end", false),
        ("HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n", 200, "", true),
        ("HTTP/1.1 200 \r\ncontent-length: 0\r\n\r\n", 200, "", true),
        // What hyper's client reads, too: line feeds alone in a head, and empty lines before it.
        ("HTTP/1.1 200 OK\ncontent-length: 2\n\nHi", 200, "Hi", true),
        ("\r\n\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nHi", 200, "Hi", true),
        // No body, whatever the head says.
        ("HTTP/1.1 204 No Content\r\n\r\n", 204, "", true),
        ("HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\n\r\n", 304, "", true),
        ("HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n", 204, "", true),
        // Responses before the response.
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nHi", 200, "Hi", true),
        (
            "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 102 P\r\n\r\nHTTP/1.1 429 No\r\ncontent-length: 0\r\n\r\n",
            429,
            "",
            true,
        ),
        ("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n", 101, "", false),
        // The connection afterwards.
        ("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nHi", 200, "Hi", false),
        ("HTTP/1.1 200 OK\r\nConnection: foo, CLOSE\r\ncontent-length: 2\r\n\r\nHi", 200, "Hi", false),
        (
            "HTTP/1.1 200 OK\r\nconnection: close\r\nconnection: keep-alive\r\ncontent-length: 0\r\n\r\n",
            200,
            "",
            false,
        ),
        ("HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nHi", 200, "Hi", false),
        ("HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nHi", 200, "Hi", true),
        ("HTTP/1.0 200 OK\r\n\r\nHi", 200, "Hi", false),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nHi!", 200, "Hi", false),
        ("HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", 204, "", false),
        // Chunks.
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nHi\r\n1\r\n!\r\n0\r\n\r\n",
            200,
            "Hi!",
            true,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n00A\r\n0123456789\r\n0\r\n\r\n",
            200,
            "0123456789",
            true,
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2 ;a=\"b\";c\r\nHi\r\n0;d\r\n\r\n",
            200,
            "Hi",
            true,
        ),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2 \t\r\nHi\r\n0\r\n\r\n", 200, "Hi", true),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nH\r\n0\r\na: b\r\nc:\r\n\r\n",
            200,
            "H",
            true,
        ),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nx", 200, "", false),
        // Two ways to read it: the chunks are it, and the connection is not used again.
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n2\r\nHi\r\n0\r\n\r\n",
            200,
            "Hi",
            false,
        ),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: x, chunked\r\n\r\n2\r\nHi\r\n0\r\n\r\n", 200, "Hi", false),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, x\r\n\r\n2\r\nHi", 200, "2\r\nHi", false),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: identity\r\ncontent-length: 1\r\n\r\nHi", 200, "Hi", false),
    ] {
        let found = read(response.as_bytes()).map(|found| {
            let body = String::from_utf8(found.body).unwrap();
            (found.status, body, found.is_reusable)
        });
        assert_eq!(found, Ok((status, body.to_owned(), is_reusable)), "{response}");
    }
}

#[test]
fn what_can_be_read_in_two_ways_is_no_response() {
    let head = |lines: &str| format!("HTTP/1.1 200 OK\r\n{lines}\r\n\r\n");
    let chunks = |body: &str| format!("{}{body}", head("transfer-encoding: chunked"));
    for response in [
        "SSH-2.0-OpenSSH_9.2\r\n".to_owned(),
        "HTTP/2 200 OK\r\n\r\n".to_owned(),
        "HTTP/1.2 200 OK\r\n\r\n".to_owned(),
        "HTTP/1.1 2000 OK\r\n\r\n".to_owned(),
        "HTTP/1.1 099 OK\r\n\r\n".to_owned(),
        "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
        head("content-length: 1\r\ncontent-length: 2"),
        head("content-length: 1, 2"),
        head("content-length: +1"),
        head("content-length: -1"),
        head("content-length: 0x1"),
        head("content-length: 1 1"),
        head("content-length:"),
        head("content-length: 1,"),
        head("content-length: 99999999999999999999"),
        // A space before the colon, a folded line, a line without a name.
        head("content-length : 1"),
        head("a: b\r\n c: d"),
        head(": b"),
        head("a b"),
        head("a: b\rc: d"),
        head("a: \0"),
        head("a\0: b"),
        chunks("g\r\n"),
        chunks("\r\n"),
        chunks(" 1\r\nH\r\n0\r\n\r\n"),
        chunks("+1\r\nH\r\n0\r\n\r\n"),
        chunks("0x1\r\nH\r\n0\r\n\r\n"),
        chunks("1\nH\r\n0\r\n\r\n"),
        chunks("1 1\r\nH\r\n0\r\n\r\n"),
        chunks("1\r\r\nH\r\n0\r\n\r\n"),
        chunks("1;a\nb\r\nH\r\n0\r\n\r\n"),
        chunks("1;a\rb\r\nH\r\n0\r\n\r\n"),
        chunks("1\r\nHi\r\n0\r\n\r\n"),
        chunks("1\r\nH\n0\r\n\r\n"),
        chunks("10000000000000000\r\nH"),
        chunks("0\r\n\n"),
        chunks("0\r\na: b\n\r\n"),
        chunks("0\r\na: b\rc\r\n\r\n"),
        chunks(&format!("1;{}\r\nH\r\n0\r\n\r\n", "x".repeat(20_000))),
        chunks(&format!("{}0\r\n\r\n", "1;0123456789\r\nH\r\n".repeat(2_000))),
        chunks(&format!("0\r\na: {}\r\n\r\n", "x".repeat(20_000))),
        head(&format!("a: {}", "x".repeat(65_536))),
        head(&vec!["a: b"; 1_025].join("\r\n")),
        format!("HTTP/1.1 200 {}", "x".repeat(65_536)),
    ] {
        let start = &response[..response.len().min(100)];
        assert_eq!(read(response.as_bytes()), Err(NoResponse::Malformed), "{start}");
    }
}

#[test]
fn a_response_that_is_cut_off_is_none() {
    for response in [
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nHi",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2;a\r\nHi\r\n0\r\nb: c\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
    ] {
        read(response.as_bytes()).unwrap();
        for length in 0..response.len() {
            let cut = &response[..length];
            assert_eq!(read(cut.as_bytes()), Err(NoResponse::Truncated), "{cut}");
        }
    }
}

#[test]
fn many_headers_and_large_ones_are_read() {
    let many = (0..1_000).map(|number| format!("x-{number}: {number}\r\n")).collect::<String>();
    let large = format!("x-0: {}\r\n", "v".repeat(60_000));
    for (lines, count) in [(&many, 1_000), (&large, 1)] {
        let response = format!("HTTP/1.1 400 Bad Request\r\n{lines}\r\n");
        assert_eq!(read_response([response.as_bytes()], |_| false, false).unwrap().headers.len(), count);
    }
}

#[test]
fn of_a_success_only_what_is_kept_is_read() {
    let is_kept = |name: &str| name == "content-type" || name.starts_with("x-");
    let lines =
        format!("Content-Type: a/b\r\nX-Two: 1\r\nx-two:  2 \r\ndate: d\r\nX-{}: é\r\n", "Y".repeat(99));
    for (status, count) in [(200, 4), (404, 5)] {
        let response = format!("HTTP/1.1 {status} x\r\n{lines}\r\n");
        let headers = read_response([response.as_bytes()], is_kept, false).unwrap().headers;
        assert_eq!(headers.len(), count, "{status}");
        assert_eq!(headers["content-type"], "a/b");
        assert_eq!(headers.get_all("x-two").iter().collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(
            headers[format!("x-{}", "y".repeat(99))],
            HeaderValue::from_bytes("é".as_bytes()).unwrap()
        );
    }
}

#[test]
fn the_response_to_head_has_no_body() {
    let response = b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n";
    let found = read_response([&response[..]], |_| true, true).unwrap();
    assert_eq!((found.body.len(), found.is_reusable), (0, true));
}

/// Parts that make a response, or almost one.
fn part() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("HTTP/1.1 200 OK\r\n".to_owned()),
        Just("HTTP/1.1 100 Continue\r\n\r\n".to_owned()),
        Just("transfer-encoding: chunked\r\n".to_owned()),
        (0..20_usize).prop_map(|length| format!("content-length: {length}\r\n")),
        "[ -~]{0,9}\r\n",
        Just("\r\n".to_owned()),
        Just("0\r\n\r\n".to_owned()),
        (1..20_usize).prop_map(|length| format!("{length:x}\r\n{}\r\n", "x".repeat(length))),
        "[\r\n0-9a-f;: ]{0,5}",
    ]
}

proptest! {
    #[test]
    fn the_pieces_make_no_difference(
        parts in prop::collection::vec(part(), 0..9),
        has_start in prop::bool::weighted(0.9),
        cuts in prop::collection::vec(0..400_usize, 0..9),
    ) {
        let start = if has_start { "HTTP/1.1 200 OK\r\n" } else { "" };
        let response = format!("{start}{}", parts.concat()).into_bytes();
        let whole = read(&response);
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(response.len())).collect();
        cuts.extend([0, response.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|cut| &response[cut[0]..cut[1]]);
        assert_same(read_response(pieces, |_| true, false), &whole);
    }
}
