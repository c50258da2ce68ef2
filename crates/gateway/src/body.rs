//! Reads the body of a request.

use std::{
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use axum::{
    body::{Body, HttpBody as _},
    extract::{FromRequest, Request},
};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt as _;
use manager::MemoryShare;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::time::timeout;

use crate::{
    auth::Caller,
    decompress,
    error::{ApiError, Error},
    joined_body::{JoinError, JoinedBody},
    shutdown::Lifecycle,
    state::App,
};

/// The limit of a body in the circuits API, in bytes.
const MAX_JSON_BODY_BYTES: usize = 16 * 1024;

/// The limit between two chunks of a body: a stalled body occupies a connection and memory.
const BODY_IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// The limit for a whole body, however steadily it arrives: the largest then needs 1 Mbit/s.
const BODY_READ_TIMEOUT: Duration = Duration::from_secs(300);

/// Reads the whole body, up to `max_bytes`, until the grace period of a shutdown has elapsed. A compressed one is
/// decompressed, with the same limit, and is no longer called so in the headers.
pub(crate) async fn read(
    headers: &mut HeaderMap,
    body: Body,
    max_bytes: usize,
    memory: MemoryShare,
    lifecycle: &Arc<Lifecycle>,
) -> Result<Bytes, Error> {
    let Some(coding) = decompress::take_coding(headers)? else {
        return read_as_sent(body, max_bytes, memory, lifecycle).await;
    };
    let decompressed = memory.another();
    let body = read_as_sent(body, max_bytes, memory, lifecycle).await?;
    decompress::decompress(coding, &body, JoinedBody::new(max_bytes, 0, decompressed))
}

async fn read_as_sent(
    body: Body,
    max_bytes: usize,
    memory: MemoryShare,
    lifecycle: &Arc<Lifecycle>,
) -> Result<Bytes, Error> {
    tokio::select! {
        biased;
        read = timeout(BODY_READ_TIMEOUT, collect(body, max_bytes, memory)) => read.unwrap_or_else(|_| {
            let seconds = BODY_READ_TIMEOUT.as_secs();
            Err(request_timeout(format!(
                "timed out reading the request body (incomplete after {seconds} s); retry with a smaller request"
            )))
        }),
        () = Arc::clone(lifecycle).body_grace_elapsed() => Err(Error::shutting_down()),
    }
}

async fn collect(body: Body, max_bytes: usize, memory: MemoryShare) -> Result<Bytes, Error> {
    let announced = body.size_hint().lower();
    if announced > u64::try_from(max_bytes).unwrap_or(u64::MAX) {
        // Nothing of it is read, so no client is told to continue.
        return Err(Error::from(JoinError::TooLarge(max_bytes)).with_connection_close());
    }
    let mut body = pin!(body);
    let Some(first) = next_chunk(&mut body).await? else { return Ok(Bytes::new()) };
    // A body in one piece is a part of what the connection has read, and needs no memory of its own.
    let Some(second) = next_chunk(&mut body).await? else { return check_size(first, max_bytes) };
    let announced = usize::try_from(announced).unwrap_or(max_bytes);
    let mut joined = JoinedBody::new(max_bytes, announced, memory);
    joined.push(&first)?;
    drop(first);
    joined.push(&second)?;
    drop(second);
    while let Some(chunk) = next_chunk(&mut body).await? {
        joined.push(&chunk)?;
    }
    Ok(joined.into_bytes())
}

/// The next piece with anything in it.
async fn next_chunk(body: &mut Pin<&mut Body>) -> Result<Option<Bytes>, Error> {
    loop {
        let Ok(next) = timeout(BODY_IDLE_TIMEOUT, body.frame()).await else {
            let seconds = BODY_IDLE_TIMEOUT.as_secs();
            return Err(request_timeout(format!(
                "timed out reading the request body ({seconds} s without data); retry the request"
            )));
        };
        match next {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(chunk) if !chunk.is_empty() => return Ok(Some(chunk)),
                _ => {}
            },
            Some(Err(_)) => return Err(Error::invalid_request("the request body ended early".to_owned())),
            None => return Ok(None),
        }
    }
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
        let memory = app.manager.memory_budget().reservation(caller);
        let (mut parts, body) = request.into_parts();
        let body = read(&mut parts.headers, body, MAX_JSON_BODY_BYTES, memory, &app.lifecycle).await?;
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
        let memory = MemoryBudget::default().reservation(None);
        let read = read_as_sent(Body::from_stream(pieces), 1_000, memory, lifecycle).await;
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
        let read =
            async |size| read_as_sent(body(size), 80 * KIB, memory.reservation(None), &lifecycle).await;
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
