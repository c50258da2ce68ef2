//! One connection to a provider, which has one request at a time.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body as _, Frame, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::error::ClientError;
use super::request_body::RequestBody;
use super::signal::Signal;
use super::transport::Transport;

/// The largest head of a response. Providers send about 2 kB.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// One connection. It has no task of its own: whoever waits for a response or its body polls it, so that nothing is handed
/// from task to task, and dropping it closes it at once.
#[derive(Debug)]
pub(crate) struct Connection {
    sender: SendRequest<RequestBody>,
    driver: http1::Connection<TokioIo<WatchedTransport>, RequestBody>,
    signal: Arc<Signal>,
    /// The waker of `signal`.
    waker: Waker,
    /// Whether a byte has been received since the last request.
    received: Arc<AtomicBool>,
    is_ended: bool,
}

impl Connection {
    pub(crate) async fn new(transport: Transport) -> Result<Self, ClientError> {
        let received = Arc::<AtomicBool>::default();
        let io =
            TokioIo::new(WatchedTransport { transport, received: Arc::clone(&received), is_cut_off: false });
        let handshake = http1::Builder::new().max_header_size(MAX_HEAD_BYTES).handshake(io);
        let (sender, driver) = handshake.await.map_err(|_| ClientError::Interrupted)?;
        let signal = Arc::<Signal>::default();
        let waker = Waker::from(Arc::clone(&signal));
        Ok(Self { sender, driver, signal, waker, received, is_ended: false })
    }

    /// Sends a request, and waits for the head of the response.
    pub(crate) async fn send(
        &mut self,
        request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, ClientError> {
        self.received.store(false, Relaxed);
        let mut response = pin!(self.sender.send_request(request));
        poll_fn(|cx| self.poll_with(cx, |cx| response.as_mut().poll(cx)))
            .await
            .ok_or(ClientError::Interrupted)?
            .map_err(|_| ClientError::Interrupted)
    }

    /// The next frame of the body of the response; `None`: it is complete.
    pub(crate) async fn next_frame(
        &mut self,
        body: &mut Incoming,
    ) -> Result<Option<Frame<Bytes>>, ClientError> {
        poll_fn(|cx| self.poll_with(cx, |cx| Pin::new(&mut *body).poll_frame(cx)))
            .await
            .ok_or(ClientError::Interrupted)?
            .transpose()
            .map_err(|_| ClientError::Interrupted)
    }

    /// Whether the last request has failed before a byte of its response came.
    pub(crate) fn received_nothing(&self) -> bool {
        !self.received.load(Relaxed)
    }

    /// Makes it idle after a complete response; `false`: it cannot have another request.
    pub(crate) fn make_idle(&mut self) -> bool {
        self.signal.release_task();
        self.poll_driver_silently();
        !self.is_ended && self.sender.is_ready()
    }

    /// Whether the idle connection is still open, as far as this machine knows.
    pub(crate) fn is_usable(&mut self) -> bool {
        if self.signal.is_woken() {
            self.poll_driver_silently();
        }
        !self.is_ended && self.sender.is_ready()
    }

    fn poll_driver_silently(&mut self) {
        let Self { driver, signal, waker, .. } = self;
        self.is_ended |= signal.poll_silently(waker, |cx| Pin::new(driver).poll(cx)).is_ready();
    }

    /// Polls the connection until `target` is ready; `None`: it has ended and will never be.
    fn poll_with<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut target: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<Option<T>> {
        let Self { driver, signal, waker, is_ended, .. } = self;
        signal.poll(waker, cx.waker(), |cx| {
            if let Poll::Ready(output) = target(cx) {
                return Poll::Ready(Some(output));
            }
            if !*is_ended {
                *is_ended = Pin::new(&mut *driver).poll(cx).is_ready();
            }
            match target(cx) {
                Poll::Ready(output) => Poll::Ready(Some(output)),
                Poll::Pending if *is_ended => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        })
    }
}

/// A transport that notes whether anything was received, and still reads where nothing can be sent any more: a provider may
/// have refused a request before all of it came, and its response is there to be read (RFC 9112, section 9.5).
#[derive(Debug)]
struct WatchedTransport {
    transport: Transport,
    received: Arc<AtomicBool>,
    /// The provider takes nothing more. What is written goes nowhere, and reading tells how it ended.
    is_cut_off: bool,
}

impl WatchedTransport {
    /// The result of a write of so many bytes.
    fn written(&mut self, result: Poll<io::Result<usize>>, length: usize) -> Poll<io::Result<usize>> {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
        match result {
            Poll::Ready(Err(error))
                if matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset) =>
            {
                self.is_cut_off = true;
                Poll::Ready(Ok(length))
            }
            result => result,
        }
    }
}

impl AsyncRead for WatchedTransport {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let poll = Pin::new(&mut self.transport).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.received.store(true, Relaxed);
        }
        poll
    }
}

impl AsyncWrite for WatchedTransport {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_cut_off {
            return Poll::Ready(Ok(bytes.len()));
        }
        let result = Pin::new(&mut self.transport).poll_write(cx, bytes);
        self.written(result, bytes.len())
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = slices.iter().map(|slice| slice.len()).sum();
        if self.is_cut_off {
            return Poll::Ready(Ok(length));
        }
        let result = Pin::new(&mut self.transport).poll_write_vectored(cx, slices);
        self.written(result, length)
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_cut_off {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.transport).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_shutdown(cx)
    }
}
