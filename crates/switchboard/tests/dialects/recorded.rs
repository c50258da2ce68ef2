//! A provider with recorded answers: what the simulator has no words for.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::{Router, body::Bytes, extract::State, http::Uri, response::IntoResponse};
use serde_json::{Value, json};

use crate::aws_stream;
use crate::bodies;
use crate::format::Format;

type Received = Arc<Mutex<HashMap<String, Vec<Value>>>>;

pub(crate) struct RecordedProvider {
    address: SocketAddr,
    received: Received,
}

impl RecordedProvider {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let received = Received::default();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&received));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, received }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn received_for(&self, model: &str) -> Vec<Value> {
        let received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        received.get(model).cloned().unwrap_or_default()
    }
}

async fn answer(State(received): State<Received>, uri: Uri, body: Bytes) -> impl IntoResponse {
    let body: Value = serde_json::from_slice(&body).unwrap();
    let in_path = uri.path().rsplit_once("/models/").and_then(|(_, model)| model.rsplit_once(':'));
    let in_path = in_path.or_else(|| uri.path().strip_prefix("/model/")?.rsplit_once('/'));
    let format = match uri.path() {
        "/v1/chat/completions" => Format::Chat,
        "/v1/responses" => Format::Responses,
        "/v1/messages" => Format::Messages,
        path if path.starts_with("/model/") => Format::Converse,
        _ => Format::Gemini,
    };
    let model =
        in_path.map_or_else(|| body["model"].as_str().unwrap().to_owned(), |(model, _)| model.to_owned());
    let is_stream = body["stream"] == true || uri.path().to_lowercase().contains("stream");
    let matter = model.split_once("-m-").unwrap().1.rsplitn(3, '-').last().unwrap();
    let plain = bodies::answer(format, matter).expect("a model of a recorded row");
    received.lock().unwrap_or_else(PoisonError::into_inner).entry(model).or_default().push(body);
    if is_stream && format == Format::Converse {
        ([("content-type", aws_stream::CONTENT_TYPE)], converse(&plain))
    } else if is_stream {
        ([("content-type", "text/event-stream")], stream_of(format, &plain).into_bytes())
    } else {
        ([("content-type", "application/json")], plain.to_string().into_bytes())
    }
}

/// The same answer as a stream.
fn stream_of(format: Format, plain: &Value) -> String {
    match format {
        Format::Chat => chat(plain),
        Format::Responses => responses(plain),
        Format::Messages => messages(plain),
        Format::Gemini => format!("data: {plain}\n\n"),
        Format::Converse => panic!("its stream is binary"),
    }
}

fn chat(plain: &Value) -> String {
    let choice = &plain["choices"][0];
    let chunk = |delta: Value, finish: &Value, usage: &Value| {
        let choices = if usage.is_null() {
            json!([{"index": 0, "delta": delta, "finish_reason": finish}])
        } else {
            json!([])
        };
        let chunk = json!({
            "id": plain["id"], "object": "chat.completion.chunk", "created": plain["created"], "model": plain["model"],
            "choices": choices, "usage": usage,
        });
        format!("data: {chunk}\n\n")
    };
    let null = &Value::Null;
    let content =
        json!({"content": choice["message"]["content"], "annotations": choice["message"]["annotations"]});
    [
        chunk(json!({"role": "assistant", "content": ""}), null, null),
        chunk(content, null, null),
        chunk(json!({}), &choice["finish_reason"], null),
        chunk(json!({}), null, &plain["usage"]),
        "data: [DONE]\n\n".to_owned(),
    ]
    .concat()
}

fn responses(plain: &Value) -> String {
    let mut begun = plain.clone();
    begun["status"] = json!("in_progress");
    begun["output"] = json!([]);
    begun["usage"] = Value::Null;
    let mut events = vec![json!({"type": "response.created", "response": begun})];
    for (at, item) in plain["output"].as_array().unwrap().iter().enumerate() {
        let id = &item["id"];
        let mut begun = item.clone();
        begun["status"] = json!("in_progress");
        begun["content"] = json!([]);
        events.push(json!({"type": "response.output_item.added", "output_index": at, "item": begun}));
        for (index, part) in item["content"].as_array().unwrap().iter().enumerate() {
            let place = |kind: &str, more: Value| {
                let mut event =
                    json!({"type": kind, "output_index": at, "content_index": index, "item_id": id});
                event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
                event
            };
            let begun = json!({"type": "output_text", "text": "", "annotations": []});
            events.push(place("response.content_part.added", json!({"part": begun})));
            events.push(place("response.output_text.delta", json!({"delta": part["text"], "logprobs": []})));
            for (number, annotation) in part["annotations"].as_array().unwrap().iter().enumerate() {
                let more = json!({"annotation": annotation, "annotation_index": number});
                events.push(place("response.output_text.annotation.added", more));
            }
            events.push(place("response.output_text.done", json!({"text": part["text"], "logprobs": []})));
            events.push(place("response.content_part.done", json!({"part": part})));
        }
        events.push(json!({"type": "response.output_item.done", "output_index": at, "item": item}));
    }
    let end = format!("response.{}", plain["status"].as_str().unwrap());
    events.push(json!({"type": end, "response": plain}));
    let numbered = events.iter_mut().enumerate().map(|(number, event)| {
        event["sequence_number"] = json!(number);
        format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap())
    });
    numbered.collect()
}

fn messages(plain: &Value) -> String {
    let mut start = plain.clone();
    start["content"] = json!([]);
    start["stop_reason"] = Value::Null;
    start["usage"]["output_tokens"] = json!(1);
    let mut events = vec![json!({"type": "message_start", "message": start})];
    for (index, block) in plain["content"].as_array().unwrap().iter().enumerate() {
        let mut begun = block.clone();
        let is_text = block["type"] == "text";
        if is_text {
            begun["text"] = json!("");
            begun["citations"] = Value::Null;
        }
        events.push(json!({"type": "content_block_start", "index": index, "content_block": begun}));
        let mut delta = |delta: Value| {
            events.push(json!({"type": "content_block_delta", "index": index, "delta": delta}));
        };
        if is_text {
            delta(json!({"type": "text_delta", "text": block["text"]}));
            for citation in block["citations"].as_array().into_iter().flatten() {
                delta(json!({"type": "citations_delta", "citation": citation}));
            }
        }
        events.push(json!({"type": "content_block_stop", "index": index}));
    }
    let delta = json!({"stop_reason": plain["stop_reason"], "stop_sequence": plain["stop_sequence"]});
    events.push(json!({"type": "message_delta", "delta": delta, "usage": plain["usage"]}));
    events.push(json!({"type": "message_stop"}));
    events
        .iter()
        .map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap()))
        .collect()
}

fn converse(plain: &Value) -> Vec<u8> {
    let mut stream = aws_stream::message("messageStart", &json!({"role": "assistant"}));
    let mut push = |name: &str, payload: &Value| stream.extend(aws_stream::message(name, payload));
    for (index, block) in plain["output"]["message"]["content"].as_array().unwrap().iter().enumerate() {
        let mut delta =
            |delta: Value| push("contentBlockDelta", &json!({"contentBlockIndex": index, "delta": delta}));
        let cited = &block["citationsContent"];
        for citation in cited["citations"].as_array().into_iter().flatten() {
            delta(json!({ "citation": citation }));
        }
        for part in cited["content"].as_array().into_iter().flatten() {
            delta(part.clone());
        }
        if !cited.is_object() {
            delta(block.clone());
        }
        push("contentBlockStop", &json!({ "contentBlockIndex": index }));
    }
    push("messageStop", &json!({"stopReason": plain["stopReason"]}));
    push("metadata", &json!({"usage": plain["usage"]}));
    stream
}
