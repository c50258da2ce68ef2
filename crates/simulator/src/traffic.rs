//! The traffic of a simulator, for assertions.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use tokio::sync::watch;
use tokio::time::Instant;

/// All traffic up to one moment.
#[derive(Clone, Debug, Default)]
pub struct TrafficSnapshot {
    calls: HashMap<String, usize>,
    received: Vec<Arc<ReceivedRequest>>,
    in_flight: usize,
    disconnected: usize,
    open_connections: usize,
}

/// One request as received, with or without a response.
#[derive(Clone)]
pub struct ReceivedRequest {
    /// When its last byte was received.
    pub at: Instant,
    /// The path, without the query.
    pub path: String,
    /// The query, if there is one.
    pub query: Option<String>,
    /// All headers, keys among them.
    pub headers: HeaderMap,
    /// The raw body.
    pub body: Bytes,
    /// The requested model, if the request names one.
    pub model: Option<String>,
}

impl fmt::Debug for ReceivedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceivedRequest")
            .field("at", &self.at)
            .field("path", &self.path)
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}

impl TrafficSnapshot {
    /// Calls to this model.
    #[must_use]
    pub fn calls(&self, model: &str) -> usize {
        self.calls.get(model).copied().unwrap_or(0)
    }

    /// Calls to any model.
    #[must_use]
    pub fn all_calls(&self) -> usize {
        self.calls.values().sum()
    }

    /// All requests in the order of arrival; empty if recording is off.
    #[must_use]
    pub fn received(&self) -> &[Arc<ReceivedRequest>] {
        &self.received
    }

    /// The requests for this model in the order of arrival; none if recording is off.
    pub fn received_for<'a>(&'a self, model: &'a str) -> impl Iterator<Item = &'a ReceivedRequest> {
        self.received.iter().map(Arc::as_ref).filter(move |received| received.model.as_deref() == Some(model))
    }

    /// Calls in flight.
    #[must_use]
    pub const fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Calls whose client disconnected before the end of the response.
    #[must_use]
    pub const fn disconnected(&self) -> usize {
        self.disconnected
    }

    /// Open connections.
    #[must_use]
    pub const fn open_connections(&self) -> usize {
        self.open_connections
    }
}

/// Records the traffic.
#[derive(Clone, Debug, Default)]
pub(crate) struct TrafficRecorder(Arc<watch::Sender<TrafficSnapshot>>);

impl TrafficRecorder {
    pub(crate) fn snapshot(&self) -> TrafficSnapshot {
        self.0.borrow().clone()
    }

    pub(crate) async fn wait_until(&self, mut condition: impl FnMut(&TrafficSnapshot) -> bool) {
        // The sender lives as long as this recorder, so waiting cannot fail.
        let _ = self.0.subscribe().wait_for(|traffic| condition(traffic)).await;
    }

    pub(crate) fn record_request(&self, received: ReceivedRequest) {
        self.0.send_modify(|traffic| traffic.received.push(Arc::new(received)));
    }

    pub(crate) fn start_call(&self, model: &str) -> InFlightCall {
        self.0.send_modify(|traffic| {
            traffic.in_flight += 1;
            match traffic.calls.get_mut(model) {
                Some(calls) => *calls += 1,
                None => {
                    traffic.calls.insert(model.to_owned(), 1);
                }
            }
        });
        InFlightCall { recorder: self.clone(), finished: false }
    }

    pub(crate) fn open_connection(&self) -> OpenConnection {
        self.0.send_modify(|traffic| traffic.open_connections += 1);
        OpenConnection(self.clone())
    }
}

/// A call in flight. Dropped without [`InFlightCall::finish`], its client has disconnected.
#[derive(Debug)]
pub(crate) struct InFlightCall {
    recorder: TrafficRecorder,
    finished: bool,
}

impl InFlightCall {
    pub(crate) fn finish(mut self) {
        self.finished = true;
    }
}

impl Drop for InFlightCall {
    fn drop(&mut self) {
        self.recorder.0.send_modify(|traffic| {
            traffic.in_flight -= 1;
            traffic.disconnected += usize::from(!self.finished);
        });
    }
}

/// A connection, for as long as it is open.
#[derive(Debug)]
pub(crate) struct OpenConnection(TrafficRecorder);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.0.send_modify(|traffic| traffic.open_connections -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finished_call_is_not_disconnected() {
        let recorder = TrafficRecorder::default();
        let call = recorder.start_call("m");
        assert_eq!(recorder.snapshot().in_flight(), 1);
        call.finish();
        drop(recorder.start_call("m"));
        let traffic = recorder.snapshot();
        assert_eq!((traffic.calls("m"), traffic.in_flight(), traffic.disconnected()), (2, 0, 1));
    }

    #[test]
    fn debug_output_shows_neither_key_nor_prompt() {
        let received = ReceivedRequest {
            at: Instant::now(),
            query: None,
            path: "/v1/messages".into(),
            headers: HeaderMap::from_iter([(http::header::AUTHORIZATION, "Bearer secret".parse().unwrap())]),
            body: Bytes::from_static(b"a secret prompt"),
            model: None,
        };
        assert!(!format!("{received:?}").contains("secret"));
    }
}
