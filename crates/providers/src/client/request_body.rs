//! The body of a request, in the pieces that it consists of.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

/// The body of a request, in up to three pieces that follow one another. Most have one; a form has the name of its model
/// between two others.
#[derive(Debug, Clone, Default)]
pub(crate) struct RequestBody([Bytes; 3]);

impl From<&Bytes> for RequestBody {
    fn from(body: &Bytes) -> Self {
        Self::new(body, None)
    }
}

impl RequestBody {
    /// A body, and what follows it.
    pub(crate) fn new(body: &Bytes, tail: Option<&[Bytes; 2]>) -> Self {
        let [second, third] = tail.cloned().unwrap_or_default();
        Self([body.clone(), second, third])
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = self.0.iter_mut().find(|piece| !piece.is_empty());
        Poll::Ready(next.map(|piece| Ok(Frame::data(std::mem::take(piece)))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.iter().all(Bytes::is_empty)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.iter().map(|piece| piece.len() as u64).sum())
    }
}
