//! One connection to a provider, which has one request at a time.

use std::fmt;
use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf as _, Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use http1::{Framing, Piece};
use per_core::first_read;
use tokio::io::{AsyncRead as _, ReadBuf};
use tokio::task::coop;

use super::error::ClientError;
use super::request::OutgoingRequest;
use super::response_head::{HeadReader, ResponseHead};
use super::transport::Transport;

/// So much is read at a time at first: the head of a response and a short answer, or some events.
const FIRST_READ_BYTES: usize = 4 * 1024;

/// So much is read at a time at most.
const MAX_READ_BYTES: usize = 16 * 1024;

/// With less room than this, what was read last is left to those who have it.
const MIN_READ_BYTES: usize = 1024;

/// One connection. It has no task of its own: whoever waits for a response or its body polls it, so that nothing is handed
/// from task to task, and dropping it closes it at once.
pub(crate) struct Connection {
    transport: Transport,
    /// What was read and is not yet taken. While the connection is idle it has no memory.
    unread: BytesMut,
    read_size: usize,
    /// Whether the last read took all that had come.
    is_drained: bool,
    /// What is still to be sent: a response may come before all of its request was sent.
    outgoing: Option<OutgoingRequest>,
    /// Of the response that is being read.
    framing: Framing,
    /// Whether a byte has been received since the last request.
    has_received: bool,
    /// Whether another request may follow this one.
    is_reusable: bool,
}

/// Without the bytes that were read: they hold the model's output.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("framing", &self.framing)
            .field("is_reusable", &self.is_reusable)
            .finish_non_exhaustive()
    }
}

impl Connection {
    pub(crate) fn new(transport: Transport) -> Self {
        Self {
            transport,
            unread: BytesMut::new(),
            read_size: FIRST_READ_BYTES,
            is_drained: true,
            outgoing: None,
            framing: Framing::Length(0),
            has_received: false,
            is_reusable: true,
        }
    }

    /// Sends a request, and waits for the head of the response.
    pub(super) async fn send(
        &mut self,
        request: OutgoingRequest,
        mut reader: HeadReader,
    ) -> Result<(StatusCode, HeaderMap), ClientError> {
        self.outgoing = Some(request);
        self.has_received = false;
        let head = poll_fn(|cx| self.poll_head(cx, &mut reader)).await?;
        self.framing = head.framing;
        self.is_reusable &= head.is_reusable;
        Ok((head.status, head.headers))
    }

    /// The bytes of the body that are still to come, if the provider has said.
    pub(crate) const fn remaining(&self) -> Option<u64> {
        self.framing.remaining()
    }

    /// The next piece of the body of the response; `None`: it is complete.
    #[inline]
    pub(crate) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, ClientError>> {
        loop {
            match self.framing.next(&self.unread)? {
                Piece::Data(slice) => return Poll::Ready(Ok(Some(slice.take_from(&mut self.unread)))),
                Piece::End(passed) => {
                    self.unread.advance(passed);
                    return Poll::Ready(Ok(None));
                }
                Piece::Incomplete(0) => {}
                Piece::Incomplete(passed) => self.unread.advance(passed),
            }
            if self.outgoing.is_some() {
                self.send_on(cx)?;
            }
            if ready!(self.poll_read(cx))? == 0 {
                let is_complete = self.framing.ends_with_connection();
                return Poll::Ready(if is_complete { Ok(None) } else { Err(ClientError::Interrupted) });
            }
        }
    }

    /// Whether the last request has failed before a byte of its response came.
    pub(crate) const fn received_nothing(&self) -> bool {
        !self.has_received
    }

    /// Makes it idle after a complete response; `false`: it cannot have another request.
    pub(crate) fn make_idle(&mut self) -> bool {
        // What follows a response belongs to no request.
        if !self.is_reusable || self.outgoing.is_some() || !self.unread.is_empty() {
            return false;
        }
        self.unread = BytesMut::new();
        self.read_size = FIRST_READ_BYTES;
        // If the last read took all that had come, nobody is waiting for more.
        self.is_drained || self.is_usable()
    }

    /// Whether the idle connection is still open, as far as this machine knows. The task that used it last is forgotten.
    pub(crate) fn is_usable(&mut self) -> bool {
        let mut byte = [0];
        let mut buffer = ReadBuf::new(&mut byte);
        let mut cx = Context::from_waker(Waker::noop());
        // Its end, or bytes that nobody asked for; also for a task that may read nothing more in its turn.
        let read = poll_fn(|cx| Pin::new(&mut self.transport).poll_read(cx, &mut buffer));
        pin!(coop::unconstrained(read)).poll(&mut cx).is_pending()
    }

    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut HeadReader,
    ) -> Poll<Result<ResponseHead, ClientError>> {
        self.send_on(cx)?;
        loop {
            if ready!(self.poll_read(cx))? == 0 {
                return Poll::Ready(Err(ClientError::Interrupted));
            }
            if let Some(head) = reader.next(&mut self.unread)? {
                return Poll::Ready(Ok(head));
            }
        }
    }

    /// Sends what can be sent now. A provider may have refused a request before all of it came: then the rest goes nowhere, and
    /// the response is there to be read (RFC 9112, section 9.5).
    fn send_on(&mut self, cx: &mut Context<'_>) -> Result<(), ClientError> {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
        let Some(outgoing) = &mut self.outgoing else { return Ok(()) };
        match outgoing.poll_send(&mut self.transport, cx) {
            Poll::Pending => return Ok(()),
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error))
                if matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset) =>
            {
                self.is_reusable = false;
            }
            Poll::Ready(Err(_)) => return Err(ClientError::Interrupted),
        }
        self.outgoing = None;
        Ok(())
    }

    /// Reads what is there; 0: the connection has ended.
    // A call of its own takes as long as what it does.
    #[inline(always)]
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, ClientError>> {
        let (read, room) = if !self.has_received && self.unread.capacity() == 0 {
            let transport = &mut self.transport;
            first_read(&mut self.unread, |buffer| (transport.poll_read_into(cx, buffer), buffer.capacity()))
        } else {
            if self.unread.capacity() - self.unread.len() < MIN_READ_BYTES {
                self.make_room();
            }
            let room = self.unread.capacity() - self.unread.len();
            (self.transport.poll_read_into(cx, &mut self.unread), room)
        };
        let length = ready!(read).map_err(|_| ClientError::Interrupted)?;
        self.has_received |= length > 0;
        // Of TLS, records may wait behind those that were read.
        self.is_drained = length < room && matches!(self.transport, Transport::Tcp(_));
        if length == room {
            self.read_size = (self.read_size * 2).min(MAX_READ_BYTES);
        }
        Poll::Ready(Ok(length))
    }

    /// The memory is used again once nobody has any of it any more, which of a stream is so.
    #[inline(never)]
    fn make_room(&mut self) {
        let unread = self.unread.len();
        let size = self.read_size.max(unread * 2);
        if !self.unread.try_reclaim(size - unread) {
            let mut larger = BytesMut::with_capacity(size);
            larger.extend_from_slice(&self.unread);
            self.unread = larger;
        }
    }
}
