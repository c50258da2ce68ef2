//! The HTTP/1.1 client of one provider.
//!
//! It sends exactly one request: it follows no redirect, retries nothing, decodes nothing. One exception proves that rule: a
//! kept connection that turns out to be closed is no answer, so the request is sent once more on a new one (C1).
//!
//! HTTP/1.1 only: providers accept about 100 streams on one HTTP/2 connection, so call 101 would wait, and the loss of that
//! connection would end all streams together.
//!
//! An own exchange of bytes, and no library's: the head of a request is written as bytes once, of a response only the headers are
//! kept that somebody reads, and the pieces of its body are slices of what was read. Nothing of that needs a task, a channel or a
//! map. How a response is read follows RFC 9112, as lenient as `httparse` by default and as hyper's client is; where two readers
//! could find two ends of a response, it is refused, or its connection is not used again. What it shares with the gateway's
//! server is in the crate `http1`.
//!
//! An arrow means "uses".
//!
//! ```text
//! client ──▶ body ──▶ pool ──▶ connection ──▶ request
//!    │                            │   └──▶ response_head
//!    │                            ▼
//!    └────▶ connector ──▶ tls ──▶ transport
//!             │  │  │      └──▶ verifier ──▶ certificate_names
//!             │  │  └──▶ proxy, tunnel
//!             │  └──▶ tcp
//!             └──▶ resolver
//! ```
//!
//! `whole` reads a response without a connection, for tests and fuzzing.

mod body;
mod certificate_names;
mod connection;
mod connector;
mod error;
mod pool;
pub(crate) mod proxy;
mod request;
mod resolver;
mod response_head;
mod tcp;
mod tls;
mod transport;
mod tunnel;
mod verifier;
pub(crate) mod whole;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use url::Url;

pub(crate) use body::ResponseBody;
use connection::Connection;
use connector::Connector;
pub use connector::ConnectorError;
pub(crate) use error::ClientError;
use pool::Pool;
use proxy::Proxy;
pub use proxy::ProxyError;
use request::{CommonHeaders, OutgoingRequest};
pub(crate) use request::{RequestBody, RequestHead};
use resolver::Resolver;
use response_head::{HeadReader, IsKept};
pub use tls::TlsConfigError;

/// The HTTP/1.1 client of one provider, with its idle connections.
#[derive(Debug)]
pub(crate) struct Client {
    connector: Connector,
    pool: Arc<Pool>,
    host: HeaderValue,
    /// The headers that all of its requests have: the host, and the login for a proxy that passes requests on.
    common_headers: CommonHeaders,
    /// Which headers of a success are of interest.
    is_kept: IsKept,
}

/// A response whose body is still to be read.
#[derive(Debug)]
pub(crate) struct ClientResponse {
    pub(crate) status: StatusCode,
    /// Of a success those that its client keeps; else all.
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
        let mut common_headers = CommonHeaders::default().with("host", &host);
        if let Some(authorization) = connector.forwarding_proxy().flatten() {
            common_headers = common_headers.with("proxy-authorization", authorization);
        }
        Ok(Self { connector, pool: Arc::default(), host, common_headers, is_kept: |_| true })
    }

    /// The same, which of the headers of a success keeps only some, by their names in lower case.
    pub(crate) fn keeping(self, is_kept: IsKept) -> Self {
        Self { is_kept, ..self }
    }

    /// The `host` of its requests.
    pub(crate) const fn host(&self) -> &HeaderValue {
        &self.host
    }

    /// Whether requests must name the whole URL, and not only its path.
    pub(crate) fn needs_absolute_uri(&self) -> bool {
        self.connector.forwarding_proxy().is_some()
    }

    /// Sends a request, and waits for the head of the response. `add_headers` adds to its headers all but the host and the
    /// length of the body.
    pub(crate) async fn send(
        &self,
        method: &Method,
        uri: &Uri,
        add_headers: impl Fn(&mut RequestHead),
        body: RequestBody<'_>,
    ) -> Result<ClientResponse, ClientError> {
        // Made anew for the second connection that hardly any needs: a copy would cost all.
        let request = || {
            let mut head = RequestHead::new(method, uri, &self.common_headers);
            add_headers(&mut head);
            OutgoingRequest::new(method, head, body)
        };
        let reader = || HeadReader::new(self.is_kept, *method == Method::HEAD);
        if let Some(mut connection) = self.pool.take() {
            match connection.send(request(), reader()).await {
                Ok(head) => return Ok(self.response(head, connection)),
                // The provider had closed it: nobody has failed.
                Err(_) if connection.received_nothing() => {}
                Err(error) => return Err(error),
            }
        }
        // Boxed: most calls need no new one, and each call would be moved with the room for making it.
        let mut connection = Box::pin(self.connect()).await?;
        let head = connection.send(request(), reader()).await?;
        Ok(self.response(head, connection))
    }

    async fn connect(&self) -> Result<Box<Connection>, ClientError> {
        Ok(Box::new(Connection::new(self.connector.connect().await?)))
    }

    fn response(
        &self,
        (status, headers): (StatusCode, HeaderMap),
        connection: Box<Connection>,
    ) -> ClientResponse {
        let body = ResponseBody::new(connection, Arc::clone(&self.pool));
        ClientResponse { status, headers, body }
    }
}

#[cfg(test)]
mod tests;
