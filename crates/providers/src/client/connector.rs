//! Makes connections to one provider: lookup, TCP, proxy, TLS.

use std::future::Future;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use http::HeaderValue;
use tokio::time::{Instant, timeout_at};
use url::{Host, Url};

use super::error::ClientError;
use super::proxy::{Proxy, ProxyError, ProxyKind};
use super::resolver::{Addresses, LookupError, Resolver};
use super::tcp;
use super::tls::{Tls, TlsConfigError};
use super::transport::Transport;
use super::tunnel::{self, SocksTarget};
use crate::cause::ConnectCause;

/// Makes connections to one provider.
#[derive(Debug)]
pub(crate) struct Connector {
    resolver: Resolver,
    host: HostName,
    port: u16,
    tls: Option<Tls>,
    proxy: Option<Proxy>,
    /// To reach the proxy itself.
    proxy_tls: Option<Tls>,
    timeout: Duration,
}

/// Why no connection can ever be made. The configuration has to change.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ConnectorError {
    /// A proxy variable cannot be obeyed.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// The authorities to trust cannot be read.
    #[error(transparent)]
    Tls(#[from] TlsConfigError),
    /// The base URL has no host.
    #[error("base_url has no host")]
    NoHost,
}

/// A host as the base URL has it.
#[derive(Debug)]
enum HostName {
    Name(String),
    Address(IpAddr),
}

impl HostName {
    fn text(&self) -> String {
        match self {
            Self::Name(name) => name.clone(),
            Self::Address(address) => address.to_string(),
        }
    }
}

/// The end of `timeouts.connect`.
#[derive(Debug, Clone, Copy)]
struct ConnectDeadline {
    at: Instant,
    limit: Duration,
}

impl ConnectDeadline {
    /// Waits for a step until then.
    async fn wait_for<T>(
        self,
        step: impl Future<Output = Result<T, ClientError>>,
        describe: impl FnOnce() -> String,
    ) -> Result<T, ClientError> {
        timeout_at(self.at, step).await.unwrap_or_else(|_| {
            let detail = format!("{} within {} s (timeouts.connect)", describe(), self.limit.as_secs_f64());
            Err(ClientError::not_connected(ConnectCause::Timeout, detail))
        })
    }
}

impl Connector {
    pub(crate) fn new(
        base_url: &Url,
        ca_file: Option<&Path>,
        timeout: Duration,
        resolver: Resolver,
        proxy: Option<Proxy>,
    ) -> Result<Self, ConnectorError> {
        // No certificate is ever checked otherwise, and reading some hundred takes long.
        let tls = (base_url.scheme() == "https").then(|| Tls::new(ca_file)).transpose()?;
        let needs_tls = proxy.as_ref().is_some_and(|proxy| proxy.kind == ProxyKind::Http { tls: true });
        let proxy_tls = needs_tls.then(|| Tls::new(ca_file)).transpose()?;
        let host = match base_url.host().ok_or(ConnectorError::NoHost)? {
            Host::Domain(name) => HostName::Name(name.to_owned()),
            Host::Ipv4(address) => HostName::Address(address.into()),
            Host::Ipv6(address) => HostName::Address(address.into()),
        };
        let port = base_url.port_or_known_default().ok_or(ConnectorError::NoHost)?;
        Ok(Self { resolver, host, port, tls, proxy, proxy_tls, timeout })
    }

    /// Whether requests name the whole URL, and with which login: a proxy that passes them on wants so.
    pub(crate) fn forwarding_proxy(&self) -> Option<Option<&HeaderValue>> {
        let proxy = self.proxy.as_ref()?;
        let forwards = self.tls.is_none() && matches!(proxy.kind, ProxyKind::Http { .. });
        forwards.then(|| proxy.authorization())
    }

    /// Makes a connection within `timeouts.connect`.
    pub(crate) async fn connect(&self) -> Result<Transport, ClientError> {
        let start = Instant::now();
        let at = start.checked_add(self.timeout).unwrap_or_else(|| start + Duration::from_secs(3600));
        let deadline = ConnectDeadline { at, limit: self.timeout };
        let transport = match &self.proxy {
            None => {
                let addresses = self.addresses(&self.host, deadline).await?;
                self.connect_to(&addresses, &self.host.text(), self.port, deadline).await?
            }
            Some(proxy) => {
                self.connect_through(proxy, deadline).await.map_err(|error| name_proxy(error, proxy))?
            }
        };
        let Some(tls) = &self.tls else { return Ok(transport) };
        let host = self.host.text();
        let encrypted = tls.connect(&host, transport);
        deadline.wait_for(encrypted, || format!("{host} did not finish the TLS handshake")).await
    }

    async fn connect_through(
        &self,
        proxy: &Proxy,
        deadline: ConnectDeadline,
    ) -> Result<Transport, ClientError> {
        let host = match proxy.host.parse() {
            Ok(address) => HostName::Address(address),
            Err(_) => HostName::Name(proxy.host.clone()),
        };
        let addresses = self.addresses(&host, deadline).await?;
        let mut transport = self.connect_to(&addresses, &proxy.host, proxy.port, deadline).await?;
        if let Some(tls) = &self.proxy_tls {
            let encrypted = tls.connect(&proxy.host, transport);
            transport =
                deadline.wait_for(encrypted, || "it did not finish the TLS handshake".to_owned()).await?;
        }
        let tunnel = self.open_tunnel(proxy, &mut transport, deadline);
        deadline.wait_for(tunnel, || format!("it made no connection to {}", self.host.text())).await?;
        Ok(transport)
    }

    async fn open_tunnel(
        &self,
        proxy: &Proxy,
        transport: &mut Transport,
        deadline: ConnectDeadline,
    ) -> Result<(), ClientError> {
        let remote_names = match proxy.kind {
            ProxyKind::Http { .. } if self.forwarding_proxy().is_some() => return Ok(()),
            ProxyKind::Http { .. } => {
                let authority = match &self.host {
                    HostName::Address(IpAddr::V6(address)) => format!("[{address}]:{}", self.port),
                    host => format!("{}:{}", host.text(), self.port),
                };
                return tunnel::connect_http(transport, &authority, proxy.authorization()).await;
            }
            ProxyKind::Socks5 { remote_names } => remote_names,
        };
        let addresses;
        let target = match &self.host {
            HostName::Address(address) => SocksTarget::Address(*address),
            HostName::Name(name) if remote_names => SocksTarget::Name(name),
            host => {
                addresses = self.addresses(host, deadline).await?;
                SocksTarget::Address(addresses[0])
            }
        };
        tunnel::connect_socks(transport, target, self.port, proxy.user_and_password()).await
    }

    async fn addresses(&self, host: &HostName, deadline: ConnectDeadline) -> Result<Addresses, ClientError> {
        let name = match host {
            HostName::Address(address) => return Ok([*address].into()),
            HostName::Name(name) => name,
        };
        let lookup = async {
            self.resolver.resolve(name).await.map_err(|error| match error {
                LookupError::Local(resource) => ClientError::Local(resource),
                LookupError::Unknown(error) => {
                    ClientError::not_connected(ConnectCause::HostUnknown, format!("{name}: {error}"))
                }
            })
        };
        deadline.wait_for(lookup, || format!("no name server answered for {name}")).await
    }

    async fn connect_to(
        &self,
        addresses: &[IpAddr],
        host: &str,
        port: u16,
        deadline: ConnectDeadline,
    ) -> Result<Transport, ClientError> {
        let connected = tcp::connect(addresses, port);
        let stream =
            deadline.wait_for(connected, || format!("{host} did not accept a connection to port {port}"));
        Ok(Transport::Tcp(stream.await?))
    }
}

/// Whatever goes wrong on the way through a proxy is about the proxy.
fn name_proxy(error: ClientError, proxy: &Proxy) -> ClientError {
    match error {
        ClientError::NotConnected { detail, .. } => {
            let Proxy { host, port, .. } = proxy;
            ClientError::not_connected(ConnectCause::Proxy, format!("proxy {host}:{port}: {detail}"))
        }
        error => error,
    }
}
