//! What all handlers share, and the table of paths.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Extension, Request},
    middleware,
    response::Response,
    routing::{get, post},
};
use dialects::Endpoint;
use http::StatusCode;
use manager::ModelManager;

use crate::{
    Keys, calls, dashboard,
    error::{Error, dialect_of},
    events,
    feed::Feed,
    gate::{Caller, gate},
    health, inspect,
    lent::Lent,
    metrics::{self, Metrics},
    models, openapi, operate, permits,
    stop::Lifecycle,
};

/// What all handlers share.
pub(crate) struct App {
    pub(crate) manager: Arc<ModelManager>,
    pub(crate) keys: Keys,
    /// The largest request body that is taken, in bytes.
    pub(crate) max_body: usize,
    pub(crate) lifecycle: Arc<Lifecycle>,
    pub(crate) metrics: Metrics,
    pub(crate) feed: Arc<Feed>,
    pub(crate) lent: Arc<Lent>,
}

/// The table of paths.
pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route(Endpoint::ChatCompletions.path(), post(calls::chat_completions))
        .route(Endpoint::Messages.path(), post(calls::messages))
        .route("/v1/models", get(models::list))
        .route("/v1/models/{*name}", get(models::one))
        .route("/livez", get(health::alive))
        .route("/health/liveliness", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/health/readiness", get(health::ready))
        .route("/health", get(health::report))
        .route("/metrics", get(metrics::scrape))
        .route("/circuits", get(inspect::all))
        .route("/circuits/events", get(events::listen))
        .route("/circuits/{key}", get(inspect::one))
        .route("/circuits/{key}/history", get(inspect::history))
        .route("/circuits/{key}/open", post(operate::open))
        .route("/circuits/{key}/close", post(operate::close))
        .route("/circuits/{key}/reset", post(operate::reset))
        .route("/circuits/{key}/permits", post(permits::ask))
        .route("/circuits/{key}/permits/{permit}", post(permits::tell))
        .route("/openapi.json", get(openapi::describe))
        .merge(dashboard::paths())
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(Arc::clone(&app), gate))
        .with_state(app)
}

async fn unknown_path(Extension(caller): Extension<Caller>, request: Request) -> Response {
    let message = format!("there is no {} here", request.uri().path());
    let dialect = dialect_of(request.uri().path(), request.headers());
    Error::new(StatusCode::NOT_FOUND, "not_found", message).respond(dialect, &caller.id)
}

async fn wrong_method(Extension(caller): Extension<Caller>, request: Request) -> Response {
    let message = format!("{} does not take {}", request.uri().path(), request.method());
    let dialect = dialect_of(request.uri().path(), request.headers());
    Error::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message).respond(dialect, &caller.id)
}
