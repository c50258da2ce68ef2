//! The body of a request.
//!
//! A client may still send one that is answered already: its key is wrong, or the body is too large. If the connection were
//! closed then, the kernel would reset it and throw the response away with it: many clients read nothing before they have
//! sent everything. So the rest is read first, and dropped (RFC 9112, 9.6). It takes no memory.

use std::{
    future::poll_fn,
    mem,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http1::Taken;
use tokio::time::{Instant, timeout, timeout_at};

use crate::client_socket::{BodyError, SharedSocket};

/// The most that is read for nothing, in bytes: twice the largest body that is accepted.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// The most time that it may take: until then the response waits.
const MAX_DURATION: Duration = Duration::from_secs(5);

/// A client that sends nothing for this long waits for the response.
const MAX_PAUSE: Duration = Duration::from_millis(500);

/// The body of a request.
#[derive(Debug)]
pub(crate) enum RequestBody {
    /// It came with the head; empty once it was taken.
    Complete(Bytes),
    /// It is read from the socket, as long as that is at this request.
    Incoming(SharedSocket, u64),
}

impl RequestBody {
    /// The body whose head was read from the socket.
    pub(crate) fn of(shared: &SharedSocket) -> Self {
        let mut socket = shared.lock();
        let socket = &mut *socket;
        let length = socket.body.remaining().and_then(|length| usize::try_from(length).ok());
        if length.is_none_or(|length| length > socket.unread.len()) {
            return Self::Incoming(shared.clone(), socket.exchange);
        }
        match socket.body.take(&mut socket.unread) {
            Ok(Taken::Data(bytes)) => Self::Complete(bytes),
            _ => Self::Complete(Bytes::new()),
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match &mut *self {
            Self::Complete(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Complete(bytes) => Poll::Ready(Some(Ok(Frame::data(mem::take(bytes))))),
            Self::Incoming(shared, exchange) => {
                let mut socket = shared.lock();
                if socket.exchange != *exchange {
                    return Poll::Ready(Some(Err(axum::Error::new(BodyError::Truncated))));
                }
                let piece = socket.poll_body(context).map(Result::transpose);
                piece.map(|piece| Some(piece?.map(Frame::data).map_err(axum::Error::new)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Complete(bytes) => bytes.is_empty(),
            Self::Incoming(shared, exchange) => {
                let socket = shared.lock();
                socket.exchange == *exchange && socket.body.is_complete()
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Complete(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Incoming(shared, _) => {
                shared.lock().body.remaining().map_or_else(SizeHint::default, SizeHint::with_exact)
            }
        }
    }
}

/// Reads and drops what a client still sends, within limits of bytes and time.
pub(crate) async fn discard(socket: &SharedSocket) {
    let deadline = Instant::now() + MAX_DURATION;
    let mut bytes = 0;
    let rest = async {
        let next = || poll_fn(|context| socket.lock().poll_body(context));
        while let Ok(Ok(Some(piece))) = timeout(MAX_PAUSE, next()).await {
            bytes += piece.len();
            if bytes > MAX_BYTES {
                return;
            }
        }
    };
    // What does not fit is not read, and the connection closes.
    let _ = timeout_at(deadline, rest).await;
}
