//! A body in one piece, made of many.

use std::io;

use bytes::Bytes;
use http::StatusCode;
use manager::{MemoryExhausted, MemoryShare};

use crate::error::Error;

/// A body that comes in pieces. They are joined at once: a piece of a byte would take a hundred.
pub(crate) struct JoinedBody {
    bytes: Vec<u8>,
    max_bytes: usize,
    /// The size that was announced; 0: none was.
    announced: usize,
    /// Given back when nobody needs the bytes any more.
    memory: MemoryShare,
}

/// Why a body takes no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JoinError {
    /// It is larger than so many bytes.
    #[error("the request body is larger than {0} bytes")]
    TooLarge(usize),
    /// Others have the memory.
    #[error("the gateway's memory for requests is in use; retry the request")]
    MemoryExhausted,
}

impl From<JoinError> for Error {
    fn from(error: JoinError) -> Self {
        match error {
            JoinError::TooLarge(_) => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "request_too_large", error.to_string())
            }
            JoinError::MemoryExhausted => Self::overloaded(error.to_string()),
        }
    }
}

impl JoinedBody {
    pub(crate) const fn new(max_bytes: usize, announced: usize, memory: MemoryShare) -> Self {
        Self { bytes: Vec::new(), max_bytes, announced, memory }
    }

    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<(), JoinError> {
        let size = self.bytes.len() + piece.len();
        if size > self.max_bytes {
            return Err(JoinError::TooLarge(self.max_bytes));
        }
        if size > self.bytes.capacity() {
            // Doubled, so that each byte is moved about once; not by what is only announced.
            let doubled = (size * 2).min(self.max_bytes);
            let capacity = if (size..=doubled).contains(&self.announced) { self.announced } else { doubled };
            self.memory.grow_to(capacity).map_err(|MemoryExhausted| JoinError::MemoryExhausted)?;
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
        self.bytes.extend_from_slice(piece);
        Ok(())
    }

    /// All of it. The memory is in use until they are dropped.
    pub(crate) fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for JoinedBody {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Fails with a [`JoinError`].
impl io::Write for JoinedBody {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.push(piece).map_err(io::Error::other)?;
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
