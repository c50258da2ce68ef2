//! Reading a request's body.

use std::{pin::pin, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{FromRequest, Request},
};
use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::time::timeout;

use crate::{
    app::App,
    error::{ApiError, Error},
    shutdown::Lifecycle,
};

/// The largest body that says something about a circuit, in bytes.
const MAX_JSON_BODY_BYTES: usize = 16 * 1024;

/// A body of which nothing comes for so long is given up: it holds a connection and what has come of it.
const BODY_IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// A body must be whole in so long, however steadily it drips: the largest then needs a line of 1 Mbit/s.
const BODY_READ_TIMEOUT: Duration = Duration::from_secs(300);

/// Reads all of it, up to so many bytes, while callers are waited for.
pub(crate) async fn read(body: Body, max_bytes: usize, lifecycle: &Arc<Lifecycle>) -> Result<Bytes, Error> {
    tokio::select! {
        biased;
        read = timeout(BODY_READ_TIMEOUT, collect(body, max_bytes)) => read.unwrap_or_else(|_| {
            let seconds = BODY_READ_TIMEOUT.as_secs();
            Err(request_timeout(format!("the request body was not whole after {seconds} s: send the request again over a faster line, or a smaller one")))
        }),
        () = Arc::clone(lifecycle).body_grace_elapsed() => Err(Error::shutting_down(
            "the gateway is stopping and could not wait for the rest of the request: send the request again",
        )),
    }
}

async fn collect(body: Body, max_bytes: usize) -> Result<Bytes, Error> {
    let mut body = pin!(Limited::new(body, max_bytes));
    let mut chunks: Vec<Bytes> = Vec::new();
    loop {
        let Ok(next) = timeout(BODY_IDLE_TIMEOUT, body.frame()).await else {
            let seconds = BODY_IDLE_TIMEOUT.as_secs();
            return Err(request_timeout(format!(
                "nothing more of the request body came for {seconds} s: send the request again, \
                 with as many bytes as its content-length says"
            )));
        };
        match next {
            Some(Ok(frame)) => chunks.extend(frame.into_data().ok()),
            Some(Err(error)) if error.is::<LengthLimitError>() => {
                let message = format!("the request body is larger than {max_bytes} bytes");
                return Err(Error::new(StatusCode::PAYLOAD_TOO_LARGE, "request_too_large", message));
            }
            Some(Err(_)) => {
                return Err(Error::invalid_request("the request body broke off before its end".to_owned()));
            }
            None => break,
        }
    }
    Ok(match chunks.as_mut_slice() {
        [only] => std::mem::take(only),
        pieces => pieces.concat().into(),
    })
}

/// The caller took too long. What it still sends is not read, so the connection ends.
fn request_timeout(message: String) -> Error {
    Error::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", message).with_connection_close()
}

/// A small JSON object. No body at all is an empty one.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, ApiError> {
        let body = read(request.into_body(), MAX_JSON_BODY_BYTES, &app.lifecycle).await?;
        let body = if body.is_empty() { Bytes::from_static(b"{}") } else { body };
        let invalid = |error: serde_json::Error| Error::invalid_request(format!("the request body: {error}"));
        // By way of an object, since a struct would be read out of an array, too.
        let object: Map<String, Value> = serde_json::from_slice(&body).map_err(invalid)?;
        Ok(Self(serde_json::from_value(Value::Object(object)).map_err(invalid)?))
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, iter};

    use futures_util::{StreamExt as _, stream};
    use http::HeaderValue;
    use tokio::time::{Instant, sleep};

    use super::*;
    use crate::shutdown::Phase;

    async fn read_pieces(
        distance: Duration,
        pieces: impl Iterator<Item = &'static str> + Send + 'static,
    ) -> (u16, String, Duration) {
        read_pieces_from(&Lifecycle::new(), distance, pieces).await
    }

    /// Reads a body of pieces that come at this distance. What it comes to (200, or an error's status), and when.
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
        let read = read(Body::from_stream(pieces), 1_000, lifecycle).await;
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
    async fn a_body_has_its_time_and_no_more() {
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

    #[tokio::test(start_paused = true)]
    async fn a_gateway_that_stops_waits_for_what_is_under_way_and_not_for_long() {
        let second = Duration::from_secs(1);
        for (pieces, expected) in [(vec!["a"], (200, second)), (vec!["a", "b", "c"], (503, second * 2))] {
            let lifecycle = Lifecycle::new();
            lifecycle.enter(Phase::Draining);
            let (status, text, after) = read_pieces_from(&lifecycle, second, pieces.into_iter()).await;
            assert_eq!((status, after), expected, "{text}");
        }
    }
}
