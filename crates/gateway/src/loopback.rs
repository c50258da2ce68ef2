//! The hosts that a listener without keys accepts. A web page can make a browser send requests to loopback under a
//! name of its own (DNS rebinding) or from its own origin: `Host` and `Origin` show both.

use std::net::{Ipv4Addr, Ipv6Addr};

use http::{HeaderMap, HeaderName, header};

use crate::present_headers::PresentHeaders;

/// The header that names another host than loopback, if there is one. A request without `Host` is rejected, too, where one
/// is needed: every HTTP/1.1 client sends it.
pub(crate) fn host_not_allowed(
    headers: &HeaderMap,
    present: PresentHeaders,
    needs_host: bool,
) -> Option<HeaderName> {
    let is_allowed = match headers.get(header::HOST) {
        Some(host) => host.to_str().is_ok_and(is_loopback),
        None => !needs_host,
    };
    if !is_allowed {
        return Some(header::HOST);
    }
    if !present.has_origin {
        return None;
    }
    let origin = headers.get(header::ORIGIN)?;
    let authority =
        origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, authority)| authority);
    (!authority.is_some_and(is_loopback)).then_some(header::ORIGIN)
}

/// Whether `name` or `name:port` is a loopback name or address.
fn is_loopback(authority: &str) -> bool {
    if let Some(bracketed) = authority.strip_prefix('[') {
        let Some((address, port)) = bracketed.split_once(']') else { return false };
        let is_valid_port = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        return is_valid_port && address.parse().is_ok_and(|address: Ipv6Addr| address.is_loopback());
    }
    let name = match authority.split_once(':') {
        Some((name, port)) if is_port(port) => name,
        Some(_) => return false,
        None => authority,
    };
    // The usual ones cost nothing.
    if name == "127.0.0.1" || name == "localhost" {
        return true;
    }
    let name = name.to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        || name.parse().is_ok_and(|address: Ipv4Addr| address.is_loopback())
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn loopback_names_are_recognized() {
        for good in [
            "localhost",
            "LocalHost:4100",
            "app.localhost:80",
            "127.0.0.1:4100",
            "127.9.9.9",
            "[::1]",
            "[::1]:4100",
        ] {
            assert!(is_loopback(good), "{good}");
        }
        for bad in [
            "",
            "example.com",
            "localhost.example.com",
            "127.0.0.1.nip.io",
            "10.0.0.1",
            "0.0.0.0:4100",
            "[::2]:1",
            "[::1",
            "[::1]x",
            "localhost:",
            "localhost:x",
            "a@localhost:x",
            "127.0.0.1@evil",
            "null",
        ] {
            assert!(!is_loopback(bad), "{bad}");
        }
    }

    #[test]
    fn host_and_origin_must_both_be_loopback() {
        let table = [
            (Some("localhost:4100"), None, None),
            (Some("127.0.0.1"), Some("http://localhost:3000"), None),
            (Some("evil.example"), None, Some(header::HOST)),
            (None, None, Some(header::HOST)),
            (Some("localhost"), Some("https://evil.example"), Some(header::ORIGIN)),
            (Some("localhost"), Some("null"), Some(header::ORIGIN)),
        ];
        for (host, origin, expected) in table {
            let mut headers = HeaderMap::new();
            for (name, value) in [(header::HOST, host), (header::ORIGIN, origin)] {
                if let Some(value) = value {
                    headers.insert(name, HeaderValue::from_static(value));
                }
            }
            let present = PresentHeaders::of(&headers);
            assert_eq!(host_not_allowed(&headers, present, true), expected, "{host:?} {origin:?}");
            let without = (host.is_some() || origin.is_some()).then_some(expected).flatten();
            assert_eq!(
                host_not_allowed(&headers, present, false),
                without,
                "{host:?} {origin:?}, none needed"
            );
        }
    }
}
