//! Why a provider is not reached: host, port, TLS, proxy. Each in the words that a person needs.
//!
//! The certificates are valid for a hundred years. How they were made: `openssl req -x509` for the authority (`ca.pem`),
//! `openssl x509 -req` and `openssl ca` for the server's, for the host `localhost`; `expired.pem` ended in 2020. Likewise
//! `proxy_ca.pem` and `proxy_server.pem`, for `provider.example` and `localhost`. `authority_as_server.pem` is `openssl req -x509` as it comes. All have the key `server.key`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use providers::{
    ConnectCause, Provider, ProviderConfig, ProviderConfigError, ProviderError, ProviderErrorKind,
    ProviderKind,
};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::setup::plain;

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/calls/certificates").join(name)
}

/// A server with this certificate, which answers one request a connection; its port.
async fn serve_tls(certificate: &str) -> u16 {
    let certificate = CertificateDer::from_pem_file(path(certificate)).unwrap();
    let key = PrivateKeyDer::from_pem_file(path("server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let Ok(mut socket) = acceptor.accept(socket).await else { continue };
            let mut request = Vec::new();
            while !request.ends_with(b"}]}") {
                assert_ne!(socket.read_buf(&mut request).await.unwrap(), 0);
            }
            let body = r#"{"choices":[{"message":{"content":"Hi"}}]}"#;
            let response = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            socket.write_all(response.as_bytes()).await.unwrap();
            socket.flush().await.unwrap();
        }
    });
    port
}

fn try_provider(base_url: &str, ca_file: Option<PathBuf>) -> Result<Provider, ProviderConfigError> {
    let config = ProviderConfig {
        name: "p".to_owned(),
        kind: ProviderKind::OpenAi,
        base_url: base_url.parse().unwrap(),
        api_key: None,
        aws: None,
        google: None,
        speaks: None,
        ca_file,
        stream_usage: None,
        forward: Vec::new(),
    };
    Provider::new(config, Duration::from_secs(5))
}

async fn error_of(base_url: &str, ca_file: Option<PathBuf>) -> ProviderError {
    plain(&try_provider(base_url, ca_file).unwrap()).await.unwrap_err()
}

fn assert_cause(error: &ProviderError, cause: ConnectCause, words: &str) {
    assert_eq!(error.kind, ProviderErrorKind::Connection(cause), "{error}");
    assert_eq!(error.error_code.as_deref(), Some(cause.code()));
    assert!(error.to_string().contains(words), "{error}");
}

#[tokio::test]
async fn a_ca_file_is_trusted_for_its_provider() {
    let port = serve_tls("server.pem").await;
    let url = format!("https://localhost:{port}/v1");
    plain(&try_provider(&url, Some(path("ca.pem"))).unwrap()).await.unwrap();
    let words = "the certificate \"localhost\" leads to the authority \"Example Company CA, Example Company\", \
                 which is not trusted";
    assert_cause(&error_of(&url, None).await, ConnectCause::Tls, words);
}

#[tokio::test]
async fn a_certificate_is_named_with_what_is_wrong_with_it() {
    let port = serve_tls("server.pem").await;
    let url = format!("https://127.0.0.1:{port}/v1");
    let words = "the certificate \"localhost\" is for another host";
    assert_cause(&error_of(&url, Some(path("ca.pem"))).await, ConnectCause::Tls, words);

    let port = serve_tls("expired.pem").await;
    let url = format!("https://localhost:{port}/v1");
    let words = "the certificate \"localhost\" has expired";
    assert_cause(&error_of(&url, Some(path("ca.pem"))).await, ConnectCause::Tls, words);

    let port = serve_tls("self_signed.pem").await;
    let words = "is self-signed, and not among the trusted ones";
    assert_cause(&error_of(&format!("https://localhost:{port}"), None).await, ConnectCause::Tls, words);

    // As `openssl req -x509` makes it. That it is trusted does not help.
    let port = serve_tls("authority_as_server.pem").await;
    let words = "the certificate \"localhost\" is an authority's (CA:TRUE)";
    let url = format!("https://localhost:{port}");
    assert_cause(&error_of(&url, None).await, ConnectCause::Tls, words);
    assert_cause(&error_of(&url, Some(path("authority_as_server.pem"))).await, ConnectCause::Tls, words);
}

#[tokio::test]
async fn a_port_without_tls_is_reported() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        _ = socket.read_to_end(&mut Vec::new()).await;
    });
    let error = error_of(&format!("https://127.0.0.1:{port}"), None).await;
    assert_cause(&error, ConnectCause::Tls, "the port does not speak TLS");
}

#[tokio::test]
async fn an_unknown_host_is_told_by_name() {
    let error = error_of("http://no-such-host.invalid/v1", None).await;
    assert_cause(&error, ConnectCause::HostUnknown, "no-such-host.invalid: ");
}

#[tokio::test]
async fn a_ca_file_that_cannot_be_read_is_named() {
    let error = try_provider("https://a/v1", Some("no/such.pem".into())).unwrap_err().to_string();
    assert!(error.starts_with("provider p cannot be called: ca_file (no/such.pem): "), "{error}");
    let error = try_provider("https://a/v1", Some(path("server.key"))).unwrap_err().to_string();
    assert!(error.ends_with("it has no certificate in PEM format"), "{error}");
}
