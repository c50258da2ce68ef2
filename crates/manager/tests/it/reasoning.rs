//! A client of any format, whose conversation changes makers at every turn (T5): each maker gets its own reasoning back, and
//! nothing of another's.

use dialects::Dialect;
use serde_json::{Value, json};
use simulator::{Behaviour, Script, Simulator};

use crate::accumulate::accumulate;
use crate::formats::{CLAUDE, Formats, GPT, answer, call, events};
use crate::support::{TestConfig, never_trips};

/// It takes no call of the present turn without a signature.
const GEMINI_3: &str = "google-genai:gemini-3-pro-preview";

/// Who answers: each maker after each other one, and after itself.
const MAKERS: [&str; 10] = [CLAUDE, CLAUDE, GPT, GPT, GEMINI_3, GEMINI_3, CLAUDE, GEMINI_3, GPT, CLAUDE];

const THOUGHT: &str = "Hm, well.";

/// What a client of one format keeps of a conversation.
struct Client {
    dialect: Dialect,
    turns: Vec<Value>,
}

impl Client {
    fn new(dialect: Dialect) -> Self {
        let prompt = match dialect {
            Dialect::Gemini => json!({"role": "user", "parts": [{"text": "Go."}]}),
            _ => json!({"role": "user", "content": "Go."}),
        };
        Self { dialect, turns: vec![prompt] }
    }

    /// The fields of the next request.
    fn fields(&self) -> Value {
        let (turns, schema) = (&self.turns, json!({"type": "object"}));
        match self.dialect {
            Dialect::BedrockConverse => panic!("no caller has it"),
            Dialect::OpenAiChat => json!({
                "messages": turns, "reasoning_effort": "medium",
                "tools": [{"type": "function", "function": {"name": "read_file", "parameters": schema}}],
            }),
            Dialect::OpenAiResponses => json!({
                "input": turns, "reasoning": {"effort": "medium"}, "store": false,
                "include": ["reasoning.encrypted_content"],
                "tools": [{"type": "function", "name": "read_file", "parameters": schema, "strict": false}],
            }),
            Dialect::Anthropic => json!({
                "messages": turns, "max_tokens": 9000, "thinking": {"type": "enabled", "budget_tokens": 4000},
                "tools": [{"name": "read_file", "input_schema": schema}],
            }),
            Dialect::Gemini => json!({
                "contents": turns, "generationConfig": {"thinkingConfig": {"includeThoughts": true}},
                "tools": [{"functionDeclarations": [{"name": "read_file", "parametersJsonSchema": schema}]}],
            }),
        }
    }

    /// Keeps an answer as its SDK has it, and answers its one call.
    fn push(&mut self, answer: &Value) {
        let before = self.turns.len();
        match self.dialect {
            Dialect::BedrockConverse => panic!("no caller has it"),
            Dialect::OpenAiChat => {
                let message = &answer["choices"][0]["message"];
                self.turns.push(message.clone());
                for call in message["tool_calls"].as_array().into_iter().flatten() {
                    let result = json!({"role": "tool", "tool_call_id": call["id"], "content": "fn"});
                    self.turns.push(result);
                }
                assert_eq!(self.turns.len(), before + 2, "{answer}");
            }
            Dialect::OpenAiResponses => {
                let items = answer["output"].as_array().unwrap();
                self.turns.extend(items.iter().cloned());
                for call in items.iter().filter(|item| item["type"] == "function_call") {
                    let call_id = &call["call_id"];
                    let result = json!({"type": "function_call_output", "call_id": call_id, "output": "fn"});
                    self.turns.push(result);
                }
                assert_eq!(self.turns.len(), before + items.len() + 1, "{answer}");
            }
            Dialect::Anthropic => {
                self.turns.push(json!({"role": "assistant", "content": answer["content"]}));
                let blocks = answer["content"].as_array().unwrap().iter();
                let results: Vec<_> = blocks
                    .filter(|block| block["type"] == "tool_use")
                    .map(|call| json!({"type": "tool_result", "tool_use_id": call["id"], "content": "fn"}))
                    .collect();
                assert_eq!(results.len(), 1, "{answer}");
                self.turns.push(json!({"role": "user", "content": results}));
            }
            Dialect::Gemini => {
                let content = &answer["candidates"][0]["content"];
                self.turns.push(content.clone());
                let parts = content["parts"].as_array().unwrap().iter();
                let results: Vec<_> = parts
                    .filter_map(|part| part.get("functionCall"))
                    .map(|call| {
                        let mut result = json!({"name": call["name"], "response": {"result": "fn"}});
                        if call["id"].is_string() {
                            result["id"] = call["id"].clone();
                        }
                        json!({"functionResponse": result})
                    })
                    .collect();
                assert_eq!(results.len(), 1, "{answer}");
                self.turns.push(json!({"role": "user", "parts": results}));
            }
        }
    }
}

/// The simulator of a maker, and what its signatures begin with.
fn maker_of<'a>(world: &'a Formats, key: &str) -> (&'a Simulator, &'static str) {
    match key {
        CLAUDE => (&world.anthropic, "simulated/anthropic/"),
        GPT => (&world.openai, "simulated/openai/"),
        _ => (&world.google, "simulated/gemini/"),
    }
}

#[tokio::test]
async fn every_client_may_change_makers_at_every_turn() {
    for dialect in Dialect::ALL {
        for stream in [false, true] {
            let world = Formats::with(TestConfig { policy: never_trips(), ..TestConfig::default() }).await;
            let mut client = Client::new(dialect);
            for (turn, key) in MAKERS.into_iter().enumerate() {
                let case = format!("{dialect:?}, stream {stream}, turn {turn} to {key}");
                let (maker, signature) = maker_of(&world, key);
                let arguments = format!(r#"{{"path": "{turn}.rs"}}"#);
                let step = Behaviour::ok().thinking(THOUGHT, format!("turn-{turn}"));
                maker.script_default(Script::always(step.tool_call("read_file", arguments)));
                let reply = world.call(call(dialect, key, stream, client.fields())).await.unwrap();
                assert_eq!((reply.answered_by.as_str(), reply.attempts), (key, 1), "{case}");
                let traffic = maker.traffic();
                let sent = traffic.received().last().unwrap();
                let sent = std::str::from_utf8(&sent.body).unwrap();
                let answer = if stream && matches!(reply.body, manager::Body::Stream { .. }) {
                    accumulate(dialect, &events(reply).await)
                } else {
                    answer(reply).await
                };
                assert!(answer["error"].is_null(), "{case}: {answer}: {sent}");
                // Chat completions have no signatures: towards OpenAI's, a chat client's reasoning is nobody's.
                let is_signed = !(key == GPT && dialect == Dialect::OpenAiChat);
                let own = MAKERS[..turn].iter().filter(|maker| **maker == key && is_signed).count();
                assert_eq!(sent.matches("simulated/").count(), own, "{case}: {sent}");
                assert_eq!(sent.matches(signature).count(), own, "{case}: {sent}");
                assert!(!sent.contains("c3dpdGNoYm9hcmQ6"), "an envelope went out: {case}: {sent}");
                client.push(&answer);
            }
            // Each maker was asked once a turn: no second request without reasoning was needed.
            for (key, calls) in [(CLAUDE, 4), (GPT, 3), (GEMINI_3, 3)] {
                assert_eq!(maker_of(&world, key).0.traffic().received().len(), calls, "{dialect:?} {key}");
            }
        }
    }
}
