//! Reads the body of a request.

use std::{
    error::Error as _,
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use axum::{
    body::HttpBody,
    extract::{FromRequest, Request},
};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use manager::MemoryShare;
use providers::ContentCoding;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{
    auth::Caller,
    client_socket::BodyError,
    decompress,
    error::{ApiError, Error},
    joined_body::{JoinError, JoinedBody},
    lazy_timer::LazyTimer,
    shutdown::{LB_GRACE, Lifecycle},
    state::App,
};

/// The limit of a body in the circuits API, in bytes.
const MAX_JSON_BODY_BYTES: usize = 16 * 1024;

/// The limit between two chunks of a body: a stalled body occupies a connection and memory.
const BODY_IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// The limit for a whole body, however steadily it arrives: the largest then needs 1 Mbit/s.
const BODY_READ_TIMEOUT: Duration = Duration::from_secs(300);

/// The body of a request, however it came here.
pub(crate) type IncomingBody = dyn HttpBody<Data = Bytes, Error = axum::Error> + Send + Unpin;

/// Reads the whole body, up to `max_bytes`, until the grace period of a shutdown has elapsed. A compressed one is
/// decompressed, with the same limit, and is no longer called so in the headers. `memory`: for a body that has to be put
/// together.
pub(crate) async fn read(
    headers: &mut HeaderMap,
    body: &mut IncomingBody,
    max_bytes: usize,
    memory: impl Fn() -> MemoryShare,
    lifecycle: &Lifecycle,
) -> Result<Bytes, Error> {
    read_coded(decompress::take_coding(headers)?, body, max_bytes, memory, lifecycle).await
}

/// The same of a body that is compressed so, or not at all.
pub(crate) async fn read_coded(
    coding: Option<ContentCoding>,
    body: &mut IncomingBody,
    max_bytes: usize,
    memory: impl Fn() -> MemoryShare,
    lifecycle: &Lifecycle,
) -> Result<Bytes, Error> {
    let Some(coding) = coding else {
        return read_as_sent(body, max_bytes, memory, lifecycle).await;
    };
    let body = read_as_sent(body, max_bytes, &memory, lifecycle).await?;
    decompress::decompress(coding, &body, JoinedBody::new(max_bytes, 0, memory()))
}

async fn read_as_sent(
    body: &mut IncomingBody,
    max_bytes: usize,
    memory: impl Fn() -> MemoryShare,
    lifecycle: &Lifecycle,
) -> Result<Bytes, Error> {
    let mut collected = pin!(collect(body, max_bytes, memory));
    let (mut timeout, mut grace) = (LazyTimer::new(BODY_READ_TIMEOUT), LazyTimer::new(LB_GRACE));
    poll_fn(|context| {
        let collected = collected.as_mut().poll(context);
        if collected.is_ready() {
            return collected;
        }
        if timeout.poll(context).is_ready() {
            let seconds = BODY_READ_TIMEOUT.as_secs();
            return Poll::Ready(Err(request_timeout(format!(
                "timed out reading the request body (incomplete after {seconds} s); retry with a smaller request"
            ))));
        }
        // Clients get the time that load balancers get.
        if lifecycle.is_shutting_down() && grace.poll(context).is_ready() {
            return Poll::Ready(Err(Error::shutting_down()));
        }
        Poll::Pending
    })
    .await
}

async fn collect(
    body: &mut IncomingBody,
    max_bytes: usize,
    memory: impl Fn() -> MemoryShare,
) -> Result<Bytes, Error> {
    let announced = body.size_hint().lower();
    if announced > u64::try_from(max_bytes).unwrap_or(u64::MAX) {
        // Nothing of it is read, so no client is told to continue.
        return Err(Error::from(JoinError::TooLarge(max_bytes)).with_connection_close());
    }
    let mut pause = LazyTimer::new(BODY_IDLE_TIMEOUT);
    let Some(first) = next_chunk(body, &mut pause).await? else { return Ok(Bytes::new()) };
    // A body in one piece is a part of what the connection has read, and needs no memory of its own.
    let Some(second) = next_chunk(body, &mut pause).await? else { return check_size(first, max_bytes) };
    let announced = usize::try_from(announced).unwrap_or(max_bytes);
    let mut joined = JoinedBody::new(max_bytes, announced, memory());
    joined.push(&first)?;
    drop(first);
    joined.push(&second)?;
    drop(second);
    while let Some(chunk) = next_chunk(body, &mut pause).await? {
        joined.push(&chunk)?;
    }
    Ok(joined.into_bytes())
}

/// The next piece with anything in it.
async fn next_chunk(body: &mut IncomingBody, pause: &mut LazyTimer) -> Result<Option<Bytes>, Error> {
    pause.restart();
    while !body.is_end_stream() {
        let next = poll_fn(|context| match Pin::new(&mut *body).poll_frame(context) {
            Poll::Pending => pause.poll(context).map(|()| None),
            next => next.map(Some),
        });
        let Some(next) = next.await else {
            let seconds = BODY_IDLE_TIMEOUT.as_secs();
            return Err(request_timeout(format!(
                "timed out reading the request body ({seconds} s without data); retry the request"
            )));
        };
        match next {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(chunk) if !chunk.is_empty() => return Ok(Some(chunk)),
                _ => pause.restart(),
            },
            Some(Err(error)) => return Err(unreadable(&error)),
            None => return Ok(None),
        }
    }
    Ok(None)
}

fn unreadable(error: &axum::Error) -> Error {
    let cause = error.source().and_then(|source| source.downcast_ref());
    let message = match cause {
        Some(BodyError::Malformed(_)) => {
            "the request body is not in chunks, as its transfer-encoding says: see RFC 9112, section 7.1"
        }
        _ => "the request body ended early",
    };
    Error::invalid_request(message.to_owned())
}

fn check_size(body: Bytes, max_bytes: usize) -> Result<Bytes, Error> {
    if body.len() > max_bytes { Err(JoinError::TooLarge(max_bytes).into()) } else { Ok(body) }
}

/// The client was too slow. The rest of the body is not read, so the connection closes.
fn request_timeout(message: String) -> Error {
    Error::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", message).with_connection_close()
}

/// A small JSON object. An empty body is an empty object.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, ApiError> {
        let caller = request.extensions().get::<Caller>().and_then(Caller::name);
        let memory = || app.manager.memory_budget().reservation(caller.clone());
        let (mut parts, mut body) = request.into_parts();
        let body = read(&mut parts.headers, &mut body, MAX_JSON_BODY_BYTES, memory, &app.lifecycle).await?;
        let body = if body.is_empty() { Bytes::from_static(b"{}") } else { body };
        let invalid = |error: serde_json::Error| Error::invalid_request(format!("the request body: {error}"));
        // By way of an object, because serde reads a struct out of an array, too.
        let object: Map<String, Value> = serde_json::from_slice(&body).map_err(invalid)?;
        Ok(Self(serde_json::from_value(Value::Object(object)).map_err(invalid)?))
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, iter};

    use axum::body::Body;
    use futures_util::{StreamExt as _, stream};
    use http::HeaderValue;
    use manager::MemoryBudget;
    use tokio::time::{Instant, sleep};

    use super::*;
    use crate::shutdown::Phase;

    async fn read_pieces(
        distance: Duration,
        pieces: impl Iterator<Item = &'static str> + Send + 'static,
    ) -> (u16, String, Duration) {
        read_pieces_from(&Lifecycle::new(), distance, pieces).await
    }

    /// Reads a body of pieces that arrive at this distance. Returns 200 or the error's status, the text and the time.
    async fn read_pieces_from(
        lifecycle: &Arc<Lifecycle>,
        distance: Duration,
        pieces: impl Iterator<Item = &'static str> + Send + 'static,
    ) -> (u16, String, Duration) {
        let began = Instant::now();
        let pieces = stream::iter(pieces).then(move |piece| async move {
            sleep(distance).await;
            Ok::<_, Infallible>(piece)
        });
        let budget = MemoryBudget::default();
        let memory = || budget.reservation(None);
        let read = read_as_sent(&mut Body::from_stream(pieces), 1_000, memory, lifecycle).await;
        let (status, text) = match read {
            Ok(bytes) => (200, String::from_utf8(bytes.to_vec()).unwrap()),
            Err(error) => {
                let response = error.respond(dialects::Dialect::OpenAiChat, &HeaderValue::from_static("id"));
                (response.status().as_u16(), format!("{error:?}"))
            }
        };
        (status, text, began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_must_arrive_in_time() {
        let second = Duration::from_secs(1);
        let almost = BODY_IDLE_TIMEOUT - second;
        assert_eq!(
            read_pieces(almost, ["a", "b", "c"].into_iter()).await,
            (200, "abc".to_owned(), almost * 3)
        );
        assert_eq!(read_pieces(second, iter::empty()).await, (200, String::new(), Duration::ZERO));

        let (status, text, after) = read_pieces(BODY_IDLE_TIMEOUT + second, ["a", "b"].into_iter()).await;
        assert_eq!((status, after), (408, BODY_IDLE_TIMEOUT), "{text}");
        let (status, text, after) = read_pieces(almost, iter::repeat("a")).await;
        assert_eq!((status, after), (408, BODY_READ_TIMEOUT), "{text}");
        let (status, text, _) = read_pieces(Duration::ZERO, iter::repeat("a")).await;
        assert_eq!(status, 413, "{text}");
    }

    #[tokio::test]
    async fn what_bodies_take_is_bounded_and_given_back() {
        const KIB: usize = 1024;
        let (memory, lifecycle) = (MemoryBudget::new(100 * KIB), Lifecycle::new());
        let body = |size: usize| {
            let pieces = stream::iter(vec![b'x'; size]).map(|byte| Ok::<_, Infallible>(vec![byte]));
            Body::from_stream(pieces)
        };
        let read = async |size| {
            read_as_sent(&mut body(size), 80 * KIB, || memory.reservation(None), &lifecycle).await
        };
        let first = read(40 * KIB).await.unwrap();
        assert_eq!(first.len(), 40 * KIB);
        assert!((40 * KIB..=80 * KIB).contains(&memory.used()), "{}", memory.used());
        let error = format!("{:?}", read(79 * KIB).await.unwrap_err());
        assert!(error.contains("overloaded"), "{error}");
        let part = first.slice(5..6);
        drop(first);
        assert!(memory.used() > 0, "a part of it is in use");
        drop(part);
        assert_eq!(memory.used(), 0);
        assert_eq!(read(79 * KIB).await.unwrap().len(), 79 * KIB);
        assert!(format!("{:?}", read(81 * KIB).await.unwrap_err()).contains("request_too_large"));
    }

    #[tokio::test(start_paused = true)]
    async fn during_shutdown_a_body_has_only_the_grace_period() {
        let second = Duration::from_secs(1);
        for (pieces, expected) in [(vec!["a"], (200, second)), (vec!["a", "b", "c"], (503, second * 2))] {
            let lifecycle = Lifecycle::new();
            lifecycle.enter(Phase::Draining);
            let (status, text, after) = read_pieces_from(&lifecycle, second, pieces.into_iter()).await;
            assert_eq!((status, after), expected, "{text}");
        }
    }
}
