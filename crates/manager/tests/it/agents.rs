//! The coding agents: their recorded requests, and how each gives an answer back with its next request.

use dialects::{Dialect, Endpoint, Request};
use http::{HeaderMap, HeaderName};
use manager::Call;
use serde_json::{Value, json};

use crate::formats::with_request;

/// An agent, and the tools of which it is made to call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Agent {
    pub(crate) name: &'static str,
    pub(crate) dialect: Dialect,
    recording: &'static str,
    /// A tool that it calls twice at once.
    pub(crate) read: &'static str,
    /// A tool with an input of many kinds of JSON, or of any text.
    pub(crate) write: &'static str,
    pub(crate) is_freeform: bool,
    /// Whether it gives opaque reasoning back at all.
    pub(crate) keeps_reasoning: bool,
}

pub(crate) const AGENTS: [Agent; 6] = [
    Agent {
        name: "Claude Code",
        dialect: Dialect::Anthropic,
        recording: include_str!("../agents/claude-code.json"),
        read: "Read",
        write: "Write",
        is_freeform: false,
        keeps_reasoning: true,
    },
    Agent {
        name: "Codex",
        dialect: Dialect::OpenAiResponses,
        recording: include_str!("../agents/codex.json"),
        read: "exec_command",
        write: "apply_patch",
        is_freeform: true,
        keeps_reasoning: true,
    },
    Agent {
        name: "opencode, compatible",
        dialect: Dialect::OpenAiChat,
        recording: include_str!("../agents/opencode-chat.json"),
        read: "read",
        write: "write",
        is_freeform: false,
        keeps_reasoning: false,
    },
    Agent {
        name: "opencode, anthropic",
        dialect: Dialect::Anthropic,
        recording: include_str!("../agents/opencode-anthropic.json"),
        read: "read",
        write: "write",
        is_freeform: false,
        keeps_reasoning: true,
    },
    Agent {
        name: "opencode, openai",
        dialect: Dialect::OpenAiResponses,
        recording: include_str!("../agents/opencode-openai.json"),
        read: "read",
        write: "bash",
        is_freeform: false,
        keeps_reasoning: true,
    },
    Agent {
        name: "Gemini CLI",
        dialect: Dialect::Gemini,
        recording: include_str!("../agents/gemini-cli.json"),
        read: "read_file",
        write: "list_directory",
        is_freeform: false,
        keeps_reasoning: true,
    },
];

/// An agent in the middle of a conversation.
pub(crate) struct Session {
    agent: Agent,
    body: Value,
    headers: HeaderMap,
    turns: usize,
}

impl Session {
    /// `adaptive`: to a model that takes no budget for thinking, which Claude Code and the AI SDK know by its name.
    pub(crate) fn new(agent: Agent, adaptive: bool) -> Self {
        let recording: Value = serde_json::from_str(agent.recording).unwrap();
        let headers = recording["headers"].as_object().unwrap().iter().map(|(name, value)| {
            (name.parse::<HeaderName>().unwrap(), value.as_str().unwrap().parse().unwrap())
        });
        let mut body = recording["body"].clone();
        if adaptive && body.get("thinking").is_some() {
            body["thinking"] = json!({"type": "adaptive", "display": "omitted"});
            body["output_config"] = json!({"effort": "medium"});
        }
        Self { agent, headers: headers.collect(), body, turns: 0 }
    }

    /// The next request. All agents stream, and some ask once more for a plain answer after a broken stream.
    pub(crate) fn call(&self, stream: bool) -> Call {
        let mut body = self.body.clone();
        if !stream {
            body["stream"] = false.into();
            body.as_object_mut().unwrap().remove("stream_options");
        }
        let request = match self.agent.dialect {
            Dialect::Gemini => {
                body.as_object_mut().unwrap().remove("stream");
                let model = "agent".to_owned();
                let body = body.to_string().into();
                Request::with_path_model(Endpoint::GenerateContent, body, model, stream, false)
            }
            dialect => Request::parse(Endpoint::generation(dialect), body.to_string().into()),
        };
        Call { headers: self.headers.clone(), ..with_request(request.unwrap()) }
    }

    fn history(&mut self) -> &mut Vec<Value> {
        let field = match self.agent.dialect {
            Dialect::BedrockConverse => panic!("no caller has it"),
            Dialect::OpenAiChat | Dialect::Anthropic => "messages",
            Dialect::OpenAiResponses => "input",
            Dialect::Gemini => "contents",
        };
        self.body[field].as_array_mut().unwrap()
    }

    /// Keeps an answer and runs its tools; their number.
    pub(crate) fn push(&mut self, answer: &Value) -> usize {
        let (turn, agent) = (self.turns, self.agent);
        self.turns += 1;
        let result = |index: usize| result(turn, index);
        let history = self.history();
        match agent.dialect {
            Dialect::BedrockConverse => panic!("no caller has it"),
            Dialect::OpenAiChat => push_chat(history, answer, result),
            Dialect::OpenAiResponses => push_responses(history, answer, agent.is_freeform, result),
            Dialect::Anthropic => push_messages(history, answer, result),
            Dialect::Gemini => push_gemini(history, answer, turn, result),
        }
    }
}

/// What a tool said in a turn.
pub(crate) fn result(turn: usize, index: usize) -> String {
    format!("result {turn}.{index}: \"ü\"\n\tdone")
}

/// An empty text with calls, reasoning by its text alone.
fn push_chat(history: &mut Vec<Value>, answer: &Value, result: impl Fn(usize) -> String) -> usize {
    let mut message = answer["choices"][0]["message"].clone();
    message["content"] = message["content"].as_str().unwrap_or_default().into();
    message.as_object_mut().unwrap().remove("reasoning_details");
    let calls = message["tool_calls"].as_array().cloned().unwrap_or_default();
    let has_finish = answer["choices"][0]["finish_reason"] == "tool_calls";
    assert_eq!(has_finish, !calls.is_empty(), "{answer}");
    history.push(message);
    let results = calls
        .iter()
        .enumerate()
        .map(|(index, call)| json!({"role": "tool", "tool_call_id": call["id"], "content": result(index)}));
    history.extend(results);
    calls.len()
}

/// Codex gives the finished items back as they came, but for what its types leave out; the AI SDK makes its own of them,
/// without ids.
fn push_responses(
    history: &mut Vec<Value>,
    answer: &Value,
    is_codex: bool,
    result: impl Fn(usize) -> String,
) -> usize {
    let mut results = Vec::new();
    for item in answer["output"].as_array().unwrap() {
        let mut item = item.clone();
        let kind = item["type"].as_str().unwrap().to_owned();
        if kind.ends_with("_call") {
            let call_id = &item["call_id"];
            let output = result(results.len());
            results.push(json!({"type": format!("{kind}_output"), "call_id": call_id, "output": output}));
        }
        if is_codex && kind == "reasoning" {
            item["content"] = Value::Null;
        }
        if !is_codex {
            for field in ["id", "status"] {
                item.as_object_mut().unwrap().remove(field);
            }
            if kind == "message" {
                let text = &item["content"][0]["text"];
                item = json!({"role": "assistant", "content": [{"type": "output_text", "text": text}]});
            }
        }
        history.push(item);
    }
    let calls = results.len();
    history.extend(results);
    calls
}

/// The mark of the cache moves to the last block.
fn push_messages(history: &mut Vec<Value>, answer: &Value, result: impl Fn(usize) -> String) -> usize {
    let blocks = answer["content"].as_array().unwrap();
    let calls = blocks.iter().filter(|block| block["type"] == "tool_use").enumerate();
    let results = calls.map(
        |(index, call)| json!({"type": "tool_result", "tool_use_id": call["id"], "content": result(index)}),
    );
    let mut results: Vec<Value> = results.collect();
    let calls = results.len();
    assert_eq!(answer["stop_reason"] == "tool_use", calls > 0, "{answer}");
    for block in history.iter_mut().filter_map(|message| message["content"].as_array_mut()).flatten() {
        block.as_object_mut().unwrap().remove("cache_control");
    }
    if let Some(last) = results.last_mut() {
        last["cache_control"] = json!({"type": "ephemeral"});
    }
    history.push(json!({"role": "assistant", "content": blocks}));
    history.push(json!({"role": "user", "content": results}));
    calls
}

/// Without thoughts, and calls without an id get one of the CLI's own.
fn push_gemini(
    history: &mut Vec<Value>,
    answer: &Value,
    turn: usize,
    result: impl Fn(usize) -> String,
) -> usize {
    let parts = answer["candidates"][0]["content"]["parts"].as_array().unwrap().iter();
    let (mut kept, mut results) = (Vec::new(), Vec::new());
    for part in parts.filter(|part| part["thought"] != true && part["text"] != "") {
        let mut part = part.clone();
        if let Some(call) = part.get_mut("functionCall") {
            let (index, name) = (results.len(), call["name"].clone());
            if !call["id"].is_string() {
                call["id"] = format!("{}_17958{turn}_{index}", name.as_str().unwrap()).into();
            }
            let response = json!({"output": result(index)});
            results.push(json!({"functionResponse": {"name": name, "id": call["id"], "response": response}}));
        }
        kept.push(part);
    }
    let calls = results.len();
    history.push(json!({"role": "model", "parts": kept}));
    history.push(json!({"role": "user", "parts": results}));
    calls
}
