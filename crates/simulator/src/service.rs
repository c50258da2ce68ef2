//! From a request to what its client meets.

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

use crate::answer::{Answer, Asked, Outcome};
use crate::behaviour::Behaviour;
use crate::dialect::{Dialect, Reply};
use crate::playback::{Abort, Body, play};
use crate::seen::{Call, Received};
use crate::shared::Shared;

/// The fields of a request's body that matter here; both dialects name them alike.
#[derive(Deserialize)]
struct Ask<'a> {
    #[serde(borrow)]
    model: Cow<'a, str>,
    stream: Option<bool>,
    /// OpenAI's alone.
    n: Option<u8>,
    stream_options: Option<StreamOptions>,
}

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

/// Answers one request, or fails where the connection is to be given up without a word.
pub(crate) async fn serve(shared: &Shared, request: Request<Incoming>) -> Result<Response<Body>, Abort> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Abort::Close)?.to_bytes();
    let number = shared.next_number();
    let dialect = match (&head.method, head.uri.path()) {
        (&Method::POST, "/v1/chat/completions") => Dialect::OpenAi,
        (&Method::POST, "/v1/messages") => Dialect::Anthropic,
        (&Method::GET, "/v1/models") => return Ok(models(shared, head, body, number)),
        (method, path) => {
            let told = format!("the simulator has no {method} {path}");
            let rejection =
                Answer::rejection(Dialect::of(&head.headers), StatusCode::NOT_FOUND, number, told);
            record(shared, head, body, None);
            return Ok(play(rejection, None, shared.stopping()));
        }
    };
    call(shared, dialect, head, body, number).await
}

fn models(shared: &Shared, head: Parts, body: Bytes, number: u64) -> Response<Body> {
    let dialect = Dialect::of(&head.headers);
    let answer = match check_key(shared, dialect, &head.headers) {
        Ok(()) => Answer::json(&dialect.models(shared.scripted_models())),
        Err(told) => Answer::rejection(dialect, StatusCode::UNAUTHORIZED, number, told),
    };
    record(shared, head, body, None);
    play(answer, None, shared.stopping())
}

async fn call(
    shared: &Shared,
    dialect: Dialect,
    head: Parts,
    body: Bytes,
    number: u64,
) -> Result<Response<Body>, Abort> {
    let ask = serde_json::from_slice::<Ask<'_>>(&body);
    let Ok(ask) = ask else {
        // What serde says may quote the prompt.
        let told =
            "the request's body must be JSON with a model, and right types for stream, n and stream_options";
        let rejection = Answer::rejection(dialect, StatusCode::BAD_REQUEST, number, told.into());
        record(shared, head, body.clone(), None);
        return Ok(play(rejection, None, shared.stopping()));
    };
    let checked = check_head(shared, dialect, &head.headers);
    record(shared, head, body.clone(), Some(&ask.model));
    let call = shared.journal.call_begins(&ask.model);
    let behaviour = checked.and_then(|()| {
        let script = shared.next_behaviour(&ask.model);
        script.map_err(|unknown| (StatusCode::NOT_FOUND, unknown.to_string()))
    });
    match behaviour {
        Ok(behaviour) => {
            perform(shared, &asked(dialect, &ask, number, body.len(), &behaviour), &behaviour, call).await
        }
        Err((status, told)) => {
            let rejection = Answer::rejection(dialect, status, number, told);
            Ok(play(rejection, Some(call), shared.stopping()))
        }
    }
}

fn asked<'a>(
    dialect: Dialect,
    ask: &'a Ask<'_>,
    number: u64,
    body_length: usize,
    behaviour: &Behaviour,
) -> Asked<'a> {
    let include_usage = ask.stream_options.as_ref().and_then(|options| options.include_usage);
    let reply = Reply {
        number,
        created: Timestamp::now().as_second(),
        model: &ask.model,
        words: behaviour.words,
        // About four bytes a token.
        prompt_tokens: body_length / 4,
        include_usage: include_usage.unwrap_or(false),
        choices: ask.n.unwrap_or(1).max(1),
    };
    Asked { dialect, stream: ask.stream.unwrap_or(false), reply }
}

async fn perform(
    shared: &Shared,
    asked: &Asked<'_>,
    behaviour: &Behaviour,
    call: Call,
) -> Result<Response<Body>, Abort> {
    if !behaviour.latency.is_zero() {
        tokio::time::sleep(behaviour.latency).await;
    }
    match asked.meet(behaviour) {
        Outcome::Answer(answer) => Ok(play(answer, Some(call), shared.stopping())),
        Outcome::Hang => {
            shared.stopping().wait().await;
            call.finish();
            Err(Abort::Close)
        }
        Outcome::Reset => {
            call.finish();
            Err(Abort::Reset)
        }
    }
}

fn record(shared: &Shared, head: Parts, body: Bytes, model: Option<&str>) {
    if shared.record {
        shared.journal.record(Received {
            at: Instant::now(),
            path: head.uri.path().to_owned(),
            headers: head.headers,
            body,
            model: model.map(str::to_owned),
        });
    }
}

fn check_head(shared: &Shared, dialect: Dialect, headers: &HeaderMap) -> Result<(), (StatusCode, String)> {
    check_key(shared, dialect, headers).map_err(|told| (StatusCode::UNAUTHORIZED, told))?;
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
