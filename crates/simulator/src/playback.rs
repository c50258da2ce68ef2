//! Playing an answer to its client, with its pauses and its ending.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::Response;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;

use crate::answer::{Answer, Ending};
use crate::seen::Call;
use crate::shared::Stopping;

pub(crate) type Body = UnsyncBoxBody<Bytes, Abort>;

/// Makes hyper give up the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Abort {
    #[error("the connection is to be closed")]
    Close,
    #[error("the connection is to be reset")]
    Reset,
}

struct Playback {
    chunks: std::vec::IntoIter<Bytes>,
    gap: Duration,
    ending: Ending,
    started: bool,
    call: Option<Call>,
    stopping: Stopping,
}

/// Begins to answer. The call, where there is one, ends with the answer.
pub(crate) fn play(answer: Answer, call: Option<Call>, stopping: Stopping) -> Response<Body> {
    let mut playback = Playback {
        chunks: answer.chunks.into_iter(),
        gap: answer.gap,
        ending: answer.ending,
        started: false,
        call,
        stopping,
    };
    playback.finish_if_told();
    let frames = stream::unfold(playback, Playback::next);
    let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    response
}

impl Playback {
    async fn next(mut self) -> Option<(Result<Frame<Bytes>, Abort>, Self)> {
        let Some(chunk) = self.chunks.next() else {
            return self.end().await;
        };
        if self.started && !self.gap.is_zero() {
            tokio::time::sleep(self.gap).await;
        }
        self.started = true;
        self.finish_if_told();
        Some((Ok(Frame::data(chunk)), self))
    }

    /// hyper does not ask again once the promised length is reached, so the call ends with its last chunk.
    fn finish_if_told(&mut self) {
        if self.ending == Ending::Clean && self.chunks.as_slice().is_empty() {
            self.finish();
        }
    }

    fn finish(&mut self) {
        if let Some(call) = self.call.take() {
            call.finish();
        }
    }

    async fn end(mut self) -> Option<(Result<Frame<Bytes>, Abort>, Self)> {
        match self.ending {
            Ending::Clean => return None,
            // hyper flushes what it has while the body is pending; after an error it would drop it.
            Ending::Cut => tokio::task::yield_now().await,
            Ending::Silence => self.stopping.wait().await,
        }
        self.finish();
        Some((Err(Abort::Close), self))
    }
}
