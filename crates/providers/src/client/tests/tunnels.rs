//! Providers behind TLS that are reached through an HTTP proxy.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Uri};
use testbed::{ConnectProxy, ConnectReply, serve_tls, tls_acceptor};
use tokio_rustls::TlsAcceptor;

use super::super::{Client, ClientError, Proxy, Resolver};
use crate::cause::ConnectCause;

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/calls/certificates").join(name)
}

fn acceptor() -> TlsAcceptor {
    tls_acceptor(&path("proxy_server.pem"), &path("server.key"))
}

async fn provider() -> SocketAddr {
    serve_tls(acceptor(), "{}").await
}

/// The result of a call to a provider through the proxy of this URL. Only the proxy's own name has an address.
async fn call(proxy: &str, ca_file: Option<&Path>) -> Result<u16, ClientError> {
    let url = "https://provider.example/v1".parse().unwrap();
    let variable = |name: &str| (name == "HTTPS_PROXY").then(|| proxy.to_owned());
    let found = Proxy::find(&url, variable).unwrap();
    assert!(found.is_some());
    let resolver = Resolver::new(|host| match host {
        "localhost" => Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]),
        _ => Err(std::io::Error::other("it has no address")),
    });
    let client = Client::with(&url, ca_file, Duration::from_millis(500), resolver, found).unwrap();
    let response = client
        .send(&Method::POST, &Uri::from_static("/v1"), |_| {}, (&Bytes::from_static(b"{}")).into())
        .await?;
    Ok(response.status.as_u16())
}

fn assert_cause(result: Result<u16, ClientError>, expected: ConnectCause, words: &str) {
    let error = result.unwrap_err();
    let ClientError::NotConnected { cause, .. } = &error else { panic!("{error:?}") };
    let text = error.to_string();
    assert_eq!(*cause, expected, "{text}");
    assert!(
        text.contains(words) && !text.contains("hush") && !format!("{error:?}").contains("hush"),
        "{text}"
    );
}

#[tokio::test]
async fn a_tunnel_leads_to_the_provider() {
    let ca_file = path("proxy_ca.pem");
    for tls in [None, Some(acceptor())] {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let proxy = ConnectProxy::start(ConnectReply::Tunnel(provider().await), tls).await;
        let url = format!("{scheme}://user:hush%20hush@localhost:{}", proxy.port());
        assert_eq!(call(&url, Some(&ca_file)).await.unwrap(), 200, "{scheme}");
        let [request] = &proxy.requests()[..] else { panic!("one connection") };
        let mut lines = request.lines();
        assert_eq!(lines.next(), Some("CONNECT provider.example:443 HTTP/1.1"));
        assert_eq!(lines.next(), Some("Host: provider.example:443"));
        assert_eq!(lines.next(), Some("Proxy-Authorization: Basic dXNlcjpodXNoIGh1c2g="));
    }
}

#[tokio::test]
async fn each_way_in_which_a_proxy_fails_has_its_words() {
    for (reply, login, words) in [
        (
            ConnectReply::Refuse("407 Proxy Authentication Required"),
            "",
            "it requires a user and password (HTTP 407); write them into its URL",
        ),
        (
            ConnectReply::Refuse("407 Proxy Authentication Required"),
            "user:hush@",
            "it does not accept the user and password (HTTP 407)",
        ),
        (ConnectReply::Refuse("403 Forbidden"), "", "it refuses the connection (HTTP 403)"),
        (ConnectReply::Refuse("502 Bad Gateway"), "", "it does not reach provider.example:443 (HTTP 502)"),
        (
            ConnectReply::Silence,
            "",
            "it made no connection to provider.example within 0.5 s (timeouts.connect)",
        ),
    ] {
        let proxy = ConnectProxy::start(reply, None).await;
        let port = proxy.port();
        let result = call(&format!("http://{login}127.0.0.1:{port}"), None).await;
        assert_cause(result, ConnectCause::Proxy, &format!("proxy 127.0.0.1:{port}: {words}"));
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_reached_is_named() {
    let result = call("http://user:hush@127.0.0.1:1", None).await;
    assert_cause(result, ConnectCause::Proxy, "proxy 127.0.0.1:1: ");
    let result = call("http://user:hush@proxy.example:3128", None).await;
    assert_cause(result, ConnectCause::Proxy, "proxy proxy.example:3128: proxy.example: it has no address");
}

#[tokio::test]
async fn certificates_are_checked_on_both_sides_of_a_proxy() {
    let proxy = ConnectProxy::start(ConnectReply::Tunnel(provider().await), None).await;
    let url = format!("http://127.0.0.1:{}", proxy.port());
    let words = "leads to the authority \"Example Company CA 2, Example Company\", which is not trusted";
    assert_cause(call(&url, None).await, ConnectCause::Tls, words);

    let proxy = ConnectProxy::start(ConnectReply::Tunnel(provider().await), Some(acceptor())).await;
    let port = proxy.port();
    let result = call(&format!("https://user:hush@localhost:{port}"), None).await;
    assert_cause(result, ConnectCause::Proxy, &format!("proxy localhost:{port}: the certificate"));
    assert!(proxy.requests().is_empty(), "nobody else learns the password");

    let proxy = ConnectProxy::start(ConnectReply::Silence, None).await;
    let port = proxy.port();
    let result = call(&format!("https://user:hush@localhost:{port}"), None).await;
    assert_cause(result, ConnectCause::Proxy, &format!("proxy localhost:{port}: "));
}
