//! `POST /v1/chat/completions` and `POST /v1/messages`.

use std::sync::Arc;

use axum::{
    extract::{Extension, Request, State},
    response::Response,
};
use dialects::Endpoint;
use http::{HeaderMap, StatusCode};
use manager::{Call, Drill};

use crate::{
    app::App,
    body,
    error::Error,
    gate::Caller,
    headers,
    keys::Role,
    reply::{respond, respond_held},
    stop::BROKEN_OFF,
};

/// OpenAI's.
pub(crate) async fn chat_completions(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Response {
    answer(&app, Endpoint::ChatCompletions, &caller, request).await
}

/// Anthropic's.
pub(crate) async fn messages(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Response {
    answer(&app, Endpoint::Messages, &caller, request).await
}

async fn answer(app: &App, endpoint: Endpoint, caller: &Caller, request: Request) -> Response {
    let dialect = endpoint.dialect();
    let Some(running) = app.lifecycle.begin_call() else {
        return Error::stopping("the gateway is stopping and takes no new calls: send the request again")
            .respond(dialect, &caller.id);
    };
    let reply = async {
        let call = read(app, endpoint, caller, request).await?;
        app.manager.call(call).await.map_err(Error::from)
    };
    let reply = tokio::select! {
        biased;
        reply = reply => reply,
        () = Arc::clone(&app.lifecycle).over() => Err(Error::stopping(BROKEN_OFF)),
    };
    match reply {
        Ok(manager::Response::Answered(reply)) => respond(dialect, reply, &caller.id, running),
        Ok(manager::Response::Held(events)) => respond_held(dialect, events, &caller.id, running),
        Err(error) => error.respond(dialect, &caller.id),
    }
}

async fn read(app: &App, endpoint: Endpoint, caller: &Caller, request: Request) -> Result<Call, Error> {
    let (parts, body) = request.into_parts();
    let fallback = fallback(&parts.headers)?;
    let drill = drill(&parts.headers, caller.role)?;
    let body = body::read(body, app.max_body, &app.lifecycle).await?;
    let request =
        dialects::Request::parse(endpoint, body).map_err(|error| Error::invalid(error.to_string()))?;
    let id = caller.id.to_str().unwrap_or_default().to_owned();
    Ok(Call { id, request, headers: parts.headers, fallback, drill })
}

/// `x-switchboard-fallback`: on unless `off`.
fn fallback(headers: &HeaderMap) -> Result<bool, Error> {
    match headers.get(headers::FALLBACK).map(|value| value.as_bytes().to_ascii_lowercase()).as_deref() {
        None | Some(b"on") => Ok(true),
        Some(b"off") => Ok(false),
        Some(_) => Err(Error::invalid(format!("the header {} takes on or off", headers::FALLBACK))),
    }
}

/// `x-switchboard-fault`: an administrator's drill.
fn drill(headers: &HeaderMap, role: Role) -> Result<Option<Drill>, Error> {
    let Some(value) = headers.get(headers::FAULT) else { return Ok(None) };
    if role < Role::Admin {
        let message = format!("the header {} needs an admin key", headers::FAULT);
        return Err(Error::new(StatusCode::FORBIDDEN, "admin_key_required", message));
    }
    let drill = value.to_str().unwrap_or_default().parse();
    drill.map(Some).map_err(|error: manager::DrillError| {
        Error::invalid(format!("the header {}: {error}", headers::FAULT))
    })
}
