//! Thinking, tool calls, finish reasons and token counts, in each API's own shape.

use serde_json::{Value, json};
use simulator::{Behaviour, Finish, Simulator, Usage};

use crate::client::{ALL_APIS, Api, body, data, events_of, http, json_of, request};

/// Not as a serialiser would write it.
const ARGUMENTS: &str = r#"{ "city": "Zürich",  "days": 1e2 }"#;

async fn simulator_with(behaviour: Behaviour) -> Simulator {
    let simulator = Simulator::start().await.unwrap();
    simulator.script("m", behaviour);
    simulator
}

fn thinking_and_calls() -> Behaviour {
    Behaviour::ok()
        .thinking("Let me see.", "1")
        .tool_call("get_weather", ARGUMENTS)
        .tool_call("get_time", "{}")
}

async fn plain_text(simulator: &Simulator, api: Api) -> String {
    let response = request(&http(), simulator, api, &body("m", false)).send().await.unwrap();
    response.text().await.unwrap()
}

async fn plain(simulator: &Simulator, api: Api) -> Value {
    serde_json::from_str(&plain_text(simulator, api).await).unwrap()
}

/// The data of all events but `[DONE]`.
async fn streamed(simulator: &Simulator, api: Api) -> Vec<Value> {
    let mut body = body("m", true);
    if api == Api::OpenAi {
        body["stream_options"] = json!({"include_usage": true});
    }
    let response = request(&http(), simulator, api, &body).send().await.unwrap();
    let (events, clean) = events_of(response).await;
    assert!(clean);
    events.iter().filter(|event| !event.ends_with("[DONE]")).map(|event| data(event)).collect()
}

fn joined<'a>(pieces: impl Iterator<Item = &'a Value>) -> String {
    pieces.filter_map(Value::as_str).collect()
}

#[tokio::test]
async fn chat_completions_have_reasoning_content_and_calls_in_pieces() {
    let simulator = simulator_with(thinking_and_calls()).await;
    let response = plain(&simulator, Api::OpenAi).await;
    let message = &response["choices"][0]["message"];
    assert_eq!(message["reasoning_content"], "Let me see.");
    assert_eq!(message["content"], "Hello from m.");
    assert_eq!(message["tool_calls"][0]["function"]["arguments"], ARGUMENTS);
    assert_eq!(response["choices"][0]["finish_reason"], "tool_calls");

    let chunks = streamed(&simulator, Api::OpenAi).await;
    let deltas = || chunks.iter().map(|chunk| &chunk["choices"][0]["delta"]);
    assert_eq!(joined(deltas().map(|delta| &delta["reasoning_content"])), "Let me see.");
    assert_eq!(joined(deltas().map(|delta| &delta["content"])), "Hello from m.");
    let pieces =
        |index: u64| deltas().map(|delta| &delta["tool_calls"][0]).filter(move |call| call["index"] == index);
    assert_eq!(joined(pieces(0).map(|call| &call["function"]["arguments"])), ARGUMENTS);
    assert!(pieces(0).count() > 3);
    assert_eq!(joined(pieces(0).map(|call| &call["function"]["name"])), "get_weather");
    assert_eq!(joined(pieces(1).map(|call| &call["function"]["name"])), "get_time");
    assert_ne!(joined(pieces(0).map(|call| &call["id"])), joined(pieces(1).map(|call| &call["id"])));
}

#[tokio::test]
async fn messages_have_blocks_one_after_the_other() {
    let simulator = simulator_with(thinking_and_calls()).await;
    let text = plain_text(&simulator, Api::Anthropic).await;
    assert!(text.contains(&format!("\"input\":{ARGUMENTS}")), "{text}");
    let response: Value = serde_json::from_str(&text).unwrap();
    let kinds = ["thinking", "text", "tool_use", "tool_use"];
    for (block, kind) in response["content"].as_array().unwrap().iter().zip(kinds) {
        assert_eq!(block["type"], kind);
    }
    assert_eq!(response["stop_reason"], "tool_use");

    let events = streamed(&simulator, Api::Anthropic).await;
    let mut open = None;
    for event in events.iter().filter(|event| event["index"].is_u64()) {
        match event["type"].as_str().unwrap() {
            "content_block_start" => assert_eq!(open.replace(event["index"].clone()), None),
            "content_block_stop" => assert_eq!(open.take().as_ref(), Some(&event["index"])),
            _ => assert_eq!(open.as_ref(), Some(&event["index"])),
        }
    }
    let deltas =
        |index: u64| events.iter().filter(move |event| event["index"] == index).map(|event| &event["delta"]);
    assert_eq!(joined(deltas(0).map(|delta| &delta["thinking"])), "Let me see.");
    assert_eq!(joined(deltas(0).map(|delta| &delta["signature"])), response["content"][0]["signature"]);
    assert_eq!(joined(deltas(2).map(|delta| &delta["partial_json"])), ARGUMENTS);
}

#[tokio::test]
async fn responses_have_items_one_after_the_other() {
    let simulator = simulator_with(thinking_and_calls()).await;
    let response = plain(&simulator, Api::Responses).await;
    let items = response["output"].as_array().unwrap();
    let kinds: Vec<&Value> = items.iter().map(|item| &item["type"]).collect();
    assert_eq!(kinds, ["reasoning", "message", "function_call", "function_call"]);
    assert_eq!(items[0]["summary"][0]["text"], "Let me see.");
    assert_eq!(items[2]["arguments"], ARGUMENTS);
    assert_eq!(response["status"], "completed");

    let events = streamed(&simulator, Api::Responses).await;
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], number);
    }
    let named = |name: &'static str| events.iter().filter(move |event| event["type"] == name);
    let added: Vec<&Value> = named("response.output_item.added").collect();
    let done: Vec<&Value> = named("response.output_item.done").map(|event| &event["item"]).collect();
    let completed = events.last().unwrap();
    assert_eq!(completed["response"]["output"], json!(done));
    assert_eq!(done[0]["encrypted_content"], items[0]["encrypted_content"]);
    assert_ne!(added[0]["item"]["encrypted_content"], done[0]["encrypted_content"], "only done counts");
    assert_eq!(added[2]["item"]["arguments"], "");
    let summary = named("response.reasoning_summary_text.delta").map(|event| &event["delta"]);
    assert_eq!(joined(summary), "Let me see.");
    let arguments = named("response.function_call_arguments.delta")
        .filter(|event| event["output_index"] == 2)
        .map(|event| &event["delta"]);
    assert_eq!(joined(arguments), ARGUMENTS);
}

#[tokio::test]
async fn geminis_calls_come_whole_and_the_first_has_the_signature() {
    let simulator = simulator_with(thinking_and_calls()).await;
    let text = plain_text(&simulator, Api::Gemini).await;
    assert!(text.contains(&format!("\"args\":{ARGUMENTS}")), "{text}");
    let response: Value = serde_json::from_str(&text).unwrap();
    let parts = response["candidates"][0]["content"]["parts"].as_array().unwrap();
    assert_eq!(parts[0], json!({"text": "Let me see.", "thought": true}));
    assert_eq!(parts[2]["functionCall"]["name"], "get_weather");
    assert!(parts[2]["thoughtSignature"].is_string());
    assert_eq!(parts[3].get("thoughtSignature"), None);
    assert_eq!(response["candidates"][0]["finishReason"], "STOP");

    let chunks = streamed(&simulator, Api::Gemini).await;
    let streamed_parts: Vec<&Value> =
        chunks.iter().map(|chunk| &chunk["candidates"][0]["content"]["parts"][0]).collect();
    let thoughts = streamed_parts.iter().filter(|part| part["thought"] == true).map(|part| &part["text"]);
    assert_eq!(joined(thoughts), "Let me see.");
    let calls: Vec<&Value> =
        streamed_parts.into_iter().filter(|part| part["functionCall"].is_object()).collect();
    assert_eq!(calls, parts[2..].iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn without_a_call_geminis_signature_comes_with_the_last_text() {
    let simulator = simulator_with(Behaviour::ok().thinking("Hm.", "1")).await;
    let response = plain(&simulator, Api::Gemini).await;
    let signature = &response["candidates"][0]["content"]["parts"][1]["thoughtSignature"];
    let chunks = streamed(&simulator, Api::Gemini).await;
    let last = &chunks.last().unwrap()["candidates"][0]["content"]["parts"][0];
    assert_eq!(last, &json!({"text": "", "thoughtSignature": signature}));
}

#[tokio::test]
async fn a_call_may_come_without_text() {
    let simulator = simulator_with(Behaviour::ok().words(0).tool_call("f", "{}")).await;
    assert_eq!(plain(&simulator, Api::OpenAi).await["choices"][0]["message"]["content"], Value::Null);
    assert_eq!(plain(&simulator, Api::Responses).await["output"][0]["type"], "function_call");
    assert_eq!(plain(&simulator, Api::Anthropic).await["content"][0]["type"], "tool_use");
    let gemini = plain(&simulator, Api::Gemini).await;
    assert!(gemini["candidates"][0]["content"]["parts"][0]["functionCall"].is_object());
}

#[tokio::test]
async fn each_api_counts_in_its_own_sums() {
    let usage = Usage { input: 100, cache_read: 40, cache_write: 9, output: 50, reasoning: 20 };
    let simulator = simulator_with(Behaviour::ok().usage(usage)).await;
    let cases = [
        (
            Api::OpenAi,
            "/usage",
            "/usage",
            vec![
                ("prompt_tokens", 100),
                ("completion_tokens", 50),
                ("total_tokens", 150),
                ("prompt_tokens_details/cached_tokens", 40),
                ("prompt_tokens_details/cache_write_tokens", 9),
                ("completion_tokens_details/reasoning_tokens", 20),
            ],
        ),
        (
            Api::Responses,
            "/usage",
            "/response/usage",
            vec![
                ("input_tokens", 100),
                ("output_tokens", 50),
                ("total_tokens", 150),
                ("input_tokens_details/cached_tokens", 40),
                ("input_tokens_details/cache_write_tokens", 9),
                ("output_tokens_details/reasoning_tokens", 20),
            ],
        ),
        (
            Api::Anthropic,
            "/usage",
            "/usage",
            vec![
                ("input_tokens", 51),
                ("cache_read_input_tokens", 40),
                ("cache_creation_input_tokens", 9),
                ("output_tokens", 50),
                ("output_tokens_details/thinking_tokens", 20),
            ],
        ),
        (
            Api::Gemini,
            "/usageMetadata",
            "/usageMetadata",
            vec![
                ("promptTokenCount", 100),
                ("cachedContentTokenCount", 40),
                ("candidatesTokenCount", 30),
                ("thoughtsTokenCount", 20),
                ("totalTokenCount", 150),
            ],
        ),
    ];
    for (api, in_plain, in_stream, counts) in cases {
        let plain = plain(&simulator, api).await;
        let events = streamed(&simulator, api).await;
        let last = events.iter().rev().find_map(|event| event.pointer(in_stream)).unwrap();
        for (name, count) in counts {
            assert_eq!(plain.pointer(&format!("{in_plain}/{name}")), Some(&json!(count)), "{api:?} {name}");
            assert_eq!(last.pointer(&format!("/{name}")), Some(&json!(count)), "{api:?} {name}");
        }
    }
}

#[tokio::test]
async fn each_api_has_its_own_finish_reasons() {
    let reasons = [
        (Api::OpenAi, "/choices/0/finish_reason", "length", "stop"),
        (Api::Responses, "/status", "incomplete", "completed"),
        (Api::Anthropic, "/stop_reason", "max_tokens", "refusal"),
        (Api::Gemini, "/candidates/0/finishReason", "MAX_TOKENS", "SAFETY"),
    ];
    for (finish, of_call) in [(Finish::Length, false), (Finish::Length, true), (Finish::Refusal, false)] {
        let behaviour = Behaviour::ok().finish(finish);
        let behaviour = if of_call { behaviour.tool_call("f", "{\"a\":") } else { behaviour };
        let simulator = simulator_with(behaviour).await;
        for (api, pointer, length, refusal) in reasons {
            let expected = if finish == Finish::Length { length } else { refusal };
            assert_eq!(plain(&simulator, api).await.pointer(pointer), Some(&json!(expected)), "{api:?}");
            let text = json!(streamed(&simulator, api).await).to_string();
            assert!(text.contains(&format!("\"{expected}\"")), "{api:?}: {text}");
        }
    }
}

#[tokio::test]
async fn a_refusal_has_a_place_of_its_own_where_the_api_has_one() {
    let simulator = simulator_with(Behaviour::ok().finish(Finish::Refusal)).await;
    let message = plain(&simulator, Api::OpenAi).await["choices"][0]["message"].take();
    assert_eq!((&message["content"], &message["refusal"]), (&Value::Null, &json!("Hello from m.")));
    let part = plain(&simulator, Api::Responses).await["output"][0]["content"][0].take();
    assert_eq!(part, json!({"type": "refusal", "refusal": "Hello from m."}));
    let events = streamed(&simulator, Api::Responses).await;
    let deltas = events.iter().filter(|event| event["type"] == "response.refusal.delta");
    assert_eq!(joined(deltas.map(|event| &event["delta"])), "Hello from m.");
    let candidate = plain(&simulator, Api::Gemini).await["candidates"][0].take();
    assert_eq!(candidate.get("content"), None);
}

#[tokio::test]
async fn a_models_name_asks_for_content_too() {
    let simulator = Simulator::start().await.unwrap();
    for api in ALL_APIS {
        let ask = |model: &str| request(&http(), &simulator, api, &body(model, false)).send();
        let call = json_of(ask("tool-call").await.unwrap()).await.to_string();
        assert!(call.contains("get_weather"), "{call}");
        let thinking = json_of(ask("thinking").await.unwrap()).await.to_string();
        assert!(thinking.contains("Let me think about that."), "{thinking}");
    }
}
