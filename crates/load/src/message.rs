//! HTTP/1.1 as far as both sides need it: messages one after the other on one connection.

use std::io;

use memchr::memmem;
use tokio::io::{AsyncRead, AsyncReadExt};

const READ_LEN: usize = 64 << 10;

/// Reads one message after the other.
#[derive(Debug)]
pub(crate) struct Reader<R> {
    source: R,
    buffer: Vec<u8>,
    /// Bytes at the start of `buffer` that belong to messages that were read.
    consumed: usize,
    start_line: Vec<u8>,
    body: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    pub(crate) fn new(source: R) -> Self {
        Self {
            source,
            buffer: Vec::with_capacity(READ_LEN),
            consumed: 0,
            start_line: Vec::new(),
            body: Vec::new(),
        }
    }

    /// The first line and the body of the next message, without framing; `None` at the end of the connection.
    pub(crate) async fn next(&mut self) -> io::Result<Option<(&[u8], &[u8])>> {
        self.body.clear();
        let Some(head_len) = self.find(b"\r\n\r\n").await? else { return Ok(None) };
        let head = &self.buffer[self.consumed..self.consumed + head_len];
        let line_len = memmem::find(head, b"\r\n").unwrap_or(head.len());
        self.start_line.clear();
        self.start_line.extend_from_slice(&head[..line_len]);
        let length = content_length(head)?;
        self.consumed += head_len;
        match length {
            Some(length) => self.take(length).await?,
            None => while self.chunk().await? {},
        }
        Ok(Some((&self.start_line, &self.body)))
    }

    /// Reads a chunk into the body; whether it was not the last.
    async fn chunk(&mut self) -> io::Result<bool> {
        let line_len = self.find(b"\r\n").await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let line = &self.buffer[self.consumed..self.consumed + line_len];
        let size =
            std::str::from_utf8(line).ok().and_then(|line| usize::from_str_radix(line.trim(), 16).ok());
        let size = size.ok_or_else(|| io::Error::other("a chunk without a size"))?;
        self.consumed += line_len;
        self.take(size).await?;
        self.find(b"\r\n").await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        self.consumed += 2;
        Ok(size > 0)
    }

    /// The length of what ends with `pattern`, which comes next; `None` if the connection ends first.
    async fn find(&mut self, pattern: &[u8]) -> io::Result<Option<usize>> {
        loop {
            if let Some(found) = memmem::find(&self.buffer[self.consumed..], pattern) {
                return Ok(Some(found + pattern.len()));
            }
            if self.fill().await? == 0 {
                return Ok(None);
            }
        }
    }

    /// Moves so many bytes into the body.
    async fn take(&mut self, mut length: usize) -> io::Result<()> {
        loop {
            let ready = length.min(self.buffer.len() - self.consumed);
            self.body.extend_from_slice(&self.buffer[self.consumed..self.consumed + ready]);
            self.consumed += ready;
            length -= ready;
            if length == 0 {
                return Ok(());
            }
            if self.fill().await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    async fn fill(&mut self) -> io::Result<usize> {
        self.buffer.drain(..self.consumed);
        self.consumed = 0;
        self.buffer.reserve(READ_LEN);
        self.source.read_buf(&mut self.buffer).await
    }
}

/// What the head says about the length of the body; `None` if it comes in chunks.
fn content_length(head: &[u8]) -> io::Result<Option<usize>> {
    const NAME: &[u8] = b"content-length:";
    for line in head.split(|byte| *byte == b'\n') {
        if line.len() > NAME.len() && line[..NAME.len()].eq_ignore_ascii_case(NAME) {
            let value =
                std::str::from_utf8(&line[NAME.len()..]).ok().and_then(|value| value.trim().parse().ok());
            return value.map(Some).ok_or_else(|| io::Error::other("a content-length that is no number"));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn messages_follow_each_other() {
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirstHTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n\
                    3\r\nsec\r\nA\r\nond, long \r\n0\r\n\r\n";
        let mut reader = Reader::new(text.as_bytes());
        assert_eq!(reader.next().await.unwrap(), Some((&b"HTTP/1.1 200 OK"[..], &b"first"[..])));
        assert_eq!(reader.next().await.unwrap(), Some((&b"HTTP/1.1 201 Created"[..], &b"second, long "[..])));
        assert_eq!(reader.next().await.unwrap(), None);
    }

    #[tokio::test]
    async fn message_that_is_cut_is_an_error() {
        for text in ["HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nfir", "HTTP/1.1 200 OK\r\n\r\n3\r\nsec\r\n"]
        {
            assert!(Reader::new(text.as_bytes()).next().await.is_err(), "{text}");
        }
    }
}
