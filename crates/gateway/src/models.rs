//! `GET /v1/models`: the routes, and the models that stand in them.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Extension, Path, State},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use dialects::{Dialect, Endpoint, models};
use http::{HeaderMap, StatusCode, header};
use manager::Catalog;

use crate::{
    app::App,
    auth::Caller,
    error::{Error, dialect_of},
};

/// All of them.
pub(crate) async fn list(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    json(models::list(dialect_of("", &headers), app.manager.catalog().model_names()))
}

/// One of them.
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    let dialect = dialect_of("", &headers);
    if is_listed(&app.manager.catalog(), dialect, &name) {
        return json(models::one(dialect, &name));
    }
    let message = format!("{name} is no route and in no route: see GET /v1/models for what is");
    Error::new(StatusCode::NOT_FOUND, "unknown_model", message).respond(dialect, &caller.request_id)
}

/// Whether the name is in the list, in any of the spellings that a call may use.
fn is_listed(catalog: &Catalog, dialect: Dialect, name: &str) -> bool {
    let endpoint = match dialect {
        Dialect::OpenAiChat => Endpoint::ChatCompletions,
        Dialect::Anthropic => Endpoint::Messages,
    };
    catalog.resolve(endpoint, name).is_ok_and(|chain| catalog.model_names().contains(&chain.name()))
}

fn json(body: Bytes) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], Body::from(body)).into_response()
}
