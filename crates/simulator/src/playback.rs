//! Playing a response to its client, with its delays and its ending.

use bytes::Bytes;
use futures_util::stream;
use http::Response;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;

use crate::response::{Chunk, Ending, ScriptedResponse};
use crate::shared::ShutdownSignal;
use crate::traffic::InFlightCall;

pub(crate) type Body = UnsyncBoxBody<Bytes, Abort>;

/// Makes hyper abort the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Abort {
    #[error("the connection must be closed")]
    Close,
    #[error("the connection must be reset")]
    Reset,
}

struct Playback {
    chunks: std::vec::IntoIter<Chunk>,
    flush_each_chunk: bool,
    ending: Ending,
    call: Option<InFlightCall>,
    shutdown: ShutdownSignal,
}

/// Starts the response. The call, if there is one, ends with it.
pub(crate) fn play(
    scripted: ScriptedResponse,
    call: Option<InFlightCall>,
    shutdown: ShutdownSignal,
) -> Response<Body> {
    let mut playback = Playback {
        chunks: scripted.chunks.into_iter(),
        flush_each_chunk: scripted.flush_each_chunk,
        ending: scripted.ending,
        call,
        shutdown,
    };
    playback.finish_if_complete();
    let frames = stream::unfold(playback, Playback::next);
    let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
    *response.status_mut() = scripted.status;
    *response.headers_mut() = scripted.headers;
    response
}

impl Playback {
    async fn next(mut self) -> Option<(Result<Frame<Bytes>, Abort>, Self)> {
        let chunk = match (self.chunks.next(), &self.ending) {
            (Some(chunk), _) => chunk,
            (None, Ending::Endless(chunk)) if !self.shutdown.is_triggered() => chunk.clone(),
            (None, _) => return self.end().await,
        };
        if !chunk.delay.is_zero() {
            tokio::time::sleep(chunk.delay).await;
        } else if self.flush_each_chunk {
            yield_to_flush().await;
        }
        self.finish_if_complete();
        Some((Ok(Frame::data(chunk.bytes)), self))
    }

    /// hyper does not poll again once the content length is reached, so the call ends with its last chunk.
    fn finish_if_complete(&mut self) {
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
        let abort = match self.ending {
            Ending::Clean => return None,
            Ending::Cut | Ending::Endless(_) => Abort::Close,
            Ending::Reset => Abort::Reset,
            Ending::Silence => {
                self.shutdown.triggered().await;
                Abort::Close
            }
        };
        yield_to_flush().await;
        self.finish();
        Some((Err(abort), self))
    }
}

/// Lets hyper flush its buffer, as it does whenever a body is pending. After an error it would drop it.
async fn yield_to_flush() {
    tokio::task::yield_now().await;
}
