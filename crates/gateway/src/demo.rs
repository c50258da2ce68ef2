//! `POST /demo/providers/{name}/break` and `/heal`: only where the gateway belongs to a demonstration.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, State},
    routing::post,
};
use http::StatusCode;

use crate::{
    error::{ApiError, Error},
    fleet::DemoReport,
    path_params::RequireAdmin,
    state::App,
};

/// The paths of a demonstration.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/demo/providers/{name}/break", post(break_provider))
        .route("/demo/providers/{name}/heal", post(heal_provider))
}

async fn break_provider(
    State(app): State<Arc<App>>,
    _: RequireAdmin,
    Path(name): Path<String>,
) -> Result<Json<DemoReport>, ApiError> {
    set_broken(&app, &name, true)
}

async fn heal_provider(
    State(app): State<Arc<App>>,
    _: RequireAdmin,
    Path(name): Path<String>,
) -> Result<Json<DemoReport>, ApiError> {
    set_broken(&app, &name, false)
}

fn set_broken(app: &App, name: &str, broken: bool) -> Result<Json<DemoReport>, ApiError> {
    let done = app.fleet.demo.as_ref().is_some_and(|demo| demo.set_broken(name, broken));
    let report = app.fleet.demo_report().filter(|_| done);
    let not_found = || {
        let message = "no such provider: GET /circuits lists those of this demo".to_owned();
        Error::new(StatusCode::NOT_FOUND, "not_found", message)
    };
    Ok(Json(report.ok_or_else(not_found)?))
}
