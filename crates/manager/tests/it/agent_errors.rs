//! Errors by which coding agents act, whichever maker's model they come from, and counts of tokens.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use dialects::{Dialect, Endpoint, Request};
use manager::Body;
use serde_json::{Value, json};
use simulator::{ProviderError, Script, Simulator};

use crate::agents::{AGENTS, Agent, Session};
use crate::formats::{BEDROCK_CLAUDE, CLAUDE, Formats, GEMINI, GPT, LOCAL, NOVA, answer, with_request};
use crate::support::{TestConfig, never_trips};

const MAKERS: [&str; 6] = [CLAUDE, GPT, GEMINI, LOCAL, BEDROCK_CLAUDE, NOVA];

fn simulator_of<'a>(world: &'a Formats, maker: &str) -> &'a Simulator {
    match maker {
        CLAUDE => &world.anthropic,
        GPT => &world.openai,
        GEMINI => &world.google,
        BEDROCK_CLAUDE | NOVA => &world.bedrock,
        _ => &world.local,
    }
}

/// Status and body of the only answer to an agent's first request.
async fn rejected(agent: Agent, maker: &str, error: ProviderError) -> (u16, Value) {
    let config = TestConfig { policy: never_trips(), ..TestConfig::default() };
    let world = Formats::with_route(config, &[maker]).await;
    simulator_of(&world, maker).script_default(Script::always(error));
    let reply = world.call(Session::new(agent, true).call(true)).await.unwrap();
    match reply.body {
        Body::Complete(response) => {
            (response.status.as_u16(), serde_json::from_slice(&response.body).unwrap())
        }
        Body::Stream { .. } | Body::Bytes { .. } => panic!("{} of {}: a stream", agent.name, maker),
    }
}

/// Whether an agent shortens its conversation by this error; taken from what the programs did with it, and for opencode
/// from the words that it looks for.
fn is_told_to_shorten(agent: Agent, error: &Value) -> bool {
    let message = error["message"].as_str().unwrap();
    match agent.dialect {
        Dialect::BedrockConverse => panic!("no caller has it"),
        Dialect::Anthropic => {
            error["type"] == "invalid_request_error" && message.starts_with("prompt is too long")
        }
        Dialect::OpenAiChat | Dialect::OpenAiResponses => error["code"] == "context_length_exceeded",
        // The CLI shows it only, and shortens by the counts of good answers.
        Dialect::Gemini => message.to_lowercase().contains("input token count"),
    }
}

#[tokio::test]
async fn a_prompt_that_does_not_fit_makes_every_agent_shorten_it() {
    for agent in AGENTS {
        for maker in MAKERS {
            let case = format!("{} with {}", agent.name, maker);
            let (status, body) = rejected(agent, maker, ProviderError::context_too_long()).await;
            assert_eq!(status, 400, "{case}: {body}");
            assert!(is_told_to_shorten(agent, &body["error"]), "{case}: {body}");
        }
    }
}

/// What a model can be told to do better, or an agent to leave out: Claude Code, for one, looks for the words.
const REPAIRS: [&str; 6] = [
    "messages.3.content.1.image.source.base64: image exceeds 5 MB maximum: 6291456 bytes > 5242880 bytes",
    "messages.1.content.0: `thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified.",
    "input length and `max_tokens` exceed context limit: 190000 + 32000 > 200000, decrease input length or `max_tokens` and try again",
    "Invalid schema for function 'read': In context=(), 'required' is required to be supplied and to be an array.",
    "Invalid JSON payload received. Unknown name \"exclusiveMinimum\" at 'tools[0]': Cannot find field.",
    "tools.0.custom.input_schema: JSON schema is invalid. It must match \"draft\" 2020-12\n",
];

#[tokio::test]
async fn words_that_agents_repair_their_requests_by_stay_as_they_are() {
    for agent in AGENTS {
        for maker in MAKERS {
            for words in REPAIRS {
                let case = format!("{} with {}: {words}", agent.name, maker);
                let error = ProviderError::status(http::StatusCode::BAD_REQUEST).message(words);
                let (status, body) = rejected(agent, maker, error).await;
                let said = body["error"]["message"].as_str().unwrap();
                assert!(status == 400 && said.ends_with(words), "{case}: {status} {body}");
                // One of them is about the length, and says so to those who look for other words.
                assert!(said == words || words.contains("context limit"), "{case}: {body}");
                let kind = match agent.dialect {
                    Dialect::Gemini => &body["error"]["status"],
                    _ => &body["error"]["type"],
                };
                let expected = match agent.dialect {
                    Dialect::Gemini => "INVALID_ARGUMENT",
                    _ => "invalid_request_error",
                };
                assert_eq!(kind, expected, "{case}: {body}");
            }
        }
    }
}

/// What a maker's API was asked to count: of InvokeModel's body, which is base64, the text.
fn counted(body: &[u8]) -> String {
    let value: Value = serde_json::from_slice(body).unwrap();
    let encoded = value["input"]["invokeModel"]["body"].as_str();
    let decoded = encoded.map(|encoded| BASE64_STANDARD.decode(encoded).unwrap());
    String::from_utf8(decoded.unwrap_or_else(|| body.to_vec())).unwrap()
}

/// Claude Code counts one file with an empty list of tools, and each of its tools alone; Gemini's client contents.
#[tokio::test]
async fn agents_counts_are_answered_by_each_makers_own_count() {
    let text = json!([{"role": "user", "content": "1\tfn main() {}\n"}]);
    let tool =
        json!({"name": "Read", "description": "d", "input_schema": {"type": "object", "properties": {}}});
    for (endpoint, field, body) in [
        (Endpoint::CountTokens, "input_tokens", json!({"model": "agent", "messages": text, "tools": []})),
        (Endpoint::CountTokens, "input_tokens", json!({"model": "agent", "messages": text, "tools": [tool]})),
        (
            Endpoint::GeminiCountTokens,
            "totalTokens",
            json!({"contents": [{"role": "user", "parts": [{"text": "fn main() {}"}]}]}),
        ),
    ] {
        for key in MAKERS {
            let world = Formats::with_route(TestConfig::default(), &[key]).await;
            let text = body.to_string().into();
            let request = match endpoint {
                Endpoint::CountTokens => Request::parse(endpoint, text),
                _ => Request::with_path_model(endpoint, text, "agent".to_owned(), false, false),
            };
            let result = world.call(with_request(request.unwrap())).await;
            if key == LOCAL {
                // Both programs then estimate by themselves.
                assert_eq!(result.unwrap_err().status(), 404, "{body}");
                continue;
            }
            let count = answer(result.unwrap()).await;
            assert!(count[field].as_u64().is_some_and(|tokens| tokens > 0), "{key} {body}: {count}");
            let traffic = simulator_of(&world, key).traffic();
            let asked = counted(&traffic.received().last().unwrap().body);
            assert!(asked.contains("fn main() {}"), "{key}: {asked}");
            let has_tools = asked.contains("Read");
            assert_eq!(has_tools, body["tools"].as_array().is_some_and(|tools| !tools.is_empty()), "{asked}");
        }
    }
}
