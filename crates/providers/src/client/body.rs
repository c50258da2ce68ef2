//! The body of a response.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::connection::Connection;
use super::error::ClientError;
use super::pool::Pool;

/// The body of a response. Its connection is used again once it is complete; dropped before, it closes it.
#[derive(Debug)]
pub(crate) struct ResponseBody {
    /// `None`: the body is complete, or has failed.
    connection: Option<Box<Connection>>,
    pool: Arc<Pool>,
}

impl ResponseBody {
    pub(super) const fn new(connection: Box<Connection>, pool: Arc<Pool>) -> Self {
        Self { connection: Some(connection), pool }
    }

    /// The bytes that are still to come, if the provider has said.
    pub(crate) fn remaining(&self) -> Option<u64> {
        self.connection.as_ref().map_or(Some(0), |connection| connection.remaining())
    }

    /// The next piece, as it came; `None`: the body is complete. The future may be dropped and this called again.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, ClientError> {
        poll_fn(|cx| self.poll_chunk(cx)).await
    }

    /// The same of a caller that polls.
    // A call of its own takes as long as a piece of a stream.
    #[inline(always)]
    pub(crate) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, ClientError>> {
        let Some(connection) = &mut self.connection else { return Poll::Ready(Ok(None)) };
        let result = ready!(connection.poll_chunk(cx));
        if !matches!(result, Ok(Some(_))) {
            self.end(result.is_ok());
        }
        Poll::Ready(result)
    }

    #[cold]
    fn end(&mut self, is_complete: bool) {
        if let Some(connection) = self.connection.take()
            && is_complete
        {
            self.pool.put(connection);
        }
    }
}
