//! `GET /openapi.json`: the description of the API. It is edited manually; tests drive the gateway from it.

use axum::response::{IntoResponse, Response};
use http::header;

const OPENAPI_DOCUMENT: &str = include_str!("openapi.json");

/// The description.
pub(crate) async fn document() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI_DOCUMENT).into_response()
}
