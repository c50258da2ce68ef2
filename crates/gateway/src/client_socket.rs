//! A client's socket, with the timeouts of those who hold a connection and do not use it (Q6).

use std::{
    future::Future as _,
    io,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http1::{Framing, Malformed, Taken};
use per_core::first_read;
use tokio::{
    io::{AsyncReadExt as _, AsyncWrite as _},
    net::TcpStream,
    time::{Instant, Sleep, sleep_until},
};

use crate::{lazy_timer::LazyTimer, output::Output};

/// The time for the head of a request, from its first byte.
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// A client that takes nothing of its response for this long has left.
pub(crate) const WRITE_TIMEOUT: Duration = Duration::from_secs(60);

/// So much is read at a time at first: the head of a request and a short body.
const FIRST_READ_BYTES: usize = 4 * 1024;

/// So much of a body is read at a time at most, and so much is kept of what was sent too early.
const MAX_READ_BYTES: usize = 64 * 1024;

/// With less room than this, what was read last is left to those who have it.
const MIN_READ_BYTES: usize = 1024;

/// Why a socket was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ClientTimeout {
    /// The head of a request did not arrive in time.
    #[error("the head of a request took more than {} s", HEAD_TIMEOUT.as_secs())]
    Head,
    /// The client took nothing of its response.
    #[error("the client took nothing of its response for {} s", WRITE_TIMEOUT.as_secs())]
    Write,
}

/// Why the body of a request is not read to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    /// It is in chunks, and what came is none.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The connection has failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The connection has ended.
    #[error("the connection ended early")]
    Truncated,
}

/// A client's socket, and what was read of it and not yet used.
#[derive(Debug)]
pub(crate) struct ClientSocket {
    socket: TcpStream,
    /// While the connection waits for a request, it has no memory.
    pub(crate) unread: BytesMut,
    pub(crate) output: Output,
    /// What is still to come of the request's body.
    pub(crate) body: Framing,
    /// The client waits for a word before it sends the body.
    pub(crate) awaits_continue: bool,
    /// How many requests came before this one: the body of an old one reads nothing.
    pub(crate) exchange: u64,
    head_deadline: Option<Pin<Box<Sleep>>>,
    /// Begins while the client takes nothing.
    write_timeout: LazyTimer,
}

/// The socket of a connection and of the body that is read from it. Both belong to one task: the lock is always free.
#[derive(Debug, Clone)]
pub(crate) struct SharedSocket(Arc<Mutex<ClientSocket>>);

impl SharedSocket {
    pub(crate) fn new(socket: TcpStream) -> Self {
        Self(Arc::new(Mutex::new(ClientSocket::new(socket))))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, ClientSocket> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientSocket {
    fn new(socket: TcpStream) -> Self {
        Self {
            socket,
            unread: BytesMut::new(),
            output: Output::default(),
            body: Framing::Length(0),
            awaits_continue: false,
            exchange: 0,
            head_deadline: None,
            write_timeout: LazyTimer::new(WRITE_TIMEOUT),
        }
    }

    /// Waits until there is something to read, or the end of it.
    pub(crate) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_read_ready(context)
    }

    /// Reads what is there; 0: the client sends no more.
    pub(crate) fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.unread.capacity() == 0 && self.body.is_complete() {
            return first_read(&mut self.unread, |buffer| pin!(self.socket.read_buf(buffer)).poll(context));
        }
        let room = self.unread.capacity() - self.unread.len();
        if room < MIN_READ_BYTES {
            self.unread.reserve(self.read_size());
        }
        pin!(self.socket.read_buf(&mut self.unread)).poll(context)
    }

    fn read_size(&self) -> usize {
        match self.body.remaining() {
            // A head that goes on, or the next request.
            Some(0) => self.unread.len().max(FIRST_READ_BYTES),
            Some(body) => usize::try_from(body).unwrap_or(MAX_READ_BYTES),
            None => MAX_READ_BYTES,
        }
        .clamp(MIN_READ_BYTES, MAX_READ_BYTES)
    }

    /// The next piece of the request's body; `None`: it is complete.
    pub(crate) fn poll_body(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, BodyError>> {
        if self.awaits_continue {
            self.awaits_continue = false;
            self.output.buffer().extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        if !self.output.is_empty() {
            // What cannot be sent now is sent when the task is woken, or with the response.
            if let Poll::Ready(Err(error)) = self.poll_flush(context) {
                return Poll::Ready(Err(error.into()));
            }
        }
        loop {
            match self.body.take(&mut self.unread)? {
                Taken::Data(bytes) => return Poll::Ready(Ok(Some(bytes))),
                Taken::End => return Poll::Ready(Ok(None)),
                Taken::Incomplete => {}
            }
            if ready!(self.poll_read(context))? == 0 {
                return Poll::Ready(Err(BodyError::Truncated));
            }
        }
    }

    /// Waits until the client is gone. What it sends meanwhile is kept, as far as it is not too much.
    pub(crate) fn poll_gone(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while self.unread.len() < MAX_READ_BYTES {
            if ready!(self.poll_readable(context)).is_err() {
                break;
            }
            match ready!(self.poll_read(context)) {
                Ok(0) | Err(_) => return Poll::Ready(()),
                Ok(_) => {}
            }
        }
        Poll::Pending
    }

    /// Fails once the head that is being read since this moment is late.
    pub(crate) fn poll_head_deadline(
        &mut self,
        context: &mut Context<'_>,
        since: Instant,
    ) -> Poll<ClientTimeout> {
        let at = since + HEAD_TIMEOUT;
        let deadline = self.head_deadline.get_or_insert_with(|| Box::pin(sleep_until(at)));
        // The timer of an earlier head serves again.
        if deadline.deadline() < at {
            deadline.as_mut().reset(at);
        }
        ready!(deadline.as_mut().poll(context));
        Poll::Ready(ClientTimeout::Head)
    }

    /// Sends what there is to send.
    pub(crate) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.output.is_empty() {
            let socket = Pin::new(&mut self.socket);
            let sent = match self.output.as_one_piece() {
                Some(piece) => socket.poll_write(context, piece),
                None => socket.poll_write_vectored(context, &self.output.as_pieces()),
            };
            match sent {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(sent)) => {
                    self.output.advance(sent);
                    self.write_timeout.restart();
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    ready!(self.write_timeout.poll(context));
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, ClientTimeout::Write)));
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Says that nothing more is sent.
    pub(crate) fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }

    /// Lets the connection end in such a way that a client does not take it for the end of its response.
    pub(crate) fn reset_when_dropped(&self) -> io::Result<()> {
        self.socket.set_zero_linger()
    }

    /// Gives back the memory that it does not need while it waits for a request.
    pub(crate) fn shrink(&mut self) {
        self.output.shrink();
        if self.unread.is_empty() {
            self.unread = BytesMut::new();
        }
    }
}
