//! From a request to its response.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use jiff::Timestamp;
use serde::Deserialize;
use tokio::time::Instant;

use crate::behaviour::Behaviour;
use crate::dialect::Dialect;
use crate::playback::{Abort, Body, play};
use crate::response::{Outcome, ScriptedResponse, SimulatedCall};
use crate::response_spec::ResponseSpec;
use crate::shared::Shared;
use crate::traffic::{InFlightCall, ReceivedRequest};

/// The fields of a request's body that matter here; both API formats use the same names.
#[derive(Deserialize)]
struct RequestFields<'a> {
    #[serde(borrow)]
    model: Cow<'a, str>,
    stream: Option<bool>,
    /// Only in OpenAI's format.
    n: Option<u8>,
    stream_options: Option<StreamOptions>,
}

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

/// Serves one request, or fails if the connection must end without a response.
pub(crate) async fn serve(shared: &Shared, request: Request<Incoming>) -> Result<Response<Body>, Abort> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Abort::Close)?.to_bytes();
    let number = shared.next_number();
    let dialect = match (&head.method, head.uri.path()) {
        (&Method::POST, "/v1/chat/completions") => Dialect::OpenAi,
        (&Method::POST, "/v1/messages") => Dialect::Anthropic,
        (&Method::GET, "/v1/models") => return Ok(list_models(shared, head, body, number)),
        (method, path) => {
            let message = format!("the simulator has no {method} {path}");
            let rejection = ScriptedResponse::invalid_request(
                Dialect::from_headers(&head.headers),
                StatusCode::NOT_FOUND,
                number,
                message,
            );
            record_request(shared, head, body, None);
            return Ok(play(rejection, None, shared.shutdown_signal()));
        }
    };
    handle_call(shared, dialect, head, body, number).await
}

fn list_models(shared: &Shared, head: Parts, body: Bytes, number: u64) -> Response<Body> {
    let dialect = Dialect::from_headers(&head.headers);
    let response = match check_key(shared, dialect, &head.headers) {
        Ok(()) => ScriptedResponse::from_json(&dialect.models(shared.scripted_models())),
        Err(message) => ScriptedResponse::invalid_request(dialect, StatusCode::UNAUTHORIZED, number, message),
    };
    record_request(shared, head, body, None);
    play(response, None, shared.shutdown_signal())
}

async fn handle_call(
    shared: &Shared,
    dialect: Dialect,
    head: Parts,
    body: Bytes,
    number: u64,
) -> Result<Response<Body>, Abort> {
    let fields = serde_json::from_slice::<RequestFields<'_>>(&body);
    let Ok(fields) = fields else {
        // serde's message may quote the prompt.
        let message =
            "the request's body must be JSON with a model, and right types for stream, n and stream_options";
        let rejection =
            ScriptedResponse::invalid_request(dialect, StatusCode::BAD_REQUEST, number, message.into());
        record_request(shared, head, body.clone(), None);
        return Ok(play(rejection, None, shared.shutdown_signal()));
    };
    let checked = check_head(shared, dialect, &head.headers);
    record_request(shared, head, body.clone(), Some(&fields.model));
    let call = shared.recorder.start_call(&fields.model);
    let behaviour = checked.and_then(|()| {
        let script = shared.next_behaviour(&fields.model);
        script.map_err(|unknown| (StatusCode::NOT_FOUND, unknown.to_string()))
    });
    match behaviour {
        Ok(behaviour) => {
            run_behaviour(
                shared,
                &build_call(dialect, &fields, number, body.len(), &behaviour),
                &behaviour,
                call,
            )
            .await
        }
        Err((status, message)) => {
            let rejection = ScriptedResponse::invalid_request(dialect, status, number, message);
            Ok(play(rejection, Some(call), shared.shutdown_signal()))
        }
    }
}

fn build_call<'a>(
    dialect: Dialect,
    fields: &'a RequestFields<'_>,
    number: u64,
    body_length: usize,
    behaviour: &Behaviour,
) -> SimulatedCall<'a> {
    let include_usage = fields.stream_options.as_ref().and_then(|options| options.include_usage);
    let response = ResponseSpec {
        number,
        created: Timestamp::now().as_second(),
        model: &fields.model,
        words: behaviour.words,
        // About four bytes a token.
        prompt_tokens: body_length / 4,
        include_usage: include_usage.unwrap_or(false),
        choices: fields.n.unwrap_or(1).max(1),
    };
    SimulatedCall { dialect, stream: fields.stream.unwrap_or(false), response }
}

async fn run_behaviour(
    shared: &Shared,
    simulated: &SimulatedCall<'_>,
    behaviour: &Behaviour,
    call: InFlightCall,
) -> Result<Response<Body>, Abort> {
    if !behaviour.latency.is_zero() {
        tokio::time::sleep(behaviour.latency).await;
    }
    match simulated.respond(behaviour) {
        Outcome::Response(response) => Ok(play(response, Some(call), shared.shutdown_signal())),
        Outcome::Hang => {
            shared.shutdown_signal().triggered().await;
            call.finish();
            Err(Abort::Close)
        }
        Outcome::Reset => {
            call.finish();
            Err(Abort::Reset)
        }
    }
}

fn record_request(shared: &Shared, head: Parts, body: Bytes, model: Option<&str>) {
    if shared.record_requests {
        shared.recorder.record_request(ReceivedRequest {
            at: Instant::now(),
            path: head.uri.path().to_owned(),
            headers: head.headers,
            body,
            model: model.map(str::to_owned),
        });
    }
}

fn check_head(shared: &Shared, dialect: Dialect, headers: &HeaderMap) -> Result<(), (StatusCode, String)> {
    check_key(shared, dialect, headers).map_err(|message| (StatusCode::UNAUTHORIZED, message))?;
    if dialect == Dialect::Anthropic && !headers.contains_key("anthropic-version") {
        return Err((StatusCode::BAD_REQUEST, "anthropic-version: header is required".to_owned()));
    }
    Ok(())
}

fn check_key(shared: &Shared, dialect: Dialect, headers: &HeaderMap) -> Result<(), String> {
    let bearer = headers.get(AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    let api_key = headers.get("x-api-key").map(http::HeaderValue::as_bytes);
    let sent = match dialect {
        Dialect::OpenAi => bearer,
        Dialect::Anthropic => api_key.or(bearer),
    };
    if shared.accepts_key(sent) { Ok(()) } else { Err("the API key is missing or not right".to_owned()) }
}
