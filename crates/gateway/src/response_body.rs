//! The body of a response.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use futures_util::Stream as _;
use http_body::{Frame, SizeHint};

use crate::{model_reply::ModelReply, shutdown::DrainedStream};

/// The body of a response. A model's has nothing between it and the connection.
pub(crate) enum ResponseBody {
    /// All of it; empty once it was sent. Its own headers are not among the response's.
    Complete(Box<ModelReply>),
    /// The events of a model, as they come.
    Events(Box<DrainedStream>),
    /// Whatever else.
    Other(Body),
}

impl From<Body> for ResponseBody {
    fn from(body: Body) -> Self {
        Self::Other(body)
    }
}

impl From<ResponseBody> for Body {
    fn from(body: ResponseBody) -> Self {
        match body {
            ResponseBody::Complete(reply) => reply.body.into(),
            ResponseBody::Other(body) => body,
            events @ ResponseBody::Events(_) => Self::new(events),
        }
    }
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match &mut *self {
            Self::Complete(reply) if reply.body.is_empty() => Poll::Ready(None),
            Self::Complete(reply) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut reply.body))))),
            Self::Events(events) => Pin::new(&mut **events)
                .poll_next(context)
                .map(|event| event.map(|event| event.map(Frame::data).map_err(axum::Error::new))),
            Self::Other(body) => Pin::new(body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Complete(reply) => reply.body.is_empty(),
            Self::Events(_) => false,
            Self::Other(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Complete(reply) => {
                SizeHint::with_exact(u64::try_from(reply.body.len()).unwrap_or(u64::MAX))
            }
            Self::Events(_) => SizeHint::default(),
            Self::Other(body) => body.size_hint(),
        }
    }
}
