//! An HTTP proxy that opens tunnels, as in companies' networks, and the ways in which it does not.
#![expect(clippy::expect_used, reason = "a test cannot continue without its proxy")]

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::{Arc, Mutex},
};

use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

/// What a proxy does with a request for a tunnel.
#[derive(Debug, Clone, Copy)]
pub enum ConnectReply {
    /// Opens a tunnel to this address, whatever was asked for.
    Tunnel(SocketAddr),
    /// Refuses with this status line's rest, such as `403 Forbidden`, and a page.
    Refuse(&'static str),
    /// Reads the request and says nothing.
    Silence,
}

/// An HTTP proxy on its own port. On drop it takes no more connections.
#[derive(Debug)]
pub struct ConnectProxy {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    accepting: JoinHandle<()>,
}

impl ConnectProxy {
    /// Starts it; `tls`: how it is itself reached by TLS.
    ///
    /// # Panics
    /// No port is free.
    pub async fn start(reply: ConnectReply, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("a bound port");
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let seen = Arc::clone(&requests);
        let accepting = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (tls, seen) = (tls.clone(), Arc::clone(&seen));
                tokio::spawn(async move {
                    match tls {
                        None => serve(socket, reply, &seen).await,
                        // A client that does not trust it ends the handshake.
                        Some(tls) => {
                            if let Ok(socket) = tls.accept(socket).await {
                                serve(socket, reply, &seen).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, requests, accepting }
    }

    /// Its port, on 127.0.0.1.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.address.port()
    }

    /// The heads of the requests so far.
    ///
    /// # Panics
    /// A connection of it panicked.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("no connection panicked").clone()
    }
}

impl Drop for ConnectProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(
    mut client: impl AsyncRead + AsyncWrite + Unpin,
    reply: ConnectReply,
    seen: &Mutex<Vec<String>>,
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if !matches!(client.read_buf(&mut head).await, Ok(1..)) {
            return;
        }
    }
    seen.lock().expect("no connection panicked").push(String::from_utf8_lossy(&head).into_owned());
    // Whatever fails from here on ends the connection, as it would end a proxy's.
    match reply {
        ConnectReply::Tunnel(address) => {
            let Ok(mut target) = TcpStream::connect(address).await else { return };
            if client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.is_ok() {
                _ = client.flush().await;
                _ = copy_bidirectional(&mut client, &mut target).await;
            }
        }
        ConnectReply::Refuse(status) => {
            let page = "<html>No way.</html>";
            let length = page.len();
            let reply = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{page}");
            _ = client.write_all(reply.as_bytes()).await;
            _ = client.flush().await;
            _ = client.read_to_end(&mut Vec::new()).await;
        }
        ConnectReply::Silence => _ = client.read_to_end(&mut Vec::new()).await,
    }
}

/// TLS with the certificate and key of these PEM files.
///
/// # Panics
/// They cannot be used.
#[must_use]
pub fn tls_acceptor(certificate: &Path, key: &Path) -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_file(certificate).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(key).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions of TLS")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("the key of the certificate");
    TlsAcceptor::from(Arc::new(config))
}

/// An API behind TLS that answers each POST with this JSON body; one request a connection. Its address.
///
/// # Panics
/// No port is free.
pub async fn serve_tls(tls: TlsAcceptor, body: &'static str) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let address = listener.local_addr().expect("a bound port");
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let Ok(mut socket) = tls.accept(socket).await else { continue };
            let mut request = Vec::new();
            // A POST's body is an object; a GET has none.
            let is_whole = |request: &[u8]| match request.starts_with(b"GET") {
                true => request.ends_with(b"\r\n\r\n"),
                false => request.ends_with(b"}"),
            };
            while !is_whole(&request) {
                if !matches!(socket.read_buf(&mut request).await, Ok(1..)) {
                    break;
                }
            }
            let length = body.len();
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
            let response = format!("{head}content-length: {length}\r\n\r\n{body}");
            _ = socket.write_all(response.as_bytes()).await;
            _ = socket.shutdown().await;
        }
    });
    address
}
