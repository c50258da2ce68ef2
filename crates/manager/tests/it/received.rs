//! What a maker's API received, in one form for all formats.

use dialects::Dialect;
use serde_json::Value;

/// A conversation as a maker got it.
#[derive(Debug, Default)]
pub(crate) struct Received {
    /// All system texts, in order.
    pub(crate) system: Vec<String>,
    /// Name and input of all calls, in order: an input's own bytes where the format has text.
    pub(crate) calls: Vec<(String, String)>,
    /// The texts of all results, in order.
    pub(crate) results: Vec<String>,
    /// The names of the tools, or the types of those without one.
    pub(crate) tools: Vec<String>,
}

pub(crate) fn read(dialect: Dialect, body: &Value) -> Received {
    let mut read = Received::default();
    match dialect {
        Dialect::BedrockConverse => of_converse(body, &mut read),
        Dialect::OpenAiChat => of_chat(body, &mut read),
        Dialect::OpenAiResponses => of_responses(body, &mut read),
        Dialect::Anthropic => of_messages(body, &mut read),
        Dialect::Gemini => of_gemini(body, &mut read),
    }
    read
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().map(Vec::as_slice).unwrap_or_default().iter()
}

fn string(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A text, or the texts of parts.
fn texts(content: &Value) -> Vec<String> {
    match content {
        Value::String(text) => vec![text.clone()],
        parts => list(parts).filter_map(|part| part["text"].as_str()).map(str::to_owned).collect(),
    }
}

fn of_chat(body: &Value, read: &mut Received) {
    for message in list(&body["messages"]) {
        match message["role"].as_str().unwrap() {
            "system" | "developer" => read.system.extend(texts(&message["content"])),
            "tool" => read.results.push(texts(&message["content"]).concat()),
            _ => {}
        }
        let calls = list(&message["tool_calls"]).map(|call| &call["function"]);
        read.calls.extend(calls.map(|call| (string(&call["name"]), string(&call["arguments"]))));
    }
    read.tools.extend(list(&body["tools"]).map(|tool| string(&tool["function"]["name"])));
}

fn of_responses(body: &Value, read: &mut Received) {
    read.system.extend(texts(&body["instructions"]));
    for item in list(&body["input"]) {
        if matches!(item["role"].as_str(), Some("system" | "developer")) {
            read.system.extend(texts(&item["content"]));
        }
        match item["type"].as_str().unwrap_or_default() {
            "function_call" => read.calls.push((string(&item["name"]), string(&item["arguments"]))),
            "custom_tool_call" => read.calls.push((string(&item["name"]), string(&item["input"]))),
            "function_call_output" | "custom_tool_call_output" => {
                read.results.push(texts(&item["output"]).concat());
            }
            _ => {}
        }
    }
    let name = |tool: &Value| string(tool.get("name").unwrap_or(&tool["type"]));
    read.tools.extend(list(&body["tools"]).map(name));
}

fn of_messages(body: &Value, read: &mut Received) {
    read.system.extend(texts(&body["system"]));
    for block in list(&body["messages"]).flat_map(|message| list(&message["content"])) {
        match block["type"].as_str().unwrap() {
            "tool_use" => read.calls.push((string(&block["name"]), block["input"].to_string())),
            "tool_result" => read.results.push(texts(&block["content"]).concat()),
            "text" => assert_ne!(block["text"], "", "an empty text is refused"),
            _ => {}
        }
    }
    read.tools.extend(list(&body["tools"]).map(|tool| string(&tool["name"])));
}

fn of_gemini(body: &Value, read: &mut Received) {
    read.system.extend(texts(&body["systemInstruction"]["parts"]));
    for part in list(&body["contents"]).flat_map(|content| list(&content["parts"])) {
        if let Some(call) = part.get("functionCall") {
            read.calls.push((string(&call["name"]), call["args"].to_string()));
        }
        if let Some(result) = part.get("functionResponse") {
            let response = result["response"].as_object().unwrap();
            assert_eq!(response.len(), 1, "{result}");
            read.results.extend(response.values().map(string));
        }
    }
    let declared = list(&body["tools"]).flat_map(|tools| list(&tools["functionDeclarations"]));
    read.tools.extend(declared.map(|tool| string(&tool["name"])));
}

fn of_converse(body: &Value, read: &mut Received) {
    read.system.extend(texts(&body["system"]));
    for block in list(&body["messages"]).flat_map(|message| list(&message["content"])) {
        if let Some(call) = block.get("toolUse") {
            read.calls.push((string(&call["name"]), call["input"].to_string()));
        }
        if let Some(result) = block.get("toolResult") {
            let of_json = |json: &serde_json::Map<String, Value>| json.values().map(string).collect();
            let said = |part: &Value| part["json"].as_object().map_or_else(|| string(&part["text"]), of_json);
            read.results.push(list(&result["content"]).map(said).collect());
        }
    }
    let specs = list(&body["toolConfig"]["tools"]).filter_map(|tool| tool.get("toolSpec"));
    read.tools.extend(specs.map(|spec| string(&spec["name"])));
}
