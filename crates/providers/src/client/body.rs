//! The body of a response.

use std::sync::Arc;

use bytes::Bytes;
use hyper::body::{Body as _, Incoming};

use super::connection::Connection;
use super::error::ClientError;
use super::pool::Pool;

/// The body of a response. Its connection is used again once it is complete; dropped before, it closes it.
#[derive(Debug)]
pub(crate) struct ResponseBody {
    incoming: Incoming,
    /// `None`: the body is complete, or has failed.
    connection: Option<Box<Connection>>,
    pool: Arc<Pool>,
}

impl ResponseBody {
    pub(crate) const fn new(incoming: Incoming, connection: Box<Connection>, pool: Arc<Pool>) -> Self {
        Self { incoming, connection: Some(connection), pool }
    }

    /// The bytes that are still to come, if the provider has said.
    pub(crate) fn remaining(&self) -> Option<u64> {
        self.incoming.size_hint().exact()
    }

    /// The next piece, as it came; `None`: the body is complete. The future may be dropped and this called again.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, ClientError> {
        loop {
            let Some(connection) = &mut self.connection else { return Ok(None) };
            if self.incoming.is_end_stream() {
                self.release();
                return Ok(None);
            }
            match connection.next_frame(&mut self.incoming).await {
                Ok(Some(frame)) => match frame.into_data() {
                    Ok(bytes) if bytes.is_empty() => {}
                    Ok(bytes) => return Ok(Some(bytes)),
                    // Trailers.
                    Err(_) => {}
                },
                Ok(None) => self.release(),
                Err(error) => {
                    self.connection = None;
                    return Err(error);
                }
            }
        }
    }

    fn release(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.pool.put(connection);
        }
    }
}
