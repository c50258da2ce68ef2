//! A connection, and its requests one after the other.

use std::{
    convert::Infallible,
    error::Error as _,
    io, mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};

use http::{Request, Response, StatusCode, request::Parts};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::{
    auth,
    client_socket::{ClientSocket, ClientTimeout},
    connection_state::{ConnectionPhase, ConnectionState},
    error::{Error, dialect_of},
    headers,
    metrics::ConnectionMetrics,
    present_headers::PresentHeaders,
    refused_requests::RemoteAddress,
    request_path, request_rules,
    response_body::ResponseBody,
    service::{Service, Target},
    tracked_body::TrackedBody,
    unread_body::{self, RequestBody},
    wakers::task_waker,
};

/// The limit of a request's head, and of what is read ahead or waits to be written, in bytes.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// A connection, which completes when it closes.
pub(crate) struct Connection {
    http: Http,
    state: Arc<ConnectionState>,
    /// The waker of its task, and what is made of it.
    wakers: Option<(Waker, Waker)>,
    is_ending: bool,
}

type Socket = TokioIo<ClientSocket<TcpStream>>;

/// What reads and writes.
enum Http {
    Active(Box<http1::Connection<Socket, ConnectionService>>),
    /// Without hyper's buffers, which take more than all else. So it rests between requests that are seconds apart.
    Resting(Socket, ConnectionService),
    Closed,
}

impl Connection {
    /// Serves a connection; `overloaded`: with nothing but an error.
    pub(crate) fn new(
        socket: TcpStream,
        address: RemoteAddress,
        service: Arc<Service>,
        state: Arc<ConnectionState>,
        overloaded: bool,
    ) -> Self {
        let socket = TokioIo::new(ClientSocket::new(socket, Arc::clone(&state)));
        let requests = Requests { service, state: Arc::clone(&state), address, overloaded };
        // Many that come send nothing.
        let http = Http::Resting(socket, ConnectionService(Arc::new(requests)));
        Self { http, state, wakers: None, is_ending: false }
    }

    /// Rests if it should and can.
    fn begin_rest(&mut self) {
        if !self.state.may_rest() || !matches!(self.http, Http::Active(_)) {
            return;
        }
        if let Http::Active(http) = mem::replace(&mut self.http, Http::Closed) {
            let mut parts = http.into_parts();
            // The begin of a request that was sent before the response to the last one.
            parts.io.inner_mut().give_back(parts.read_buf);
            self.http = Http::Resting(parts.io, parts.service);
        }
    }

    /// Ends the rest, if there is one, as soon as there is a request.
    fn poll_active(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Http::Resting(socket, _) = &mut self.http else { return Poll::Ready(()) };
        // An error is for hyper to read.
        let _ = ready!(socket.inner_mut().poll_readable(context));
        if let Http::Resting(socket, service) = mem::replace(&mut self.http, Http::Closed) {
            self.state.end_rest();
            self.http = Http::activate(socket, service);
        }
        Poll::Ready(())
    }
}

impl Http {
    fn activate(socket: Socket, service: ConnectionService) -> Self {
        let connection = http1::Builder::new()
            // Its timeout would need a timer for each request; `ClientSocket` and `ConnectionPool` have their own.
            .header_read_timeout(None)
            .max_header_size(MAX_HEAD_BYTES)
            .max_buf_size(MAX_HEAD_BYTES)
            // To copy an event costs less than to hand its parts to the kernel.
            .writev(false)
            .serve_connection(socket, service);
        Self::Active(Box::new(connection))
    }
}

impl Future for Connection {
    type Output = Result<(), hyper::Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let waker = match &this.wakers {
            Some((task, waker)) if task.will_wake(context.waker()) => waker.clone(),
            _ => {
                let waker = task_waker(context.waker());
                this.state.set_task(context.waker());
                this.wakers.insert((context.waker().clone(), waker)).1.clone()
            }
        };
        let context = &mut Context::from_waker(&waker);
        this.state.begin_poll();
        if this.state.phase() == ConnectionPhase::Closing {
            return Poll::Ready(Ok(()));
        }
        this.begin_rest();
        if !this.is_ending && this.state.is_ending() {
            this.is_ending = true;
            match &mut this.http {
                Http::Active(http) => Pin::new(&mut **http).graceful_shutdown(),
                Http::Resting(..) | Http::Closed => return Poll::Ready(Ok(())),
            }
        }
        ready!(this.poll_active(context));
        match &mut this.http {
            Http::Active(http) => Pin::new(&mut **http).poll(context),
            Http::Resting(..) | Http::Closed => Poll::Ready(Ok(())),
        }
    }
}

/// A client that stops reading keeps a provider's stream open, so that end is logged; others come and go.
pub(crate) fn report_end(error: &hyper::Error, metrics: &ConnectionMetrics) {
    let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    let timeout = source.and_then(|error| error.get_ref()?.downcast_ref::<ClientTimeout>());
    match timeout {
        Some(ClientTimeout::Write) => {
            metrics.closed("write_timeout", 1);
            tracing::info!("connection closed: {}", ClientTimeout::Write);
        }
        Some(ClientTimeout::Head) => {
            metrics.closed("head_timeout", 1);
            tracing::debug!("connection closed: {}", ClientTimeout::Head);
        }
        None => tracing::debug!(%error, "connection closed early"),
    }
}

/// What the requests of a connection have in common. Each has a share of it, and none of anything that other connections
/// have.
struct Requests {
    service: Arc<Service>,
    state: Arc<ConnectionState>,
    address: RemoteAddress,
    overloaded: bool,
}

/// The same, as hyper wants it.
struct ConnectionService(Arc<Requests>);

impl hyper::service::Service<Request<Incoming>> for ConnectionService {
    type Response = Response<TrackedBody>;
    type Error = Infallible;
    /// In a box, since an idle connection would keep the room for it.
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let requests = Arc::clone(&self.0);
        Box::pin(async move { Ok(requests.respond(request).await) })
    }
}

impl Requests {
    async fn respond(&self, request: Request<Incoming>) -> Response<TrackedBody> {
        let state = &self.state;
        if !state.enter(ConnectionPhase::InRequest) {
            // It has to close, and begins nothing.
            return std::future::pending().await;
        }
        let (mut request, body) = request.into_parts();
        let present = PresentHeaders::of(&request.headers);
        let body = RequestBody::new(body, present.expect, Arc::clone(state));
        let response = match self.rejection(&request, present) {
            Some(error) => {
                drop(body);
                reject(&error, &request, present)
            }
            None => {
                // Before anything looks at it: what needs a key is decided by the path that is then served.
                let mut target = Target::of(request.uri.path());
                if !matches!(target, Target::Call(_))
                    && let Some(uri) = request_path::usual(&request.uri)
                {
                    request.uri = uri;
                    target = Target::of(request.uri.path());
                }
                let shows_key = !state.is_known() && target != Target::Public;
                let response = self.service.respond(&mut request, present, body, target, self.address).await;
                if shows_key && !matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
                {
                    state.mark_known();
                }
                response
            }
        };
        // A client that is slow to send its body has its error at once.
        if let Some(rest) = state.take_unread()
            && response.status() != StatusCode::REQUEST_TIMEOUT
        {
            unread_body::discard(rest).await;
        }
        response.map(|body| TrackedBody::new(body, Arc::clone(state)))
    }

    /// Why a request is rejected, whatever it is.
    fn rejection(&self, request: &Parts, present: PresentHeaders) -> Option<Error> {
        if self.overloaded {
            let message = "the gateway has too many connections; retry the request";
            return Some(Error::overloaded(message.to_owned()));
        }
        let message = request_rules::violation(&request.uri, &request.headers, present)?;
        Some(Error::invalid_request(message.to_owned()).with_connection_close())
    }
}

fn reject(error: &Error, request: &Parts, present: PresentHeaders) -> Response<ResponseBody> {
    let id = auth::request_id(&request.headers, present);
    let mut response = error.respond(dialect_of(request.uri.path(), &request.headers), &id);
    response.headers_mut().insert(headers::REQUEST_ID, id);
    response.map(ResponseBody::Other)
}
