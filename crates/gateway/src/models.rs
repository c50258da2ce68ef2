//! `GET /v1/models`: the routes and their models.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Extension, Path, State},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use dialects::{Dialect, Endpoint, models};
use http::{HeaderMap, StatusCode, Uri, header};
use manager::Catalog;

use crate::{
    auth::Caller,
    error::{Error, dialect_of},
    state::App,
};

/// All routes and models that the caller may ask for.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let catalog = app.manager.catalog();
    json(models::list(dialect_of(uri.path(), &headers), allowed_names(&catalog, &caller)))
}

/// The names that this caller may ask for.
fn allowed_names<'a>(catalog: &'a Catalog, caller: &Caller) -> Vec<&'a str> {
    let mut names = catalog.model_names();
    if let Some(allowed) = caller.allowed_models() {
        names.retain(|name| allowed.allows(name));
    }
    names
}

/// One route or model.
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let dialect = dialect_of(uri.path(), &headers);
    if is_listed(&app.manager.catalog(), &caller, dialect, &name) {
        return json(models::one(dialect, &name));
    }
    let message = format!("unknown model or route `{name}`; see GET /v1/models");
    Error::new(StatusCode::NOT_FOUND, "unknown_model", message).respond(dialect, &caller.request_id)
}

/// Whether the list has this name, in any spelling that a call may use.
fn is_listed(catalog: &Catalog, caller: &Caller, dialect: Dialect, name: &str) -> bool {
    let endpoint = Endpoint::generation(dialect);
    let names = allowed_names(catalog, caller);
    catalog.resolve(endpoint, name).is_ok_and(|chain| names.contains(&chain.name()))
}

fn json(body: Bytes) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], Body::from(body)).into_response()
}
