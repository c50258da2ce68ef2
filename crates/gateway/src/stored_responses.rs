//! `/v1/responses/{id}` and below: what a provider has stored (T8). The provider that gave the id is asked, and no other.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Extension, Path, Request, State},
    response::Response,
};
use dialects::Dialect;

use crate::{auth::Caller, body, error::Error, state::App};

/// `GET`, `DELETE /v1/responses/{id}`, `POST …/cancel`, `GET …/input_items`.
pub(crate) async fn forward(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(path): Path<String>,
    request: Request,
) -> Response {
    match try_forward(&app, &caller, &path, request).await {
        Ok(response) => response,
        Err(error) => error.respond(Dialect::OpenAiResponses, &caller.request_id),
    }
}

async fn try_forward(app: &App, caller: &Caller, path: &str, request: Request) -> Result<Response, Error> {
    let (mut parts, mut request_body) = request.into_parts();
    let memory = || app.manager.memory_budget().reservation(caller.name());
    let request_body =
        body::read(&mut parts.headers, &mut request_body, app.max_body_bytes, memory, &app.lifecycle).await?;
    let path: Vec<_> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let stored = app
        .manager
        .stored_response(parts.method, &path, parts.uri.query(), &parts.headers, request_body)
        .await
        .map_err(Error::from)?;
    let mut response = Response::new(Body::from(stored.body));
    *response.status_mut() = stored.status;
    *response.headers_mut() = stored.headers;
    Ok(response)
}
