//! The HTTP/1.1 client of one provider.
//!
//! It sends exactly one request: it follows no redirect, retries nothing, decodes nothing. One exception proves that rule: a
//! kept connection that turns out to be closed is no answer, so the request is sent once more on a new one (C1).
//!
//! HTTP/1.1 only: providers accept about 100 streams on one HTTP/2 connection, so call 101 would wait, and the loss of that
//! connection would end all streams together.
//!
//! An arrow means "uses".
//!
//! ```text
//! client ──▶ body ──▶ pool ──▶ connection ──▶ signal, request_body
//!    │                            │
//!    │                            ▼
//!    └────▶ connector ──▶ tls ──▶ transport
//!             │  │  │      └──▶ verifier ──▶ certificate_names
//!             │  │  └──▶ proxy, tunnel
//!             │  └──▶ tcp
//!             └──▶ resolver
//! ```

mod body;
mod certificate_names;
mod connection;
mod connector;
mod error;
mod pool;
pub(crate) mod proxy;
mod request_body;
mod resolver;
mod signal;
mod tcp;
mod tls;
mod transport;
mod tunnel;
mod verifier;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::header::{HOST, PROXY_AUTHORIZATION};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use hyper::body::Incoming;
use url::Url;

pub(crate) use body::ResponseBody;
use connection::Connection;
use connector::Connector;
pub use connector::ConnectorError;
pub(crate) use error::ClientError;
use pool::Pool;
use proxy::Proxy;
pub use proxy::ProxyError;
pub(crate) use request_body::RequestBody;
use resolver::Resolver;
pub use tls::TlsConfigError;

/// The HTTP/1.1 client of one provider, with its idle connections.
#[derive(Debug)]
pub(crate) struct Client {
    connector: Connector,
    pool: Arc<Pool>,
    host: HeaderValue,
    /// For a proxy that passes requests on.
    proxy_authorization: Option<HeaderValue>,
}

/// A response whose body is still to be read.
#[derive(Debug)]
pub(crate) struct ClientResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: ResponseBody,
}

impl Client {
    /// A client for what is below this URL. It does not connect yet.
    pub(crate) fn new(
        base_url: &Url,
        ca_file: Option<&Path>,
        connect_timeout: Duration,
    ) -> Result<Self, ConnectorError> {
        let proxy = Proxy::find(base_url, |name| std::env::var(name).ok())?;
        Self::with(base_url, ca_file, connect_timeout, Resolver::system(), proxy)
    }

    /// The same past any proxy, with the system's authorities.
    pub(crate) fn without_proxy(base_url: &Url, connect_timeout: Duration) -> Result<Self, ConnectorError> {
        Self::with(base_url, None, connect_timeout, Resolver::system(), None)
    }

    fn with(
        base_url: &Url,
        ca_file: Option<&Path>,
        connect_timeout: Duration,
        resolver: Resolver,
        proxy: Option<Proxy>,
    ) -> Result<Self, ConnectorError> {
        let connector = Connector::new(base_url, ca_file, connect_timeout, resolver, proxy)?;
        let authority = match (base_url.host_str().ok_or(ConnectorError::NoHost)?, base_url.port()) {
            (host, Some(port)) => format!("{host}:{port}"),
            (host, None) => host.to_owned(),
        };
        let host = HeaderValue::try_from(authority).map_err(|_| ConnectorError::NoHost)?;
        let proxy_authorization = connector.forwarding_proxy().flatten().cloned();
        Ok(Self { connector, pool: Arc::default(), host, proxy_authorization })
    }

    /// The `host` of its requests.
    pub(crate) const fn host(&self) -> &HeaderValue {
        &self.host
    }

    /// Whether requests must name the whole URL, and not only its path.
    pub(crate) fn needs_absolute_uri(&self) -> bool {
        self.connector.forwarding_proxy().is_some()
    }

    /// Sends a request, and waits for the head of the response. `headers` is called once more where the request is sent once
    /// more.
    pub(crate) async fn send(
        &self,
        method: &Method,
        uri: &Uri,
        headers: impl Fn() -> HeaderMap,
        body: impl Into<RequestBody>,
    ) -> Result<ClientResponse, ClientError> {
        let body = body.into();
        let request = || self.request(method.clone(), uri.clone(), headers(), body.clone());
        let mut kept = self.pool.take();
        loop {
            let is_kept = kept.is_some();
            let mut connection = match kept.take() {
                Some(connection) => connection,
                // Boxed: most calls need no new one, and each call would be moved with the room for making it.
                None => Box::pin(self.connect()).await?,
            };
            match connection.send(request()).await {
                Ok(response) => return Ok(self.response(response, connection)),
                // The provider had closed it: nobody has failed.
                Err(_) if is_kept && connection.received_nothing() => {}
                Err(error) => return Err(error),
            }
        }
    }

    async fn connect(&self) -> Result<Box<Connection>, ClientError> {
        Ok(Box::new(Connection::new(self.connector.connect().await?).await?))
    }

    fn request(
        &self,
        method: Method,
        uri: Uri,
        headers: HeaderMap,
        body: RequestBody,
    ) -> Request<RequestBody> {
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        request.headers_mut().insert(HOST, self.host.clone());
        if let Some(authorization) = &self.proxy_authorization {
            request.headers_mut().insert(PROXY_AUTHORIZATION, authorization.clone());
        }
        request
    }

    fn response(&self, response: http::Response<Incoming>, connection: Box<Connection>) -> ClientResponse {
        let (head, incoming) = response.into_parts();
        let body = ResponseBody::new(incoming, connection, Arc::clone(&self.pool));
        ClientResponse { status: head.status, headers: head.headers, body }
    }
}

#[cfg(test)]
mod tests;
