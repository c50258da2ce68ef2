//! How a model of the chain is called for a caller's request: as it came where the provider has the caller's API format
//! (T2), else translated (T1), if the request can be carried (T3).

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use dialects::{Dialect, Endpoint};
use translate::{CallerOptions, CallerRequest, RequestError, Translation, restore_envelopes};

use crate::{Call, ChainEntry, SkipReason, Translated};

/// A caller's request in the common form: read when the first model needs it, and once. Boxed: it stands in the future of
/// every call, and most calls need none.
#[derive(Debug, Default)]
pub(crate) struct SharedRequest(OnceLock<Result<Box<CallerRequest>, RequestError>>);

/// A request as a provider gets it.
#[derive(Debug)]
pub(crate) struct PreparedRequest {
    pub(crate) endpoint: Endpoint,
    pub(crate) body: Bytes,
    /// What follows it, of a form.
    pub(crate) tail: Option<Box<[Bytes; 2]>>,
    /// Whether the body asks for the stream's tokens, and the caller did not.
    pub(crate) withhold_usage: bool,
    /// The way back to the caller's API format, where that is another one.
    pub(crate) translation: Option<Box<Translation>>,
}

impl PreparedRequest {
    pub(crate) fn translated(&self) -> Option<Box<Translated>> {
        let translation = self.translation.as_ref()?;
        Some(Box::new(Translated {
            from: translation.caller(),
            to: translation.provider(),
            dropped: translation.dropped.clone(),
        }))
    }
}

/// A call that is no conversation, for a model that has it. Nothing of it is looked at but the model's name.
fn openai_call(call: &Call, model: &str, withhold_usage: bool) -> PreparedRequest {
    let endpoint = call.request.endpoint();
    if withhold_usage {
        let body = call.request.with_model_and_usage(model);
        return PreparedRequest { endpoint, body, tail: None, withhold_usage, translation: None };
    }
    let [body, second, third] = call.request.pieces_with_model(model);
    let tail = (!second.is_empty()).then(|| Box::new([second, third]));
    PreparedRequest { endpoint, body, tail, withhold_usage, translation: None }
}

/// The request for a model that has the caller's API format.
pub(crate) fn unchanged(call: &Call, entry: &ChainEntry) -> PreparedRequest {
    let endpoint = call.request.endpoint();
    let (dialect, model) = (endpoint.dialect(), entry.key.model());
    let withhold_usage = call.request.leaves_usage_open() && entry.provider.asks_for_stream_usage();
    if endpoint.openai_call().is_some() {
        return openai_call(call, model, withhold_usage);
    }
    let body = if entry.provider.names_model_in_path(dialect) {
        call.request.body().clone()
    } else if withhold_usage {
        call.request.with_model_and_usage(model)
    } else {
        call.request.with_model(model)
    };
    let target = entry.provider.target(dialect, model);
    let body = restore_envelopes(dialect, &body, &target).unwrap_or(body);
    PreparedRequest { endpoint, body, tail: None, withhold_usage, translation: None }
}

/// The request for a model of another API format; the reason if the model cannot answer it. `None`: the model has the
/// caller's format, and nothing stands against it. That costs nothing, so that an open circuit is skipped for nothing.
pub(crate) fn translated(
    call: &Call,
    shared: &SharedRequest,
    entry: &ChainEntry,
) -> Result<Option<PreparedRequest>, SkipReason> {
    let endpoint = call.request.endpoint();
    let dialect = endpoint.dialect();
    if entry.provider.serves(endpoint, entry.key.model()) {
        return Ok(None);
    }
    // What no model here can be asked is not read: it may well be right for the API that has this endpoint.
    if !entry.dialects().iter().any(|dialect| counterpart(endpoint, *dialect).is_some()) {
        return Err(SkipReason::UnsupportedApi);
    }
    let read = shared.0.get_or_init(|| CallerRequest::read(dialect, call.request.body()).map(Box::new));
    let request = read.as_ref().map_err(|error| SkipReason::UnreadableRequest(error.clone()))?;
    translate(call, request, entry).map(Some)
}

/// For the first of the provider's formats that can carry the request.
fn translate(
    call: &Call,
    request: &CallerRequest,
    entry: &ChainEntry,
) -> Result<PreparedRequest, SkipReason> {
    let mut refused = None;
    for &dialect in entry.dialects() {
        let Some(endpoint) = counterpart(call.request.endpoint(), dialect) else { continue };
        let target = entry.provider.target(dialect, entry.key.model());
        let translated = if endpoint.is_count() {
            request.translate_count(&target)
        } else {
            request.translate(&target, options(call))
        };
        match translated {
            Ok(translation) => {
                let body = translation.body.clone();
                let translation = Some(Box::new(translation));
                let (tail, withhold_usage) = (None, false);
                return Ok(PreparedRequest { endpoint, body, tail, withhold_usage, translation });
            }
            Err(reasons) => refused = refused.or(Some(reasons)),
        }
    }
    Err(refused.map_or(SkipReason::UnsupportedApi, SkipReason::CannotCarry))
}

/// The endpoint that does the same in another API format.
fn counterpart(endpoint: Endpoint, dialect: Dialect) -> Option<Endpoint> {
    match endpoint {
        _ if endpoint.is_generation() => Some(Endpoint::generation(dialect)),
        _ if endpoint.is_count() => Endpoint::count(dialect),
        _ => None,
    }
}

fn options(call: &Call) -> CallerOptions {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    CallerOptions {
        stream: call.request.stream(),
        json_array: call.request.json_array(),
        request_id: (*call.id).to_owned(),
        created: since_1970.as_secs(),
    }
}
