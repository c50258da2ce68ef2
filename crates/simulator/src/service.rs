//! From a request to its response.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::request::Parts;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use crate::behaviour::Behaviour;
use crate::dialect::Dialect;
use crate::form;
use crate::history_check::{HistoryCheck, Refusal};
use crate::openai_call::{OpenAiCall, Wishes};
use crate::playback::{Abort, Body, play};
use crate::provider_error::Reason;
use crate::response::{Form, Outcome, ScriptedResponse, SimulatedCall};
use crate::response_spec::ResponseSpec;
use crate::route::{self, CallRoute, Route, query_value};
use crate::shared::Shared;
use crate::traffic::{InFlightCall, ReceivedRequest};

/// The fields of a request's body that matter here; all API formats but Gemini's use the same names.
#[derive(Deserialize)]
struct RequestFields<'a> {
    #[serde(borrow)]
    model: Option<Cow<'a, str>>,
    stream: Option<bool>,
    /// Only in chat completions.
    n: Option<u8>,
    stream_options: Option<StreamOptions>,
    /// Only in the Responses API.
    store: Option<bool>,
    #[serde(borrow)]
    previous_response_id: Option<Cow<'a, str>>,
    /// Only of embeddings.
    #[serde(borrow)]
    encoding_format: Option<Cow<'a, str>>,
    /// Only of speech.
    #[serde(borrow)]
    stream_format: Option<Cow<'a, str>>,
    /// The texts of a transcript; in a chat, an object.
    #[serde(skip)]
    response_format: Option<&'a str>,
}

impl<'a> RequestFields<'a> {
    /// Reads a body of JSON, or of a form.
    fn read(head: &Parts, body: &'a [u8]) -> Option<Self> {
        let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let Some(form) = content_type.and_then(|content_type| form::read_fields(content_type, body)) else {
            return serde_json::from_slice(body).ok();
        };
        let field = |name: &str| form.get(name).copied().map(Cow::Borrowed);
        Some(Self {
            model: field("model"),
            stream: form.get("stream").map(|stream| stream.eq_ignore_ascii_case("true")),
            n: None,
            stream_options: None,
            store: None,
            previous_response_id: None,
            encoding_format: None,
            stream_format: None,
            response_format: form.get("response_format").copied(),
        })
    }

    fn wishes(&self) -> Wishes {
        Wishes {
            base64: self.encoding_format.as_deref() == Some("base64"),
            text: matches!(self.response_format, Some("text" | "srt" | "vtt")),
        }
    }
}

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

/// A request that was read.
struct Received {
    head: Parts,
    body: Bytes,
    number: u64,
}

/// Serves one request, or fails if the connection must end without a response.
pub(crate) async fn serve(shared: &Shared, request: Request<Incoming>) -> Result<Response<Body>, Abort> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Abort::Close)?.to_bytes();
    let received = Received { head, body, number: shared.next_number() };
    let head = &received.head;
    let (dialect, answer) = match route::find(&head.method, &head.uri, &head.headers) {
        Route::Call(call) => return handle_call(shared, call, &received).await,
        Route::ListModels(dialect) => (dialect, Ok(dialect.models(shared.scripted_models()))),
        Route::GetResponse(id) => {
            (Dialect::Responses, shared.stored().get(id).cloned().ok_or_else(|| not_stored(id)))
        }
        Route::DeleteResponse(id) => {
            let deleted = json!({"id": id, "object": "response", "deleted": true});
            (Dialect::Responses, shared.stored().remove(id).then_some(deleted).ok_or_else(|| not_stored(id)))
        }
        Route::Unknown(dialect) => {
            let message = format!("the simulator has no {} {}", head.method, head.uri.path());
            (dialect, Err(Refusal { reason: Reason::Status(StatusCode::NOT_FOUND), message }))
        }
    };
    let response = match check_key(shared, dialect, head).and(answer) {
        Ok(body) => ScriptedResponse::from_json(&body),
        Err(refusal) => refused(dialect, refusal, received.number),
    };
    record_request(shared, &received, None);
    Ok(play(response, None, shared.shutdown_signal()))
}

fn not_stored(id: &str) -> Refusal {
    Refusal { reason: Reason::NotStored, message: format!("Response with id '{id}' not found.") }
}

fn refused(dialect: Dialect, refusal: Refusal, number: u64) -> ScriptedResponse {
    ScriptedResponse::invalid_request(dialect, refusal.reason, number, refusal.message)
}

async fn handle_call(
    shared: &Shared,
    route: CallRoute<'_>,
    received: &Received,
) -> Result<Response<Body>, Abort> {
    let fields = RequestFields::read(&received.head, &received.body);
    let default = route.openai_call.and_then(OpenAiCall::default_model);
    let model = |fields: &RequestFields<'_>| {
        let named = route.model.clone().or(fields.model.clone()).map(Cow::into_owned);
        named.or_else(|| default.map(str::to_owned))
    };
    let Some((model, fields)) = fields.and_then(|fields| Some((model(&fields)?, fields))) else {
        // serde's message may quote the prompt.
        let message =
            "the request's body must be JSON with a model, and right types for stream, n and stream_options";
        let reason = Reason::Status(StatusCode::BAD_REQUEST);
        let refusal = Refusal { reason, message: message.to_owned() };
        record_request(shared, received, None);
        let response = refused(route.dialect, refusal, received.number);
        return Ok(play(response, None, shared.shutdown_signal()));
    };
    record_request(shared, received, Some(&model));
    let call = shared.recorder.start_call(&model);
    let behaviour = check_request(shared, &route, &model, &fields, received).and_then(|()| {
        shared.next_behaviour(&model, &received.body).map_err(|unknown| Refusal {
            reason: Reason::Status(StatusCode::NOT_FOUND),
            message: unknown.to_string(),
        })
    });
    match behaviour {
        Ok(behaviour) => {
            let simulated = build_call(shared, &route, &model, &fields, received, &behaviour);
            run_behaviour(shared, &simulated, &behaviour, call).await
        }
        Err(refusal) => {
            let response = refused(route.dialect, refusal, received.number);
            Ok(play(response, Some(call), shared.shutdown_signal()))
        }
    }
}

fn build_call<'a>(
    shared: &'a Shared,
    route: &CallRoute<'_>,
    model: &'a str,
    fields: &'a RequestFields<'_>,
    received: &Received,
    behaviour: &'a Behaviour,
) -> SimulatedCall<'a> {
    let include_usage = fields.stream_options.as_ref().and_then(|options| options.include_usage);
    let response = ResponseSpec {
        number: received.number,
        created: Timestamp::now().as_second(),
        model,
        words: behaviour.words,
        content: &behaviour.content,
        // About four bytes a token.
        prompt_tokens: received.body.len() / 4,
        include_usage: include_usage.unwrap_or(false),
        choices: fields.n.unwrap_or(1).max(1),
        simulator: &shared.name,
        store: fields.store.unwrap_or(true),
        previous_response_id: fields.previous_response_id.as_deref(),
    };
    let in_body = match route.openai_call {
        Some(OpenAiCall::Speech) if fields.stream_format.as_deref() != Some("sse") => Form::Bytes,
        Some(OpenAiCall::Speech) => Form::EventStream,
        _ if fields.stream == Some(true) => Form::EventStream,
        _ => Form::Complete,
    };
    let openai_call = route.openai_call.map(|call| (call, fields.wishes()));
    SimulatedCall { dialect: route.dialect, openai_call, form: route.form.unwrap_or(in_body), response }
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
    if let Some((id, response)) = simulated.stored_response(behaviour) {
        shared.stored().insert(id, response);
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

fn record_request(shared: &Shared, received: &Received, model: Option<&str>) {
    if shared.record_requests {
        shared.recorder.record_request(ReceivedRequest {
            at: Instant::now(),
            path: received.head.uri.path().to_owned(),
            query: received.head.uri.query().map(str::to_owned),
            headers: received.head.headers.clone(),
            body: received.body.clone(),
            model: model.map(str::to_owned),
        });
    }
}

/// What a provider checks before its model sees the request.
fn check_request(
    shared: &Shared,
    route: &CallRoute<'_>,
    model: &str,
    fields: &RequestFields<'_>,
    received: &Received,
) -> Result<(), Refusal> {
    let dialect = route.dialect;
    if route.is_vertex {
        check_vertex_key(shared, &received.head)?;
        check_vertex_body(route, &received.body)?;
    } else {
        check_key(shared, dialect, &received.head)?;
    }
    if route.openai_call.is_some() {
        return Ok(());
    }
    if dialect == Dialect::Anthropic
        && !route.is_vertex
        && !received.head.headers.contains_key("anthropic-version")
    {
        let reason = Reason::Status(StatusCode::BAD_REQUEST);
        return Err(Refusal { reason, message: "anthropic-version: header is required".to_owned() });
    }
    if dialect == Dialect::Invoke {
        check_invoke_body(&received.body)?;
    }
    let previous = fields.previous_response_id.as_deref().filter(|_| dialect == Dialect::Responses);
    if let Some(id) = previous.filter(|id| shared.stored().get(id).is_none()) {
        let message = format!("Previous response with id '{id}' not found.");
        return Err(Refusal { reason: Reason::UnknownPreviousResponse, message });
    }
    let is_stored = |id: &str| shared.stored().contains_item(id);
    HistoryCheck { simulator: &shared.name, model, is_stored }.check(dialect, &received.body)
}

/// InvokeModel takes Anthropic's body with a version, without what the path says, and without automatic caching
/// (BerriAI/litellm#26320).
fn check_invoke_body(body: &[u8]) -> Result<(), Refusal> {
    let refused = |message: String| Err(Refusal { reason: Reason::Status(StatusCode::BAD_REQUEST), message });
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    if let Some(field) =
        ["model", "stream", "cache_control"].into_iter().find(|field| body.get(field).is_some())
    {
        return refused(format!("{field}: Extra inputs are not permitted"));
    }
    if body["anthropic_version"] != "bedrock-2023-05-31" {
        return refused("anthropic_version: Field required".to_owned());
    }
    Ok(())
}

/// Vertex AI takes a token, or an API key.
fn check_vertex_key(shared: &Shared, head: &Parts) -> Result<(), Refusal> {
    let header = |name: &str| head.headers.get(name).map(http::HeaderValue::as_bytes);
    let bearer = header(AUTHORIZATION.as_str()).and_then(|value| value.strip_prefix(b"Bearer "));
    if shared.accepts_key(bearer.or_else(|| header("x-goog-api-key"))) {
        return Ok(());
    }
    let message = "Request had invalid authentication credentials.".to_owned();
    Err(Refusal { reason: Reason::WrongKey, message })
}

/// Claude's body has a version instead of a model, and says itself that it wants a stream; Gemini's has roles.
fn check_vertex_body(route: &CallRoute<'_>, body: &[u8]) -> Result<(), Refusal> {
    let refused = |message: &str| {
        Err(Refusal { reason: Reason::Status(StatusCode::BAD_REQUEST), message: message.to_owned() })
    };
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    match route.dialect {
        // The header's oldest version has another name here.
        Dialect::Anthropic
            if body["anthropic_version"].as_str().is_none_or(|version| version == "2023-06-01") =>
        {
            refused("anthropic_version: Field required")
        }
        Dialect::Anthropic if route.model.is_some() && body.get("model").is_some() => {
            refused("model: Extra inputs are not permitted")
        }
        Dialect::Anthropic if (route.form == Some(Form::EventStream)) != (body["stream"] == true) => {
            refused("stream: does not fit the method")
        }
        Dialect::Gemini if body.get("generateContentRequest").is_some() => {
            refused("Unknown name \"generateContentRequest\": Cannot find field.")
        }
        Dialect::Gemini => {
            let contents = body["contents"].as_array().map(Vec::as_slice).unwrap_or_default();
            let is_known = |role: &serde_json::Value| matches!(role.as_str(), Some("user" | "model"));
            match contents.iter().all(|content| is_known(&content["role"])) {
                true => Ok(()),
                false => refused("Please use a valid role: user, model."),
            }
        }
        _ => Ok(()),
    }
}

fn check_key(shared: &Shared, dialect: Dialect, head: &Parts) -> Result<(), Refusal> {
    let header = |name: &str| head.headers.get(name).map(http::HeaderValue::as_bytes);
    let bearer = || header(AUTHORIZATION.as_str()).and_then(|value| value.strip_prefix(b"Bearer "));
    // Of a signature of AWS's only whose it is: `AWS4-HMAC-SHA256 Credential=ID/…`.
    let access_key = || {
        let credential = header(AUTHORIZATION.as_str())?.strip_prefix(b"AWS4-HMAC-SHA256 Credential=")?;
        credential.split(|byte| *byte == b'/').next()
    };
    let in_query = query_value(head.uri.query().unwrap_or_default(), "key");
    let sent = match dialect {
        // Azure's keys have a header of their own.
        Dialect::Chat | Dialect::Responses => bearer().or_else(|| header("api-key")),
        Dialect::Anthropic => header("x-api-key").or_else(bearer),
        Dialect::Converse | Dialect::Invoke => bearer().or_else(access_key),
        Dialect::Gemini => header("x-goog-api-key").or(in_query.as_deref().map(str::as_bytes)),
    };
    if shared.accepts_key(sent) {
        return Ok(());
    }
    Err(Refusal { reason: Reason::WrongKey, message: "the API key is missing or not right".to_owned() })
}
