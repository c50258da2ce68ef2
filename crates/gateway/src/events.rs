//! `GET /circuits/events`: what becomes of the circuits, live, as server-sent events.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{body::Body, extract::State, response::Response};
use bytes::Bytes;
use futures_util::{FutureExt as _, stream};
use http::HeaderMap;
use tokio::time::sleep;

use crate::{app::App, headers, reply::keep_unbuffered};

/// So often a stream says that it is there when nothing happens.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A comment, which clients pass over.
const COMMENT: Bytes = Bytes::from_static(b": still here\n\n");

/// What a client reads first: how long to wait before it comes back, in ms.
const RETRY: Bytes = Bytes::from_static(b"retry: 1000\n\n");

/// From the event after `Last-Event-ID`, if the client names one.
pub(crate) async fn listen(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let last = headers.get(headers::LAST_EVENT_ID).and_then(|id| id.to_str().ok());
    let listener = app.feed.listen(last);
    // Nothing is lost with a stream that ends: the client comes back, to whoever takes over.
    let stopping = Arc::clone(&app.lifecycle).stopping().boxed();
    let events = stream::unfold((listener, stopping), async |(mut listener, mut stopping)| {
        let event = tokio::select! {
            biased;
            () = &mut stopping => return None,
            event = listener.next() => event?,
            () = sleep(KEEP_ALIVE) => COMMENT,
        };
        Some((Ok::<_, Infallible>(event), (listener, stopping)))
    });
    let first = stream::once(async { Ok::<_, Infallible>(RETRY) });
    let mut response = Response::new(Body::from_stream(futures_util::StreamExt::chain(first, events)));
    keep_unbuffered(response.headers_mut());
    response
}
