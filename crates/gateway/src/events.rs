//! `GET /circuits/events`: the changes of circuits, live, as server-sent events.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{Extension, State},
    response::Response,
};
use bytes::Bytes;
use futures_util::{FutureExt as _, stream};
use http::HeaderMap;
use tokio::time::sleep;

use crate::{auth::Caller, headers, response::set_event_stream_headers, state::App};

/// The interval of comments that keep an idle stream alive.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// A comment, which clients ignore.
const KEEP_ALIVE_COMMENT: Bytes = Bytes::from_static(b": keep-alive\n\n");

/// The first field of a stream: the delay before a client reconnects, in ms.
const RETRY_FIELD: Bytes = Bytes::from_static(b"retry: 1000\n\n");

/// Streams the events after `Last-Event-ID`, if the client sends one, else from now on; until its key is revoked (Q5).
pub(crate) async fn subscribe(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Response {
    let last_event_id = headers.get(headers::LAST_EVENT_ID).and_then(|id| id.to_str().ok());
    app.fleet.refresh().await;
    let subscription = app.feed.subscribe(last_event_id, caller.role);
    // A stream that ends early loses nothing: the client reconnects, to another instance.
    let shutdown = Arc::clone(&app.lifecycle).shutdown_started();
    let revoked = Arc::clone(&app.keys).revoked(caller.key);
    let end = async move {
        tokio::select! {
            () = shutdown => {}
            () = revoked => {}
        }
    }
    .boxed();
    let events = stream::unfold((subscription, end), async |(mut subscription, mut end)| {
        let event = tokio::select! {
            biased;
            () = &mut end => return None,
            event = subscription.next() => event?,
            () = sleep(KEEP_ALIVE_INTERVAL) => KEEP_ALIVE_COMMENT,
        };
        Some((Ok::<_, Infallible>(event), (subscription, end)))
    });
    let first = stream::once(async { Ok::<_, Infallible>(RETRY_FIELD) });
    let mut response = Response::new(Body::from_stream(futures_util::StreamExt::chain(first, events)));
    set_event_stream_headers(response.headers_mut());
    response
}
