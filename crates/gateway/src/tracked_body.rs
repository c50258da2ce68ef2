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
}

impl TrackedBody {
    pub(crate) const fn new(body: ResponseBody, state: Arc<ConnectionState>) -> Self {
        Self { body, state }
    }
}

impl HttpBody for TrackedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
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
