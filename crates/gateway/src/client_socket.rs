//! A client's socket, with the timeouts of those who hold a connection and do not use it (Q6).

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};

use crate::{
    connection_state::{ConnectionPhase, ConnectionState},
    lazy_timer::LazyTimer,
    wakers::Source,
};

/// The time for the head of a request, from its first byte.
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// A client that takes nothing of its response for this long has left.
pub(crate) const WRITE_TIMEOUT: Duration = Duration::from_secs(60);

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

/// A socket that fails with a [`ClientTimeout`].
#[derive(Debug)]
pub(crate) struct ClientSocket<S> {
    socket: S,
    state: Arc<ConnectionState>,
    input: Source,
    /// What was read and is to be read again.
    given_back: Bytes,
    head_deadline: Option<Pin<Box<Sleep>>>,
    /// Begins while the client takes nothing.
    write_timeout: LazyTimer,
}

impl<S> ClientSocket<S> {
    pub(crate) fn new(socket: S, state: Arc<ConnectionState>) -> Self {
        let write_timeout = LazyTimer::new(WRITE_TIMEOUT);
        Self {
            socket,
            state,
            input: Source::default(),
            given_back: Bytes::new(),
            head_deadline: None,
            write_timeout,
        }
    }

    /// What was read comes again.
    pub(crate) fn give_back(&mut self, bytes: Bytes) {
        self.given_back = bytes;
    }

    /// Fails once the head that is being read is late.
    fn poll_head_deadline(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        if self.state.phase() != ConnectionPhase::ReadingHead {
            return Poll::Pending;
        }
        let since = self.state.phase_since();
        let deadline = self.head_deadline.get_or_insert_with(|| Box::pin(sleep(HEAD_TIMEOUT)));
        // The timer of an earlier head serves again.
        if deadline.deadline() < since + HEAD_TIMEOUT {
            deadline.as_mut().reset(since + HEAD_TIMEOUT);
        }
        ready!(deadline.as_mut().poll(context));
        Poll::Ready(timed_out(ClientTimeout::Head))
    }

    /// Watches over the result of a write.
    fn poll_written<T>(
        &mut self,
        context: &mut Context<'_>,
        result: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        self.state.set_unsent(true);
        if result.is_ready() {
            self.write_timeout.restart();
            return result;
        }
        ready!(self.write_timeout.poll(context));
        Poll::Ready(Err(timed_out(ClientTimeout::Write)))
    }
}

fn timed_out(timeout: ClientTimeout) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, timeout)
}

impl ClientSocket<TcpStream> {
    /// Waits for the next request.
    pub(crate) fn poll_readable(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.given_back.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let readable = self.input.poll(context, |context| self.socket.poll_read_ready(context));
        if readable.is_pending() && self.state.phase() == ConnectionPhase::New {
            self.state.enter(ConnectionPhase::Idle);
        }
        readable
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ClientSocket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let Self { socket, input, given_back, .. } = &mut *self;
        if !given_back.is_empty() {
            let size = given_back.len().min(buffer.remaining());
            buffer.put_slice(&given_back.split_to(size));
            return Poll::Ready(Ok(()));
        }
        let result = input.poll(context, |context| Pin::new(socket).poll_read(context, buffer));
        match self.state.phase() {
            ConnectionPhase::Idle | ConnectionPhase::New if buffer.filled().len() > before => {
                self.state.enter(ConnectionPhase::ReadingHead);
            }
            ConnectionPhase::New => {
                self.state.enter(ConnectionPhase::Idle);
            }
            _ => {}
        }
        // Most heads arrive at once: they need no timer.
        if result.is_pending()
            && let Poll::Ready(error) = self.poll_head_deadline(context)
        {
            return Poll::Ready(Err(error));
        }
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ClientSocket<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.poll_written(context, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.socket).poll_write_vectored(context, slices);
        self.poll_written(context, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Whoever flushes has written everything.
        self.state.set_unsent(false);
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
        time::Instant,
    };

    use super::*;

    fn connected() -> (ClientSocket<DuplexStream>, DuplexStream, Arc<ConnectionState>) {
        let (ours, theirs) = duplex(16);
        let state = Arc::new(ConnectionState::new());
        (ClientSocket::new(ours, Arc::clone(&state)), theirs, state)
    }

    fn timeout_of(error: &io::Error) -> Option<ClientTimeout> {
        error.get_ref()?.downcast_ref().copied()
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_has_left() {
        let (mut socket, mut client, _) = connected();
        let started = Instant::now();
        let reading = tokio::spawn(async move {
            // It takes a byte now and then, and then nothing.
            for _ in 0..3 {
                tokio::time::sleep(WRITE_TIMEOUT - Duration::from_secs(1)).await;
                client.read_u8().await.unwrap();
            }
            client
        });
        let error = socket.write_all(&[0; 100]).await.unwrap_err();
        assert_eq!(timeout_of(&error), Some(ClientTimeout::Write), "{error}");
        let taken = (WRITE_TIMEOUT - Duration::from_secs(1)) * 3;
        assert_eq!(started.elapsed(), taken + WRITE_TIMEOUT);
        drop(reading.await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_has_its_time_from_its_first_byte() {
        let (mut socket, mut client, state) = connected();
        let started = Instant::now();
        let writing = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(30)).await;
            loop {
                if client.write_u8(b'x').await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        let error = loop {
            match socket.read_u8().await {
                Ok(byte) => assert_eq!(byte, b'x'),
                Err(error) => break error,
            }
        };
        assert_eq!(timeout_of(&error), Some(ClientTimeout::Head), "{error}");
        assert_eq!(started.elapsed(), Duration::from_secs(30) + HEAD_TIMEOUT);
        // A body has other limits, and the next head a time of its own.
        state.enter(ConnectionPhase::InRequest);
        for _ in 0..100 {
            tokio::time::advance(Duration::from_secs(1)).await;
            assert_eq!(socket.read_u8().await.unwrap(), b'x');
        }
        state.enter(ConnectionPhase::Idle);
        let began = Instant::now();
        while socket.read_u8().await.is_ok() {}
        assert!(began.elapsed() >= HEAD_TIMEOUT, "{:?}", began.elapsed());
        drop(socket);
        writing.await.unwrap();
    }
}
