//! `GET /openapi.json`: what there is to ask, for people's tools. Kept by hand; tests drive the running gateway from it.

use axum::response::{IntoResponse, Response};
use http::header;

const OPENAPI_DOCUMENT: &str = include_str!("openapi.json");

/// The description.
pub(crate) async fn document() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI_DOCUMENT).into_response()
}
