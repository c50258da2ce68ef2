//! The HTTP client of one provider.

use std::time::Duration;

use reqwest::{Certificate, Client, redirect, retry};
use url::{Host, Url};

/// How long an idle connection is kept. Providers close theirs after 60 s to some minutes.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(90);

/// A client that sends exactly one request: it follows no redirect, retries nothing, decodes nothing.
///
/// HTTP/1.1 only: reqwest keeps a single HTTP/2 connection to a host, and providers accept about 100 streams on one, so
/// call 101 would wait. The loss of that connection would end all streams together.
///
/// The system's root certificates and Mozilla's are both trusted: the former include a company's own, the latter exist
/// in an image without any.
pub(crate) fn build(base_url: &Url, connect: Duration) -> reqwest::Result<Client> {
    let builder = Client::builder()
        .http1_only()
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .tcp_nodelay(true)
        .connect_timeout(connect)
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .user_agent(concat!("switchboard/", env!("CARGO_PKG_VERSION")));
    // A proxy cannot reach what listens on this machine only.
    let builder = if is_loopback(base_url) { builder.no_proxy() } else { builder };
    // No certificate is ever checked here, and loading some hundred takes long.
    if is_loopback(base_url) && base_url.scheme() == "http" {
        return builder.tls_certs_only([]).build();
    }
    builder.tls_certs_merge(webpki_roots()?).build()
}

fn webpki_roots() -> reqwest::Result<Vec<Certificate>> {
    let certificates = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter();
    certificates.map(|certificate| Certificate::from_der(certificate)).collect()
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn loopback() {
        for (url, expected) in [
            ("http://127.0.0.1:8000/v1", true),
            ("http://[::1]/", true),
            ("http://localhost:1", true),
            ("http://a.localhost", true),
            ("https://api.openai.com/v1", false),
            ("http://10.0.0.1", false),
            ("http://localhost.example.com", false),
        ] {
            assert_eq!(is_loopback(&url.parse().unwrap()), expected, "{url}");
        }
    }
}
