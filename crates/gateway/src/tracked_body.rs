//! The body of a response, which ends the request of its connection when it has been sent.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::body::HttpBody;
use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::{
    connection_state::{ConnectionPhase, ConnectionState},
    response_body::ResponseBody,
};

/// A body whose connection is idle once this is dropped.
pub(crate) struct TrackedBody {
    body: ResponseBody,
    state: Arc<ConnectionState>,
    /// The poll of the connection's task in which it was pending.
    pending_in: u64,
}

impl TrackedBody {
    pub(crate) const fn new(body: ResponseBody, state: Arc<ConnectionState>) -> Self {
        Self { body, state, pending_in: 0 }
    }
}

impl HttpBody for TrackedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        // hyper asks again after it has written. What has come since then wakes the task.
        let poll = self.state.current_poll();
        if self.pending_in == poll {
            return Poll::Pending;
        }
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if frame.is_pending() {
            self.pending_in = poll;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for TrackedBody {
    fn drop(&mut self) {
        self.state.enter(ConnectionPhase::Idle);
    }
}
