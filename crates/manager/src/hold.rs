//! A held stream: kept back until it is whole, so that the caller never sees one break off (DESIGN 1.3, `stream`).
//!
//! Its head goes to the caller at once, before anyone has answered, and signs of life keep the connection open. So
//! whatever goes wrong is told as an event.

use std::{future::Future, pin::Pin, time::Duration};

use bytes::Bytes;
use dialects::{
    Dialect,
    error::{error_event, provider_error_event},
    events::keep_alive,
};
use futures_util::{StreamExt as _, stream};
use tokio::time::{Instant, timeout_at};

use crate::{Body, CallError, Reply, relay::Events};

/// A caller hears something at least so often. Proxies and clients commonly give up after 30 s or more of silence.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

/// The way to a reply, while the caller is kept waiting.
pub(crate) type Coming = Pin<Box<dyn Future<Output = Result<Reply, CallError>> + Send>>;

/// The events that a caller gets: signs of life until there is a reply, then all of it.
pub(crate) fn hold(dialect: Dialect, coming: Coming) -> Events {
    let begin = Held::Waiting { coming, next_sign: Instant::now() + SIGN_OF_LIFE };
    Events::new(stream::unfold(begin, move |held| held.step(dialect)))
}

enum Held {
    Waiting { coming: Coming, next_sign: Instant },
    Speaking(Events),
    Over,
}

impl Held {
    async fn step(self, dialect: Dialect) -> Option<(Bytes, Self)> {
        match self {
            Self::Over => None,
            Self::Speaking(mut events) => Some((events.next().await?, Self::Speaking(events))),
            Self::Waiting { mut coming, next_sign } => {
                let Ok(reply) = timeout_at(next_sign, &mut coming).await else {
                    let next_sign = Instant::now() + SIGN_OF_LIFE;
                    return Some((keep_alive(dialect), Self::Waiting { coming, next_sign }));
                };
                match reply {
                    Ok(Reply { body: Body::Stream { mut events, .. }, .. }) => {
                        Some((events.next().await?, Self::Speaking(events)))
                    }
                    Ok(Reply { body: Body::Whole(answer), .. }) => {
                        let event = provider_error_event(dialect, answer.status.as_u16(), &answer.body);
                        Some((event, Self::Over))
                    }
                    Err(error) => {
                        let event = error_event(dialect, error.status(), error.code(), &error.to_string());
                        Some((event, Self::Over))
                    }
                }
            }
        }
    }
}
