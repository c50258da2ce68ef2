//! A buffered stream: kept until it is complete, so that the caller never sees it end early (`stream = "buffer"`).
//!
//! Its head goes to the caller immediately, before any model has responded, and keep-alive events keep the connection open.
//! So errors are sent as events.

use std::{future::Future, pin::Pin, time::Duration};

use bytes::Bytes;
use dialects::{
    Dialect,
    error::{error_event, provider_error_event},
    events::{keep_alive, last_array_item},
};
use futures_util::{StreamExt as _, stream};
use tokio::time::{Instant, timeout_at};

use crate::{Body, CallError, Events, Reply, StreamAborted};

/// The longest time without an event. Proxies and clients commonly close a connection after 30 s or more without one.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);

/// The reply, which the caller waits for.
pub(crate) type ReplyFuture = Pin<Box<dyn Future<Output = Result<Reply, CallError>> + Send>>;

/// The events that the caller gets: keep-alive events until there is a reply, then the reply.
/// With `json_array`, an error is the only item of a JSON array.
pub(crate) fn buffer(dialect: Dialect, json_array: bool, pending_reply: ReplyFuture) -> Events {
    let initial =
        BufferedStream::Waiting { pending_reply, next_keepalive: Instant::now() + KEEPALIVE_INTERVAL };
    Events::new(stream::unfold(initial, move |state| state.step(dialect, json_array)))
}

enum BufferedStream {
    Waiting { pending_reply: ReplyFuture, next_keepalive: Instant },
    Flushing(Events),
    Done,
}

impl BufferedStream {
    async fn step(self, dialect: Dialect, json_array: bool) -> Option<(Result<Bytes, StreamAborted>, Self)> {
        let frame = |event: Bytes| if json_array { last_array_item(&event, true) } else { event };
        match self {
            Self::Done => None,
            Self::Flushing(mut events) => Some((events.next().await?, Self::Flushing(events))),
            Self::Waiting { mut pending_reply, next_keepalive } => {
                let Ok(reply) = timeout_at(next_keepalive, &mut pending_reply).await else {
                    let next_keepalive = Instant::now() + KEEPALIVE_INTERVAL;
                    return Some((Ok(keep_alive(dialect)), Self::Waiting { pending_reply, next_keepalive }));
                };
                match reply {
                    Ok(Reply {
                        body: Body::Stream { mut events, .. } | Body::Bytes { bytes: mut events, .. },
                        ..
                    }) => Some((events.next().await?, Self::Flushing(events))),
                    Ok(Reply { body: Body::Complete(response), .. }) => {
                        let event = provider_error_event(dialect, response.status.as_u16(), &response.body);
                        Some((Ok(frame(event)), Self::Done))
                    }
                    Err(error) => {
                        let event =
                            error_event(dialect, error.status(), error.code(), &error.caller_message());
                        Some((Ok(frame(event)), Self::Done))
                    }
                }
            }
        }
    }
}
