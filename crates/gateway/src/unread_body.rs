//! What a client still sends of a request that is answered already: its key is wrong, or the body is too large.
//!
//! If the connection were closed then, the kernel would reset it and throw the response away with it: many clients read
//! nothing before they have sent everything. So the rest is read first, and dropped (RFC 9112, 9.6). It takes no memory.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout, timeout_at};

use crate::{connection_state::ConnectionState, wakers::without_waking};

/// The most that is read for nothing, in bytes: twice the largest body that is accepted.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// The most time that it may take: until then the response waits.
const MAX_DURATION: Duration = Duration::from_secs(5);

/// A client that sends nothing for this long waits for the response.
const MAX_PAUSE: Duration = Duration::from_millis(500);

/// The body of a request. What nobody has read of it is left in the state of its connection.
#[derive(Debug)]
pub(crate) struct RequestBody {
    /// `None`: it has ended.
    incoming: Option<Incoming>,
    /// The client sends it only when it is asked to (`expect: 100-continue`), which reading does.
    awaits_continue: bool,
    state: Arc<ConnectionState>,
}

impl RequestBody {
    pub(crate) const fn new(incoming: Incoming, awaits_continue: bool, state: Arc<ConnectionState>) -> Self {
        Self { incoming: Some(incoming), awaits_continue, state }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.awaits_continue = false;
        let Some(incoming) = &mut self.incoming else { return Poll::Ready(None) };
        let (frame, is_woken) = without_waking(|| Pin::new(&mut *incoming).poll_frame(context));
        // hyper wakes the task for each piece that is taken, to read the next one.
        if is_woken && !incoming.is_end_stream() {
            context.waker().wake_by_ref();
        }
        if matches!(frame, Poll::Ready(None | Some(Err(_)))) {
            self.incoming = None;
        }
        frame.map_err(axum::Error::new)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if let Some(incoming) = self.incoming.take()
            && !incoming.is_end_stream()
            && !self.awaits_continue
        {
            self.state.leave_unread(incoming);
        }
    }
}

/// Reads and drops the rest, within limits of bytes and time.
pub(crate) async fn discard(mut body: Incoming) {
    let deadline = Instant::now() + MAX_DURATION;
    let mut bytes = 0;
    let rest = async {
        while let Ok(Some(Ok(frame))) = timeout(MAX_PAUSE, body.frame()).await {
            bytes += frame.data_ref().map_or(0, Bytes::len);
            if bytes > MAX_BYTES {
                return;
            }
        }
    };
    // What does not fit is not read, and the connection closes.
    let _ = timeout_at(deadline, rest).await;
}
