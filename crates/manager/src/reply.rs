//! The reply to a call, made of how the loop over the chain has ended.

use std::sync::{Arc, atomic::Ordering};

use dialects::{Dialect, ResponseMeta};
use http::HeaderMap;
use providers::CompleteResponse;

use crate::{
    Body, Call, CallError, Chain, ChainModel, Events, Reply, SkippedModel, Translated,
    attempt::StartedStream,
    call_log::CallLog,
    outcome::REJECTED_BY_PROVIDER,
    relay::{BufferedEvents, Relay},
    stored::StoredResponses,
};

/// The result of the loop.
pub(crate) enum CallOutcome {
    /// A model's response, in one piece.
    Response { index: usize, response: Box<CompleteResponse>, translated: Option<Box<Translated>> },
    /// A provider's rejection of the request.
    Rejected { index: usize, response: Box<CompleteResponse>, translated: Option<Box<Translated>> },
    /// A model's stream, which has started.
    Stream { index: usize, started: Box<StartedStream> },
    /// A buffered stream, complete.
    Buffered { index: usize, started: Box<StartedStream> },
    /// No response.
    Error(Box<CallError>),
}

impl CallOutcome {
    /// No response, for this reason.
    pub(crate) fn error(error: CallError) -> Self {
        Self::Error(Box::new(error))
    }
}

/// Builds the reply and logs the call.
pub(crate) fn finish(
    (outcome, skipped): (CallOutcome, Vec<SkippedModel>),
    chain: &Arc<Chain>,
    call: &Call,
    stored: &StoredResponses,
    mut log: Box<CallLog>,
) -> Result<Reply, CallError> {
    let attempts = log.attempts().load(Ordering::Relaxed);
    let dialect = call.request.endpoint().dialect();
    let mut answered_by =
        |index: usize, meta: &ResponseMeta, headers: &HeaderMap, translated: Option<&Translated>| {
            let model = ChainModel::new(Arc::clone(chain), index);
            log.set_answered_by(model.clone(), meta);
            log.set_upstream_request(headers);
            log.set_translated(translated);
            if let (Dialect::OpenAiResponses, None, Some(id)) = (dialect, translated, &meta.id) {
                stored.remember(id, model.provider());
            }
            model
        };
    match outcome {
        CallOutcome::Error(error) => {
            log.finish(error.code());
            Err(*error)
        }
        CallOutcome::Response { index, response, translated } => {
            let answered_by = answered_by(index, &response.meta, &response.headers, translated.as_deref());
            log.finish_success(response.usage);
            Ok(Reply { answered_by, attempts, translated, skipped, body: Body::Complete(response) })
        }
        CallOutcome::Rejected { index, response, translated } => {
            let answered_by = answered_by(index, &response.meta, &response.headers, translated.as_deref());
            log.finish(REJECTED_BY_PROVIDER);
            Ok(Reply { answered_by, attempts, translated, skipped, body: Body::Complete(response) })
        }
        CallOutcome::Buffered { index, started } => {
            let StartedStream { buffered, memory, stream, guard, translated } = *started;
            let answered_by = answered_by(index, stream.meta(), stream.headers(), translated.as_deref());
            guard.succeeded(stream.usage());
            log.on_first_token();
            log.finish_success(stream.usage());
            let events = Events::buffered(buffered.into_vec(), memory);
            let body = stream_body(stream.headers().clone(), events, stream.has_events());
            Ok(Reply { answered_by, attempts, translated, skipped, body })
        }
        CallOutcome::Stream { index, started } => {
            let StartedStream { buffered, memory, stream, mut guard, translated } = *started;
            let answered_by = answered_by(index, stream.meta(), stream.headers(), translated.as_deref());
            guard.on_handoff();
            log.on_first_token();
            let (headers, has_events) = (stream.headers().clone(), stream.has_events());
            let relay = Relay {
                buffered: Some(BufferedEvents { events: buffered.into_vec().into_iter(), _memory: memory }),
                stream,
                dialect,
                json_array: call.request.json_array(),
                chain: Arc::clone(chain),
                guard,
                log,
            };
            let body = stream_body(headers, relay.into_events(), has_events);
            Ok(Reply { answered_by, attempts, translated, skipped, body })
        }
    }
}

const fn stream_body(headers: HeaderMap, events: Events, has_events: bool) -> Body {
    if has_events { Body::Stream { headers, events } } else { Body::Bytes { headers, bytes: events } }
}
