//! What compatible servers put between and into the parts of an answer: it is passed on, and changes nothing (T6).

use std::time::Duration;

use dialects::{Dialect, Endpoint};
use http::HeaderMap;
use providers::{
    Provider, ProviderConfig, ProviderError, ProviderKind, ProviderRequest, ProviderResponse, StreamEvent,
    Timeouts,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use translate::{CallerOptions, CallerRequest, Target, Translation};

use crate::setup::{MODEL, read_all, text};

/// A whole stream that says "Hello you", event by event, and what may stand between any two of its events.
struct Case {
    dialect: Dialect,
    events: &'static [&'static str],
    noise: &'static [&'static str],
    /// Streams that say the same in an odd way.
    odd: &'static [&'static str],
}

const CASES: [Case; 4] = [
    Case {
        dialect: Dialect::OpenAiChat,
        events: &[
            "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}",
            "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello \"}}]}",
            "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"you\"}}]}",
            "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}",
            "data: {\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}",
            "data: [DONE]",
        ],
        noise: &[
            "data: {\"type\":\"ping\"}",
            "event: ping\ndata: {}",
            "data: null",
            "data:",
            "data: {}",
            "data: []",
            ": keep-alive",
            "event: ping",
            "data: {\"choices\":null}",
            "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\"}",
            "data: {\"choices\":[],\"error\":null}",
            "data: {\"choices\":[],\"error\":{}}",
            "data: {\"error\":false,\"choices\":[]}",
            "data: {\"choices\":[null]}",
            "data: {\"choices\":[{\"index\":0,\"delta\":null}]}",
            "data: {\"choices\":[{\"index\":0}],\"usage\":null}",
            "data: {\"choices\":[],\"usage\":\"none\"}",
            "data: {\"type\":\"heartbeat\",\"timestamp\":1}",
        ],
        odd: &[
            "data: {\"choices\":[{\"delta\":{\"content\":\"Hello \"},\"index\":0,\"index\":0}],\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello \"}}]}\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"you\"}}]}\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":1}],\"usage\":{\"prompt_tokens\":\"3\",\"completion_tokens\":[]}}\n\ndata: [DONE]\n\n",
            "data: {\"error\":{},\"choices\":[{\"index\":\"0\",\"delta\":{\"content\":\"Hello you\"},\"finish_reason\":{\"reason\":\"stop\"}}],\"usage\":[]}\n\ndata: [DONE]\n\n",
            "event: message\nid: 1\nretry: 3\ndata: {\"choices\":[{\"delta\":{\"content\":\"Hello you\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\ndata: {\"type\":\"ping\"}\n\n",
        ],
    },
    Case {
        dialect: Dialect::OpenAiResponses,
        events: &[
            "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"r\",\"model\":\"m\",\"status\":\"in_progress\",\"output\":[]}}",
            "event: response.output_item.added\ndata: {\"type\":\"response.output_item.added\",\"output_index\":0,\"item\":{\"type\":\"message\",\"id\":\"i\",\"role\":\"assistant\",\"content\":[]}}",
            "event: response.content_part.added\ndata: {\"type\":\"response.content_part.added\",\"output_index\":0,\"content_index\":0,\"item_id\":\"i\",\"part\":{\"type\":\"output_text\",\"text\":\"\",\"annotations\":[]}}",
            "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"output_index\":0,\"content_index\":0,\"item_id\":\"i\",\"delta\":\"Hello \"}",
            "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"output_index\":0,\"content_index\":0,\"item_id\":\"i\",\"delta\":\"you\"}",
            "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"r\",\"model\":\"m\",\"status\":\"completed\",\"error\":null,\"output\":[{\"type\":\"message\",\"id\":\"i\",\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":\"Hello you\",\"annotations\":[]}]}],\"usage\":{\"input_tokens\":3,\"output_tokens\":2}}}",
        ],
        noise: &[
            "data: {\"type\":\"ping\"}",
            "event: ping\ndata: {}",
            "event: keepalive\ndata: {\"type\":\"keepalive\",\"sequence_number\":3}",
            "data: null",
            "data:",
            "data: {}",
            ": keep-alive",
            "data: {\"error\":false}",
            "data: {\"error\":{},\"type\":\"response.in_progress\"}",
            "event: codex.rate_limits\ndata: {\"type\":\"codex.rate_limits\",\"rate_limits\":{}}",
            "data: {\"type\":\"response.in_progress\",\"response\":null}",
        ],
        odd: &[
            "data: {\"type\":\"response.output_text.delta\",\"output_index\":\"0\",\"item_id\":null,\"delta\":\"Hello you\"}\n\ndata: {\"type\":\"response.completed\",\"type\":\"response.completed\",\"response\":{\"status\":\"completed\",\"error\":{},\"output\":[],\"usage\":{\"input_tokens\":\"3\",\"output_tokens\":[]}}}\n\n",
        ],
    },
    Case {
        dialect: Dialect::Anthropic,
        events: &[
            "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":[],\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}",
            "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}",
            "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hello \"}}",
            "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"you\"}}",
            "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}",
            "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":2}}",
            "event: message_stop\ndata: {\"type\":\"message_stop\"}",
        ],
        noise: &[
            "event: ping\ndata: {\"type\":\"ping\"}",
            "event: ping\ndata: {}",
            "event: ping\ndata:",
            "event: ping",
            "data: {\"type\":\"ping\",\"cost\":\"0\"}",
            "data: null",
            "data:",
            "data: {}",
            "data: []",
            "data: [DONE]",
            ": keep-alive",
            "event: ping\ndata: {\"type\":\"ping\",\"error\":null}",
            "data: {\"type\":\"ping\",\"error\":{}}",
            "event: vendor_event\ndata: {\"x\":1}",
        ],
        odd: &[
            "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":\"3\",\"input_tokens\":\"3\"}}}\n\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hello you\"}}\n\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":7},\"usage\":[]}\n\ndata: {\"type\":\"message_stop\"}\n\n",
        ],
    },
    Case {
        dialect: Dialect::Gemini,
        events: &[
            "data: {\"candidates\":[{\"index\":0,\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\"Hello \"}]}}],\"responseId\":\"g\",\"modelVersion\":\"m\"}",
            "data: {\"candidates\":[{\"index\":0,\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\"you\"}]},\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":3,\"candidatesTokenCount\":2}}",
        ],
        noise: &[
            "data: null",
            "data:",
            "data: {}",
            "data: []",
            ": keep-alive",
            "event: ping\ndata: {}",
            "data: {\"candidates\":null}",
            "data: {\"candidates\":[]}",
            "data: {\"error\":{}}",
            "data: {\"error\":null,\"candidates\":[null]}",
            "data: {\"usageMetadata\":null}",
        ],
        odd: &[
            "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"Hello you\"}],\"role\":\"model\"},\"finishReason\":1,\"index\":\"0\"}],\"error\":false,\"usageMetadata\":{\"promptTokenCount\":\"3\",\"candidatesTokenCount\":[]}}\n\n",
        ],
    },
];

fn kind_and_endpoint(dialect: Dialect) -> (ProviderKind, Endpoint) {
    match dialect {
        Dialect::BedrockConverse => panic!("no caller has it"),
        Dialect::OpenAiChat => (ProviderKind::OpenAi, Endpoint::ChatCompletions),
        Dialect::OpenAiResponses => (ProviderKind::OpenAi, Endpoint::Responses),
        Dialect::Anthropic => (ProviderKind::Anthropic, Endpoint::Messages),
        Dialect::Gemini => (ProviderKind::GoogleGenAi, Endpoint::GenerateContent),
    }
}

/// A provider that answers each of these calls, one after the other, with the stream.
async fn serving(dialect: Dialect, bodies: Vec<String>) -> Provider {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}/v1/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        for body in bodies {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"the end\"}") {
                assert_ne!(socket.read_buf(&mut request).await.unwrap(), 0);
            }
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
            socket.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        }
    });
    let config = ProviderConfig {
        speaks: Some(vec![dialect]),
        ..ProviderConfig::new("simulated", kind_and_endpoint(dialect).0, base_url.parse().unwrap())
    };
    Provider::new(config, Duration::from_secs(5)).unwrap()
}

/// What a caller that speaks `caller` gets.
async fn called(
    provider: &Provider,
    dialect: Dialect,
    caller: Dialect,
) -> (Vec<StreamEvent>, Result<(), ProviderError>) {
    let translation = (caller != dialect).then(|| translation(caller, dialect));
    let called = provider
        .call(&ProviderRequest {
            endpoint: kind_and_endpoint(dialect).1,
            model: MODEL,
            body: &"{\"x\":\"the end\"}".into(),
            tail: None,
            translation: translation.as_ref(),
            stream: true,
            withhold_usage: false,
            json_array: false,
            beta: false,
            wants_meta: true,
            headers: &HeaderMap::new(),
            timeouts: &Timeouts::default(),
        })
        .await;
    match called.unwrap() {
        ProviderResponse::Streaming(mut stream) => read_all(&mut stream).await,
        ProviderResponse::Complete(_) => panic!("no stream"),
    }
}

fn translation(caller: Dialect, dialect: Dialect) -> Translation {
    let body = match caller {
        Dialect::OpenAiResponses => r#"{"model":"m","stream":true,"input":"hi"}"#,
        Dialect::Gemini => r#"{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}"#,
        _ => r#"{"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]}"#,
    };
    let target = Target { dialect, provider: "simulated", model: MODEL, is_official: false, refuses: &[] };
    let options =
        CallerOptions { stream: true, request_id: "id".to_owned(), created: 1, ..CallerOptions::default() };
    CallerRequest::read(caller, body.as_bytes()).unwrap().translate(&target, options).unwrap()
}

fn stream_of(events: &[&str]) -> String {
    events.iter().map(|event| format!("{event}\n\n")).collect()
}

/// The caller that it is translated for.
const fn other(dialect: Dialect) -> Dialect {
    match dialect {
        Dialect::OpenAiChat => Dialect::Anthropic,
        _ => Dialect::OpenAiChat,
    }
}

/// The words in a stream, whatever its API format.
fn words(stream: &str) -> String {
    let pieces = ["Hello you", "Hello ", "you"];
    let deltas =
        stream.lines().filter(|line| !line.contains("response.completed") && line.starts_with("data:"));
    deltas
        .filter_map(|line| pieces.into_iter().find(|piece| line.contains(&format!("\"{piece}\""))))
        .collect()
}

#[tokio::test]
async fn what_is_no_part_of_an_answer_is_passed_on_and_changes_nothing() {
    for Case { dialect, events, noise, .. } in CASES {
        let mut bodies = vec![stream_of(events)];
        for extra in noise {
            for place in 0..events.len() {
                let mut with = events.to_vec();
                with.insert(place, extra);
                bodies.push(stream_of(&with));
            }
        }
        let provider = serving(dialect, [bodies.clone(), bodies.clone()].concat()).await;
        for body in &bodies {
            let (got, end) = called(&provider, dialect, dialect).await;
            end.unwrap_or_else(|error| panic!("{dialect:?}: {error}\n{body}"));
            assert_eq!(&text(&got), body, "{dialect:?}");
        }
        let mut clean = None;
        for body in &bodies {
            let (got, end) = called(&provider, dialect, other(dialect)).await;
            end.unwrap_or_else(|error| panic!("{dialect:?}, translated: {error}\n{body}"));
            let got = text(&got);
            assert_eq!(clean.get_or_insert_with(|| got.clone()), &got, "{dialect:?}, translated:\n{body}");
        }
    }
}

#[tokio::test]
async fn odd_fields_are_no_fault() {
    for Case { dialect, odd, .. } in CASES {
        let bodies: Vec<String> = odd.iter().map(|body| (*body).to_owned()).collect();
        let provider = serving(dialect, [bodies.clone(), bodies.clone()].concat()).await;
        for body in &bodies {
            let (got, end) = called(&provider, dialect, dialect).await;
            end.unwrap_or_else(|error| panic!("{dialect:?}: {error}\n{body}"));
            assert!(
                text(&got).contains(body.trim_end().rsplit("\n\n").nth(1).unwrap_or(body.trim_end())),
                "{body}"
            );
        }
        for body in &bodies {
            let (got, end) = called(&provider, dialect, other(dialect)).await;
            end.unwrap_or_else(|error| panic!("{dialect:?}, translated: {error}\n{body}"));
            assert_eq!(words(&text(&got)), "Hello you", "{dialect:?}, translated:\n{body}\n{}", text(&got));
        }
    }
}

#[tokio::test]
async fn an_end_marker_behind_the_last_event_is_passed_on() {
    let [_, responses, ..] = CASES;
    let body = format!("{}data: [DONE]\n\n", stream_of(responses.events));
    let provider = serving(responses.dialect, vec![body.clone()]).await;
    let (got, end) = called(&provider, responses.dialect, responses.dialect).await;
    end.unwrap();
    assert_eq!(text(&got), body);
}

#[tokio::test]
async fn an_error_event_keeps_its_name() {
    let [chat, ..] = CASES;
    let error = "event: error\ndata: {\"message\":\"Overloaded\",\"code\":503}";
    let body = stream_of(&[chat.events[0], chat.events[1], error]);
    let provider = serving(chat.dialect, vec![body]).await;
    let (_, end) = called(&provider, chat.dialect, chat.dialect).await;
    let error = end.unwrap_err();
    assert_eq!(error.status, Some(503), "{error:?}");
}
