//! A connection, and its requests one after the other.
//!
//! It is HTTP/1.1 of our own, for the sake of what a call and an idle connection cost: the task of the connection reads a head,
//! answers the request in place and writes the response, without a channel, a task or a buffer between them.

use std::{
    future::poll_fn,
    io, mem,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};

use http::{Method, Response, StatusCode, Version, request::Parts};
use http_body::Body as _;
use http1::Framing;
use tokio::net::TcpStream;

use crate::{
    client_socket::{ClientTimeout, SharedSocket},
    connection_state::{ConnectionPhase, ConnectionState},
    error::{Error, dialect_of, is_gemini_call},
    headers,
    metrics::ConnectionMetrics,
    present_headers::PresentHeaders,
    refused_requests::RemoteAddress,
    request_body::{self, RequestBody},
    request_head::{BadHead, HeadReader, RequestHead},
    request_id::request_id,
    request_path, request_rules,
    response_body::ResponseBody,
    response_head::{self, AfterResponse, BodyLength, ResponseHeaders},
    service::{Service, Target},
};

/// A connection, which completes when it closes.
pub(crate) struct Connection {
    work: Work,
    requests: Arc<Requests>,
    /// What wakes its task.
    waker: Option<Waker>,
}

/// What a connection does. It takes the room for a request while there is one, and for some seconds after it.
enum Work {
    Serving(Pin<Box<dyn Future<Output = Result<Finished, ConnectionError>> + Send>>),
    Resting(SharedSocket),
    Closed,
}

/// Why a connection serves no more requests.
enum Finished {
    /// It closes.
    Closed,
    /// It waits for a request without the room for one.
    Idle(SharedSocket),
}

/// Why a connection has ended before it should.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectionError {
    /// It was reset, a timeout has passed, or the like.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The head of a request was late.
    #[error(transparent)]
    Timeout(#[from] ClientTimeout),
    /// It ended within the head of a request.
    #[error("the connection ended within the head of a request")]
    HeadEnded,
    /// What came was no request.
    #[error(transparent)]
    BadHead(#[from] BadHead),
    /// The client has left before it had its response.
    #[error("the client has left before the response was complete")]
    ClientGone,
    /// The response has no end that could be sent.
    #[error("the response has ended early")]
    ResponseAborted,
}

impl ConnectionError {
    fn timeout(&self) -> Option<ClientTimeout> {
        match self {
            Self::Timeout(timeout) => Some(*timeout),
            Self::Io(error) => error.get_ref()?.downcast_ref().copied(),
            _ => None,
        }
    }
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
        let requests = Arc::new(Requests { service, state, address, overloaded });
        // Many that come send nothing.
        Self { work: Work::Resting(SharedSocket::new(socket)), requests, waker: None }
    }

    /// Ends the rest as soon as there is something to read.
    fn poll_rest(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Work::Resting(socket) = &self.work else { return Poll::Ready(()) };
        let state = &self.requests.state;
        if state.is_ending() {
            self.work = Work::Closed;
            return Poll::Ready(());
        }
        let readable = socket.lock().poll_readable(context);
        if readable.is_pending() && state.phase() == ConnectionPhase::New {
            state.enter(ConnectionPhase::Idle);
        }
        // An error is there to be read, too.
        let _ = ready!(readable);
        if let Work::Resting(socket) = mem::replace(&mut self.work, Work::Closed) {
            self.requests.state.end_rest();
            self.work = Work::Serving(Box::pin(serve(socket, Arc::clone(&self.requests))));
        }
        Poll::Ready(())
    }
}

impl Future for Connection {
    type Output = Result<(), ConnectionError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if !self.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            self.waker = Some(context.waker().clone());
            self.requests.state.set_task(context.waker());
        }
        loop {
            if self.requests.state.phase() == ConnectionPhase::Closing {
                return Poll::Ready(Ok(()));
            }
            ready!(self.poll_rest(context));
            let Work::Serving(serving) = &mut self.work else { return Poll::Ready(Ok(())) };
            match ready!(serving.as_mut().poll(context))? {
                Finished::Closed => return Poll::Ready(Ok(())),
                Finished::Idle(socket) => self.work = Work::Resting(socket),
            }
        }
    }
}

/// A client that stops reading keeps a provider's stream open, so that end is logged; others come and go.
pub(crate) fn report_end(error: &ConnectionError, metrics: &ConnectionMetrics) {
    match error.timeout() {
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

/// Serves requests until the connection closes, or should rest.
async fn serve(socket: SharedSocket, requests: Arc<Requests>) -> Result<Finished, ConnectionError> {
    loop {
        let mut reader = HeadReader::default();
        let goes_on = match poll_fn(|context| poll_head(&socket, &mut reader, &requests.state, context)).await
        {
            Ok(Next::Request(head)) => exchange(&socket, head, &requests).await?,
            Ok(Next::Finished(Finished::Idle(socket))) => return Ok(Finished::Idle(socket)),
            Ok(Next::Finished(Finished::Closed)) => false,
            Err(ConnectionError::BadHead(bad)) => {
                refuse(&socket, bad, &requests).await?;
                return Err(bad.into());
            }
            Err(error) => return Err(error),
        };
        if !goes_on {
            poll_fn(|context| socket.lock().poll_shutdown(context)).await?;
            return Ok(Finished::Closed);
        }
        socket.lock().shrink();
        requests.state.enter(ConnectionPhase::Idle);
    }
}

/// What comes next on a connection.
enum Next {
    Request(Box<RequestHead>),
    Finished(Finished),
}

/// Waits for the head of a request.
fn poll_head(
    shared: &SharedSocket,
    reader: &mut HeadReader,
    state: &ConnectionState,
    context: &mut Context<'_>,
) -> Poll<Result<Next, ConnectionError>> {
    let mut socket = shared.lock();
    loop {
        if !socket.unread.is_empty()
            && let Some(head) = reader.next(&mut socket.unread)?
        {
            return Poll::Ready(Ok(Next::Request(Box::new(head))));
        }
        if state.is_ending() {
            return Poll::Ready(Ok(Next::Finished(Finished::Closed)));
        }
        if socket.unread.is_empty() {
            if state.may_rest() {
                return Poll::Ready(Ok(Next::Finished(Finished::Idle(shared.clone()))));
            }
        } else if state.phase() != ConnectionPhase::ReadingHead {
            state.enter(ConnectionPhase::ReadingHead);
        }
        if socket.poll_readable(context)?.is_pending() {
            if state.phase() == ConnectionPhase::New {
                state.enter(ConnectionPhase::Idle);
            }
            // Most heads arrive at once: they need no timer.
            if state.phase() != ConnectionPhase::ReadingHead {
                return Poll::Pending;
            }
            return socket
                .poll_head_deadline(context, state.phase_since())
                .map(|timeout| Err(timeout.into()));
        }
        // It is readable, unless something else has changed since.
        match socket.poll_read(context)? {
            Poll::Ready(0) if socket.unread.is_empty() => {
                return Poll::Ready(Ok(Next::Finished(Finished::Closed)));
            }
            Poll::Ready(0) => return Poll::Ready(Err(ConnectionError::HeadEnded)),
            Poll::Ready(_) | Poll::Pending => {}
        }
    }
}

/// Answers one request. Whether the connection can have another one.
async fn exchange(
    socket: &SharedSocket,
    head: Box<RequestHead>,
    requests: &Requests,
) -> Result<bool, ConnectionError> {
    let state = &requests.state;
    if !state.enter(ConnectionPhase::InRequest) {
        // It has to close, and begins nothing.
        return Ok(false);
    }
    let RequestHead { mut parts, framing, expects_continue, keeps_alive } = *head;
    {
        let mut socket = socket.lock();
        (socket.body, socket.awaits_continue) = (framing, expects_continue);
        socket.exchange += 1;
    }
    let (version, is_head) = (parts.version, parts.method == Method::HEAD);
    let body = RequestBody::of(socket);
    let response = {
        let mut response = pin!(requests.respond(&mut parts, body));
        poll_fn(|context| match response.as_mut().poll(context) {
            Poll::Ready(response) => Poll::Ready(Ok(response)),
            Poll::Pending => poll_client_gone(socket, context).map(|()| Err(ConnectionError::ClientGone)),
        })
        .await?
    };
    // A client that is slow to send its body has its error at once, and one that waits to be asked for it sends none.
    let has_unread = {
        let socket = socket.lock();
        !socket.body.is_complete() && !socket.awaits_continue
    };
    if has_unread {
        state.enter(ConnectionPhase::Dismissing);
    }
    if has_unread && response.status() != StatusCode::REQUEST_TIMEOUT {
        request_body::discard(socket).await;
    }
    let goes_on = keeps_alive && socket.lock().body.is_complete() && !state.is_ending() && !closes(&response);
    send(socket, version, is_head, response, goes_on).await
}

/// The client is looked after while nothing of its request is to come: until then whoever reads the body sees its end.
fn poll_client_gone(socket: &SharedSocket, context: &mut Context<'_>) -> Poll<()> {
    let mut socket = socket.lock();
    if socket.body.is_complete() { socket.poll_gone(context) } else { Poll::Pending }
}

/// Whether the response ends its connection.
fn closes(response: &Response<ResponseBody>) -> bool {
    response.headers().get(http::header::CONNECTION).is_some_and(|value| value.as_bytes() == b"close")
}

/// Sends a response. Whether the connection can have another request: if `goes_on`, unless its end is that of the response.
async fn send(
    socket: &SharedSocket,
    version: Version,
    is_head: bool,
    response: Response<ResponseBody>,
    goes_on: bool,
) -> Result<bool, ConnectionError> {
    let (head, body) = response.into_parts();
    let length = body_length(&head, &body, version, is_head);
    let goes_on = goes_on && length != BodyLength::UntilClose;
    let after = match (goes_on, version) {
        (false, _) => AfterResponse::Closes,
        (true, Version::HTTP_10) => AfterResponse::GoesOnWith10,
        (true, _) => AfterResponse::GoesOn,
    };
    {
        let output = &mut socket.lock().output;
        let reply = if let ResponseBody::Complete(reply) = &body { Some(&**reply) } else { None };
        output.reserve_response(reply.map(|reply| reply.body.len()));
        let headers = ResponseHeaders { map: &head.headers, reply };
        response_head::write(output.buffer(), (version, head.status), headers, length, after);
    }
    drop(head);
    match (length, body) {
        (BodyLength::None | BodyLength::OfHead(_), _) => {}
        (BodyLength::Exact(_), ResponseBody::Complete(reply)) => socket.lock().output.push(reply.body),
        (_, mut body) => {
            let sent = poll_fn(|context| poll_send_body(socket, &mut body, length, context)).await;
            if matches!(sent, Err(ConnectionError::ResponseAborted)) {
                // What came before it is sent. Without an end, no client takes it for the whole (C3).
                poll_fn(|context| socket.lock().poll_flush(context)).await?;
                if length == BodyLength::UntilClose {
                    socket.lock().reset_when_dropped()?;
                }
            }
            sent?;
        }
    }
    poll_fn(|context| socket.lock().poll_flush(context)).await?;
    Ok(goes_on)
}

fn body_length(
    head: &http::response::Parts,
    body: &ResponseBody,
    version: Version,
    is_head: bool,
) -> BodyLength {
    let exact = body.size_hint().exact();
    if head.status.is_informational()
        || matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
    {
        return BodyLength::None;
    }
    if is_head {
        // A handler that made no body has said how long it would be.
        let stated = head.headers.get(http::header::CONTENT_LENGTH);
        let stated = stated.and_then(|length| length.to_str().ok()?.parse().ok());
        return BodyLength::OfHead(stated.or_else(|| exact.filter(|length| *length > 0)));
    }
    match exact {
        Some(length) => BodyLength::Exact(length),
        None if version == Version::HTTP_10 => BodyLength::UntilClose,
        None => BodyLength::Chunked,
    }
}

/// Sends a body as it comes. Pieces that come together are sent together.
fn poll_send_body(
    shared: &SharedSocket,
    body: &mut ResponseBody,
    length: BodyLength,
    context: &mut Context<'_>,
) -> Poll<Result<(), ConnectionError>> {
    loop {
        if shared.lock().output.is_full() {
            ready!(shared.lock().poll_flush(context))?;
        }
        // Not locked while it is asked: what makes the body may hold the request's.
        let frame = Pin::new(&mut *body).poll_frame(context);
        let mut socket = shared.lock();
        match frame {
            Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                Ok(bytes) if bytes.is_empty() => {}
                Ok(bytes) if length == BodyLength::Chunked => socket.output.push_chunk(bytes),
                Ok(bytes) => socket.output.push(bytes),
                Err(_) => {}
            },
            Poll::Ready(Some(Err(_))) => return Poll::Ready(Err(ConnectionError::ResponseAborted)),
            Poll::Ready(None) => {
                if length == BodyLength::Chunked {
                    socket.output.push_last_chunk();
                }
                return Poll::Ready(Ok(()));
            }
            Poll::Pending => {
                let flushed = socket.poll_flush(context)?;
                return match (flushed, socket.body.is_complete()) {
                    (Poll::Ready(()), true) => {
                        socket.poll_gone(context).map(|()| Err(ConnectionError::ClientGone))
                    }
                    _ => Poll::Pending,
                };
            }
        }
    }
}

/// Says why a request was not read. The connection closes.
async fn refuse(socket: &SharedSocket, bad: BadHead, requests: &Requests) -> Result<(), ConnectionError> {
    requests.state.enter(ConnectionPhase::Dismissing);
    let error = if requests.overloaded {
        overloaded()
    } else {
        Error::new(bad.status(), "invalid_request", bad.to_string()).with_connection_close()
    };
    let parts = http::Request::new(()).into_parts().0;
    let response = reject(&error, &parts, PresentHeaders::default());
    socket.lock().unread.clear();
    send(socket, Version::HTTP_11, false, response, false).await?;
    poll_fn(|context| socket.lock().poll_shutdown(context)).await?;
    // Whatever it is, the client may still be sending.
    {
        let mut socket = socket.lock();
        (socket.body, socket.awaits_continue) = (Framing::UntilClose, false);
    }
    request_body::discard(socket).await;
    Ok(())
}

/// What the requests of a connection have in common. Each has a share of it, and none of anything that other connections
/// have.
struct Requests {
    service: Arc<Service>,
    state: Arc<ConnectionState>,
    address: RemoteAddress,
    overloaded: bool,
}

impl Requests {
    async fn respond(&self, request: &mut Parts, body: RequestBody) -> Response<ResponseBody> {
        let state = &self.state;
        let present = PresentHeaders::of(&request.headers);
        if let Some(error) = self.rejection(request, present) {
            state.enter(ConnectionPhase::Dismissing);
            return reject(&error, request, present);
        }
        // Before anything looks at it: what needs a key is decided by the path that is then served.
        let mut target = Target::of(request.uri.path());
        if !matches!(target, Target::Call(_))
            && let Some(uri) = request_path::usual(&request.uri)
        {
            request.uri = uri;
            target = Target::of(request.uri.path());
        }
        let shows_key = !state.is_known() && target != Target::Public;
        let is_call = matches!(target, Target::Call(_)) || is_gemini_call(request.uri.path());
        if !is_call && matches!(body, RequestBody::Incoming(..)) {
            state.enter(ConnectionPhase::Dismissing);
        }
        let response = pin!(self.service.respond(request, present, body, target, self.address)).await;
        if shows_key && !matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            state.mark_known();
        }
        if !(is_call && response.status().is_success()) {
            state.enter(ConnectionPhase::Dismissing);
        }
        response
    }

    /// Why a request is rejected, whatever it is.
    fn rejection(&self, request: &Parts, present: PresentHeaders) -> Option<Error> {
        if self.overloaded {
            return Some(overloaded());
        }
        let message = request_rules::violation(&request.uri, &request.headers, present)?;
        Some(Error::invalid_request(message.to_owned()).with_connection_close())
    }
}

fn overloaded() -> Error {
    Error::overloaded("the gateway has too many connections; retry the request".to_owned())
}

fn reject(error: &Error, request: &Parts, present: PresentHeaders) -> Response<ResponseBody> {
    let id = request_id(&request.headers, present);
    let mut response = error.respond(dialect_of(request.uri.path(), &request.headers), &id);
    response.headers_mut().insert(headers::REQUEST_ID, id);
    response.map(ResponseBody::Other)
}
