//! `POST /v1/chat/completions` and `POST /v1/messages`.

use std::sync::Arc;

use axum::{
    extract::{Extension, Request, State},
    response::Response,
};
use dialects::Endpoint;
use http::{HeaderMap, StatusCode};
use manager::{Call, FaultInjection};

use crate::{
    auth::Caller,
    body,
    error::Error,
    headers,
    keys::Role,
    response::{respond, respond_buffered},
    state::App,
};

/// OpenAI Chat Completions.
pub(crate) async fn chat_completions(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Response {
    handle(&app, Endpoint::ChatCompletions, &caller, request).await
}

/// Anthropic Messages.
pub(crate) async fn messages(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Response {
    handle(&app, Endpoint::Messages, &caller, request).await
}

async fn handle(app: &App, endpoint: Endpoint, caller: &Caller, request: Request) -> Response {
    let dialect = endpoint.dialect();
    let Some(in_flight) = app.lifecycle.try_start_call() else {
        return Error::shutting_down().respond(dialect, &caller.request_id);
    };
    let result = async {
        let call = read_call(app, endpoint, caller, request).await?;
        app.manager.call(call).await.map_err(Error::from)
    };
    let result = tokio::select! {
        biased;
        result = result => result,
        () = Arc::clone(&app.lifecycle).abort_started() => Err(Error::shutting_down()),
    };
    match result {
        Ok(manager::Response::Reply(reply)) => respond(dialect, reply, &caller.request_id, in_flight),
        Ok(manager::Response::Buffered(events)) => {
            respond_buffered(dialect, events, &caller.request_id, in_flight)
        }
        Err(error) => error.respond(dialect, &caller.request_id),
    }
}

async fn read_call(app: &App, endpoint: Endpoint, caller: &Caller, request: Request) -> Result<Call, Error> {
    let (parts, body) = request.into_parts();
    let fallback_allowed = fallback_allowed(&parts.headers)?;
    let fault_injection = fault_injection(&parts.headers, caller.role)?;
    let body = body::read(body, app.max_body_bytes, &app.lifecycle).await?;
    let request = dialects::Request::parse(endpoint, body)
        .map_err(|error| Error::invalid_request(error.to_string()))?;
    let id = caller.request_id.to_str().unwrap_or_default().to_owned();
    Ok(Call {
        id,
        request,
        headers: parts.headers,
        fallback: fallback_allowed,
        injected_fault: fault_injection,
    })
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
