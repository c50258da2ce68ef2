//! The endpoints that models are called by.

use std::{future::poll_fn, mem, pin::pin, task::Poll};

use dialects::{Dialect, Endpoint};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header, request::Parts};
use manager::{Call, FaultInjection, client_timeout};

use crate::{
    auth::Caller,
    body::{self, IncomingBody},
    client_backoff::ClientBackoff,
    decompress,
    error::Error,
    headers,
    keys::Role,
    present_headers::PresentHeaders,
    response::{respond, respond_buffered},
    response_body::ResponseBody,
    shutdown::InFlightGuard,
    state::App,
};

/// What Gemini says in the path.
#[derive(Debug)]
pub(crate) struct PathModel {
    pub(crate) model: String,
    pub(crate) stream: bool,
    /// The stream is wanted as a JSON array.
    pub(crate) json_array: bool,
}

/// Answers a call.
pub(crate) async fn handle(
    app: &App,
    endpoint: Endpoint,
    caller: &Caller,
    parts: &mut Parts,
    present: PresentHeaders,
    body: &mut IncomingBody,
    path_model: Option<PathModel>,
) -> Response<ResponseBody> {
    let dialect = endpoint.dialect();
    let in_flight = match start(app, caller) {
        Ok(in_flight) => in_flight,
        Err(error) => return reject(&error, dialect, caller),
    };
    let json_array = path_model.as_ref().is_some_and(|path| path.json_array);
    let backoff =
        if present.retry_count { ClientBackoff::of(&parts.headers) } else { ClientBackoff::Unknown };
    let mut result = pin!(async {
        let call = read_call(app, endpoint, caller, parts, present, body, path_model).await?;
        app.manager.call(call).await.map_err(|error| Error::of_call(&error, backoff))
    });
    let result = poll_fn(|context| match result.as_mut().poll(context) {
        Poll::Pending if in_flight.is_aborted() => Poll::Ready(Err(Error::shutting_down())),
        result => result,
    });
    let mut response = match result.await {
        Ok(manager::Response::Reply(reply)) => {
            respond(dialect, json_array, reply, &caller.request_id, in_flight)
        }
        Ok(manager::Response::Buffered(events)) => {
            respond_buffered(dialect, json_array, events, &caller.request_id, in_flight)
        }
        Err(error) => return reject(&error, dialect, caller),
    };
    if json_array {
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
    }
    response
}

#[cold]
fn reject(error: &Error, dialect: Dialect, caller: &Caller) -> Response<ResponseBody> {
    error.respond(dialect, &caller.request_id).map(ResponseBody::Other)
}

/// Counts the call, if it can be accepted.
fn start(app: &App, caller: &Caller) -> Result<InFlightGuard, Error> {
    let in_flight = app.lifecycle.try_start_call().ok_or_else(Error::shutting_down)?;
    let Some(key) = &caller.key else { return Ok(in_flight) };
    let connections = usize::try_from(app.metrics.connections.open.get()).unwrap_or(0);
    let Some(counted) = app.fair_share.try_start(key.name(), connections) else {
        let message = "half of the calls in flight are this key's; retry the request";
        return Err(Error::overloaded(message.to_owned()));
    };
    if counted.is_first {
        // The budget has to know of it before it needs any: then nobody else gets more than half.
        drop(app.manager.memory_budget().reservation(caller.name()));
    }
    Ok(in_flight.with_counted(Some(counted)))
}

async fn read_call(
    app: &App,
    endpoint: Endpoint,
    caller: &Caller,
    parts: &mut Parts,
    present: PresentHeaders,
    body: &mut IncomingBody,
    path_model: Option<PathModel>,
) -> Result<Call, Error> {
    let fallback = !present.fallback || fallback_allowed(&parts.headers)?;
    let injected_fault = if present.fault { fault_injection(&parts.headers, caller.role)? } else { None };
    let memory = || app.manager.memory_budget().reservation(caller.name());
    let coding = if present.content_encoding { decompress::take_coding(&mut parts.headers)? } else { None };
    let body = body::read_coded(coding, body, app.max_body_bytes, memory, &app.lifecycle).await?;
    let request = match path_model {
        Some(PathModel { model, stream, json_array }) => {
            dialects::Request::with_path_model(endpoint, body, model, stream, json_array)
        }
        None => match present.form.then(|| form_type(&parts.headers)).flatten() {
            Some(content_type) => dialects::Request::parse_form(endpoint, content_type, body),
            None => dialects::Request::parse(endpoint, body),
        },
    };
    let request = request.map_err(|error| Error::invalid_request(error.to_string()))?;
    let id = caller.request_id.to_str().unwrap_or_default().into();
    Ok(Call {
        id,
        caller: caller.name(),
        allowed_models: caller.allowed_models().cloned(),
        request,
        beta: parts.uri.query().is_some_and(|query| query.split('&').any(|pair| pair == "beta=true")),
        client_timeout: if present.timeout { client_timeout(&parts.headers) } else { None },
        headers: mem::take(&mut parts.headers),
        fallback,
        injected_fault,
    })
}

/// The `content-type` of a form with files.
fn form_type(headers: &HeaderMap) -> Option<&str> {
    let content_type = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    dialects::is_form(content_type).then_some(content_type)
}

/// `x-switchboard-fallback`: on unless `off`.
fn fallback_allowed(headers: &HeaderMap) -> Result<bool, Error> {
    match headers.get(headers::FALLBACK).map(|value| value.as_bytes().to_ascii_lowercase()).as_deref() {
        None | Some(b"on") => Ok(true),
        Some(b"off") => Ok(false),
        Some(_) => Err(Error::invalid_request(format!("header {}: expected on or off", headers::FALLBACK))),
    }
}

/// `x-switchboard-fault`: a fault that an administrator injects.
fn fault_injection(headers: &HeaderMap, role: Role) -> Result<Option<FaultInjection>, Error> {
    let Some(value) = headers.get(headers::FAULT) else { return Ok(None) };
    if role < Role::Admin {
        let message = format!("header {} needs an admin key", headers::FAULT);
        return Err(Error::new(StatusCode::FORBIDDEN, "admin_key_required", message));
    }
    let parsed = value.to_str().unwrap_or_default().parse();
    parsed.map(Some).map_err(|error: manager::FaultInjectionError| {
        Error::invalid_request(format!("header {}: {error}", headers::FAULT))
    })
}
