//! `GET /circuits/events`: what becomes of the circuits, live, as server-sent events.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{body::Body, extract::State, response::Response};
use bytes::Bytes;
use futures_util::{FutureExt as _, stream};
use http::HeaderMap;
use tokio::time::sleep;

use crate::{app::App, headers, response::set_event_stream_headers};

/// So often a stream says that it is there when nothing happens.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// A comment, which clients pass over.
const KEEP_ALIVE_COMMENT: Bytes = Bytes::from_static(b": still here\n\n");

/// What a client reads first: how long to wait before it comes back, in ms.
const RETRY_FIELD: Bytes = Bytes::from_static(b"retry: 1000\n\n");

/// From the event after `Last-Event-ID`, if the client names one.
pub(crate) async fn subscribe(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let last_event_id = headers.get(headers::LAST_EVENT_ID).and_then(|id| id.to_str().ok());
    let subscription = app.feed.subscribe(last_event_id);
    // Nothing is lost with a stream that ends: the client comes back, to whoever takes over.
    let shutdown = Arc::clone(&app.lifecycle).shutdown_started().boxed();
    let events = stream::unfold((subscription, shutdown), async |(mut listener, mut stopping)| {
        let event = tokio::select! {
            biased;
            () = &mut stopping => return None,
            event = listener.next() => event?,
            () = sleep(KEEP_ALIVE_INTERVAL) => KEEP_ALIVE_COMMENT,
        };
        Some((Ok::<_, Infallible>(event), (listener, stopping)))
    });
    let first = stream::once(async { Ok::<_, Infallible>(RETRY_FIELD) });
    let mut response = Response::new(Body::from_stream(futures_util::StreamExt::chain(first, events)));
    set_event_stream_headers(response.headers_mut());
    response
}
