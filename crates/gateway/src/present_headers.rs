//! Which of the headers that the gateway reads a request has. Most requests have few of them: to go over a request's
//! headers once costs less than to look for each.

use http::HeaderMap;

/// What a pass over the headers of a request has found. The values are read from the headers, where they are needed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is the presence of one header")]
pub(crate) struct PresentHeaders {
    /// More than one `host`.
    pub(crate) several_hosts: bool,
    pub(crate) has_origin: bool,
    pub(crate) transfer_encoding: bool,
    pub(crate) content_encoding: bool,
    /// A `content-type` of a form with files.
    pub(crate) form: bool,
    pub(crate) request_id: bool,
    pub(crate) retry_count: bool,
    /// How long the client waits.
    pub(crate) timeout: bool,
    pub(crate) fallback: bool,
    pub(crate) fault: bool,
}

impl PresentHeaders {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut present = Self::default();
        let mut hosts = 0;
        for (name, value) in headers {
            match name.as_str() {
                "host" => hosts += 1,
                "origin" => present.has_origin = true,
                "transfer-encoding" => present.transfer_encoding = true,
                "content-encoding" => present.content_encoding = true,
                "content-type" => present.form |= value.to_str().is_ok_and(dialects::is_form),
                "x-request-id" => present.request_id = true,
                "x-stainless-retry-count" => present.retry_count = true,
                "x-stainless-timeout" | "x-stainless-read-timeout" => present.timeout = true,
                "x-switchboard-fallback" => present.fallback = true,
                "x-switchboard-fault" => present.fault = true,
                _ => {}
            }
        }
        present.several_hosts = hosts > 1;
        present
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue, header};

    use super::*;
    use crate::headers;

    fn present(fields: &[(HeaderName, &'static str)]) -> PresentHeaders {
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            map.append(name, HeaderValue::from_static(value));
        }
        PresentHeaders::of(&map)
    }

    #[test]
    fn each_header_is_found_by_its_name() {
        type IsFound = fn(&PresentHeaders) -> bool;
        let table: [(HeaderName, &'static str, IsFound); 9] = [
            (header::ORIGIN, "", |present| present.has_origin),
            (header::TRANSFER_ENCODING, "", |present| present.transfer_encoding),
            (header::CONTENT_ENCODING, "", |present| present.content_encoding),
            (header::CONTENT_TYPE, "multipart/form-data; boundary=x", |present| present.form),
            (headers::REQUEST_ID, "", |present| present.request_id),
            (headers::RETRY_COUNT, "", |present| present.retry_count),
            (HeaderName::from_static("x-stainless-timeout"), "", |present| present.timeout),
            (headers::FALLBACK, "", |present| present.fallback),
            (headers::FAULT, "", |present| present.fault),
        ];
        for (name, value, is_found) in &table {
            let found = present(&[(header::HOST, "a"), (name.clone(), value)]);
            let count = table.iter().filter(|(_, _, is_found)| is_found(&found)).count();
            assert!(is_found(&found) && count == 1, "{name}: {found:?}");
        }
        assert!(present(&[(HeaderName::from_static("x-stainless-read-timeout"), "")]).timeout);
    }

    #[test]
    fn nothing_else_is_found() {
        let others = [
            (header::HOST, "a"),
            (header::CONTENT_TYPE, "application/json"),
            (header::CONTENT_LENGTH, "2"),
            (header::AUTHORIZATION, "Bearer a"),
        ];
        assert_eq!(present(&others), PresentHeaders::default());
        assert!(present(&[(header::HOST, "a"), (header::HOST, "a")]).several_hosts);
    }
}
