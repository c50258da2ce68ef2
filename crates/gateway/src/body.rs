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
    error::{Error, Plain},
    stop::Lifecycle,
};

/// The largest body that says something about a circuit, in bytes.
const LARGEST_WORD: usize = 16 * 1024;

/// A body of which nothing comes for so long is given up: it holds a connection and what has come of it.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A body must be whole in so long, however steadily it drips: the largest then needs a line of 1 Mbit/s.
const LONGEST: Duration = Duration::from_secs(300);

/// Reads all of it, up to so many bytes, while callers are waited for.
pub(crate) async fn read(body: Body, most: usize, lifecycle: &Arc<Lifecycle>) -> Result<Bytes, Error> {
    tokio::select! {
        biased;
        read = timeout(LONGEST, collect(body, most)) => read.unwrap_or_else(|_| {
            let seconds = LONGEST.as_secs();
            Err(late(format!("the request body was not whole after {seconds} s: send the request again over a faster line, or a smaller one")))
        }),
        () = Arc::clone(lifecycle).impatient() => Err(Error::stopping(
            "the gateway is stopping and could not wait for the rest of the request: send the request again",
        )),
    }
}

async fn collect(body: Body, most: usize) -> Result<Bytes, Error> {
    let mut body = pin!(Limited::new(body, most));
    let mut pieces: Vec<Bytes> = Vec::new();
    loop {
        let Ok(next) = timeout(LONGEST_PAUSE, body.frame()).await else {
            let seconds = LONGEST_PAUSE.as_secs();
            return Err(late(format!(
                "nothing more of the request body came for {seconds} s: send the request again, \
                 with as many bytes as its content-length says"
            )));
        };
        match next {
            Some(Ok(frame)) => pieces.extend(frame.into_data().ok()),
            Some(Err(error)) if error.is::<LengthLimitError>() => {
                let message = format!("the request body is larger than {most} bytes");
                return Err(Error::new(StatusCode::PAYLOAD_TOO_LARGE, "request_too_large", message));
            }
            Some(Err(_)) => {
                return Err(Error::invalid("the request body broke off before its end".to_owned()));
            }
            None => break,
        }
    }
    Ok(match pieces.as_mut_slice() {
        [only] => std::mem::take(only),
        pieces => pieces.concat().into(),
    })
}

/// The caller took too long. What it still sends is not read, so the connection ends.
fn late(message: String) -> Error {
    Error::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", message).closing()
}

/// A small JSON object. No body at all is an empty one.
pub(crate) struct Word<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Word<T> {
    type Rejection = Plain;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Plain> {
        let body = read(request.into_body(), LARGEST_WORD, &app.lifecycle).await?;
        let body = if body.is_empty() { Bytes::from_static(b"{}") } else { body };
        let wrong = |error: serde_json::Error| Error::invalid(format!("the request body: {error}"));
        // By way of an object, since a struct would be read out of an array, too.
        let object: Map<String, Value> = serde_json::from_slice(&body).map_err(wrong)?;
        Ok(Self(serde_json::from_value(Value::Object(object)).map_err(wrong)?))
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, iter};

    use futures_util::{StreamExt as _, stream};
    use http::HeaderValue;
    use tokio::time::{Instant, sleep};

    use super::*;
    use crate::stop::Stage;

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
        let almost = LONGEST_PAUSE - second;
        assert_eq!(
            read_pieces(almost, ["a", "b", "c"].into_iter()).await,
            (200, "abc".to_owned(), almost * 3)
        );
        assert_eq!(read_pieces(second, iter::empty()).await, (200, String::new(), Duration::ZERO));

        let (status, text, after) = read_pieces(LONGEST_PAUSE + second, ["a", "b"].into_iter()).await;
        assert_eq!((status, after), (408, LONGEST_PAUSE), "{text}");
        let (status, text, after) = read_pieces(almost, iter::repeat("a")).await;
        assert_eq!((status, after), (408, LONGEST), "{text}");
        let (status, text, _) = read_pieces(Duration::ZERO, iter::repeat("a")).await;
        assert_eq!(status, 413, "{text}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_gateway_that_stops_waits_for_what_is_under_way_and_not_for_long() {
        let second = Duration::from_secs(1);
        for (pieces, expected) in [(vec!["a"], (200, second)), (vec!["a", "b", "c"], (503, second * 2))] {
            let lifecycle = Lifecycle::new();
            lifecycle.enter(Stage::Stopping);
            let (status, text, after) = read_pieces_from(&lifecycle, second, pieces.into_iter()).await;
            assert_eq!((status, after), expected, "{text}");
        }
    }
}
