//! The table of paths.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Extension, Request},
    response::Response,
    routing::{get, post},
};
use dialects::{Endpoint, OpenAiCall};
use http::{HeaderValue, Method, StatusCode, header, request::Parts};

use crate::{
    auth::Caller,
    dashboard, demo,
    error::{Error, dialect_of},
    events, front_door, gemini, health, inspect, models, openapi, operate, permits, scrape,
    state::App,
    stored_responses,
};

/// All paths but those of [`call_endpoint`]. Each request has a [`Caller`] among its extensions.
pub(crate) fn router(app: Arc<App>) -> Router {
    let demo = if app.fleet.demo.is_some() { demo::routes() } else { Router::new() };
    Router::new()
        .route("/v1/models", get(models::list))
        .route("/v1/models/{*name}", get(models::show).post(gemini::call))
        .route("/v1beta/models", get(models::list))
        .route("/v1beta/models/{*name}", get(models::show).post(gemini::call))
        .route(
            "/v1/responses/{*path}",
            get(stored_responses::forward).delete(stored_responses::forward).post(stored_responses::forward),
        )
        .route("/", get(front_door::root).options(front_door::root))
        .route("/api/hello", get(front_door::hello))
        .route("/livez", get(health::livez))
        .route("/health/liveliness", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/health/readiness", get(health::readyz))
        .route("/health", get(health::health))
        .route("/metrics", get(scrape::metrics))
        .route("/circuits", get(inspect::list))
        .route("/circuits/events", get(events::subscribe))
        .route("/circuits/{key}", get(inspect::show))
        .route("/circuits/{key}/history", get(inspect::history))
        .route("/circuits/{key}/open", post(operate::open))
        .route("/circuits/{key}/close", post(operate::close))
        .route("/circuits/{key}/reset", post(operate::reset))
        .route("/circuits/{key}/permits", post(permits::acquire))
        .route("/circuits/{key}/permits/{permit}", post(permits::report_outcome))
        .route("/circuits/{key}/permits/{permit}/renew", post(permits::renew))
        .route("/openapi.json", get(openapi::document))
        .merge(dashboard::routes())
        .merge(demo)
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(app)
}

/// The endpoints whose body names the model, besides OpenAI's calls that are no conversation. The most used comes first.
const MODEL_ENDPOINTS: [Endpoint; 6] = [
    Endpoint::ChatCompletions,
    Endpoint::Responses,
    Endpoint::ResponsesInputTokens,
    Endpoint::ResponsesCompact,
    Endpoint::Messages,
    Endpoint::CountTokens,
];

/// The endpoint with this path whose body names the model. It takes nothing but `POST`.
pub(crate) fn call_endpoint(path: &str) -> Option<Endpoint> {
    let openai_calls = OpenAiCall::ALL.into_iter().map(Endpoint::OpenAi);
    MODEL_ENDPOINTS.into_iter().chain(openai_calls).find(|endpoint| endpoint.path() == path)
}

/// The response to another method than `POST` at such an endpoint.
pub(crate) fn only_post(parts: &Parts, caller: &Caller) -> Response {
    let mut response = wrong_method(parts, caller);
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
    response
}

async fn not_found(Extension(caller): Extension<Caller>, request: Request) -> Response {
    let openai_calls: Vec<_> = OpenAiCall::ALL.into_iter().map(OpenAiCall::path).collect();
    let message = format!(
        "{} is not supported. Supported: {}, {}, {}, {}, {}, /v1/models; GET /openapi.json lists all paths",
        request.uri().path(),
        Endpoint::ChatCompletions.path(),
        Endpoint::Responses.path(),
        Endpoint::Messages.path(),
        Endpoint::GenerateContent.path(),
        openai_calls.join(", "),
    );
    let dialect = dialect_of(request.uri().path(), request.headers());
    Error::new(StatusCode::NOT_FOUND, "not_found", message).respond(dialect, &caller.request_id)
}

async fn method_not_allowed(Extension(caller): Extension<Caller>, request: Request) -> Response {
    wrong_method(&request.into_parts().0, &caller)
}

fn wrong_method(parts: &Parts, caller: &Caller) -> Response {
    // Each path takes either GET or POST.
    let supported = match parts.method {
        Method::GET | Method::HEAD => "POST",
        Method::POST => "GET",
        _ => "the method in the allow header",
    };
    let message = format!("method not allowed; use {supported}");
    let dialect = dialect_of(parts.uri.path(), &parts.headers);
    Error::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
        .respond(dialect, &caller.request_id)
}
