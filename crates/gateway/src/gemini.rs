//! Gemini's paths: the model and the method stand in the last segment, `MODEL:generateContent`.

use std::sync::Arc;

use axum::{
    extract::{Extension, Path, Request, State},
    response::Response,
};
use dialects::{Dialect, Endpoint};
use http::StatusCode;

use crate::{
    auth::Caller,
    calls::{PathModel, handle},
    error::Error,
    present_headers::PresentHeaders,
    response::with_all_headers,
    state::App,
};

/// `POST /v1beta/models/{model}:{method}`, also under `/v1`.
pub(crate) async fn call(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(target): Path<String>,
    request: Request,
) -> Response {
    let wants_sse = request.uri().query().is_some_and(|query| query.split('&').any(|pair| pair == "alt=sse"));
    let Some((model, method)) = target.rsplit_once(':') else {
        return not_found(&caller, &target);
    };
    let (endpoint, stream) = match method {
        "generateContent" => (Endpoint::GenerateContent, false),
        "streamGenerateContent" => (Endpoint::GenerateContent, true),
        "countTokens" => (Endpoint::GeminiCountTokens, false),
        _ => return not_found(&caller, &target),
    };
    let path_model = PathModel { model: model.to_owned(), stream, json_array: stream && !wants_sse };
    let (mut parts, mut body) = request.into_parts();
    let present = PresentHeaders::of(&parts.headers);
    let path_model = Some(path_model);
    with_all_headers(handle(&app, endpoint, &caller, &mut parts, present, &mut body, path_model).await)
}

fn not_found(caller: &Caller, target: &str) -> Response {
    let message = format!(
        "models/{target} is not supported; use models/MODEL with :generateContent, :streamGenerateContent or :countTokens"
    );
    Error::new(StatusCode::NOT_FOUND, "not_found", message).respond(Dialect::Gemini, &caller.request_id)
}
