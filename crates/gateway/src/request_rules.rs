//! Requests that proxies and servers read in different ways. What one of them takes for the body, another takes for the
//! next request; so they are refused, and their connection closes.

use http::{HeaderMap, Uri, header};

use crate::present_headers::PresentHeaders;

/// What is wrong with the head of a request.
pub(crate) fn violation(uri: &Uri, headers: &HeaderMap, present: PresentHeaders) -> Option<&'static str> {
    if present.several_hosts {
        return Some("the request has two Host headers: send one");
    }
    // The absolute form: two names of the server, of which the rules for hosts see one.
    if let Some(authority) = uri.authority()
        && headers
            .get(header::HOST)
            .is_none_or(|host| !host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes()))
    {
        return Some("the request's target names another server than its Host header");
    }
    if !present.transfer_encoding {
        return None;
    }
    let mut encodings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let encoding = encodings.next()?;
    let is_chunked = encoding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
    (!is_chunked || encodings.next().is_some())
        .then_some("the transfer-encoding is not supported: send chunked, or a content-length")
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        const HOST: HeaderName = header::HOST;
        const ENCODING: HeaderName = header::TRANSFER_ENCODING;
        type Fields<'a> = &'a [(HeaderName, &'static str)];
        let table: [(&str, Fields<'_>, bool); 14] = [
            ("/v1/models", &[(HOST, "localhost:4100")], true),
            ("/v1/models", &[], true),
            ("http://localhost:4100/v1/models", &[(HOST, "LOCALHOST:4100")], true),
            ("/v1/models", &[(HOST, "a"), (HOST, "a")], false),
            ("/v1/models", &[(HOST, "a"), (HOST, "b")], false),
            ("http://evil.example/v1/models", &[(HOST, "localhost:4100")], false),
            ("http://localhost/v1/models", &[(HOST, "localhost:4100")], false),
            ("http://localhost/v1/models", &[], false),
            ("/", &[(ENCODING, "chunked")], true),
            ("/", &[(ENCODING, "Chunked ")], true),
            ("/", &[(ENCODING, "gzip, chunked")], false),
            ("/", &[(ENCODING, "chunked, chunked")], false),
            ("/", &[(ENCODING, "chunked"), (ENCODING, "chunked")], false),
            ("/", &[(ENCODING, "identity")], false),
        ];
        for (target, fields, is_good) in table {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                headers.append(name, HeaderValue::from_static(value));
            }
            let violation = violation(&target.parse().unwrap(), &headers, PresentHeaders::of(&headers));
            assert_eq!(violation.is_none(), is_good, "{target} {fields:?}: {violation:?}");
        }
    }
}
