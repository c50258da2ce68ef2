//! Reads a request.

use serde_json::value::RawValue;

use super::{message_reader, tools};
use crate::RequestError;
use crate::form::{Effort, Format, Request, Tool, ToolKind, Unmapped};
use crate::json::{Object, as_str, items, own};

pub(crate) fn read(body: &Object<'_>) -> Result<Request, RequestError> {
    let mut request = Request::default();
    let messages = body.raw("messages").ok_or_else(|| RequestError::field("messages", "must be an array"))?;
    message_reader::read(messages, &mut request)?;
    read_tools(body, &mut request);
    read_sampling(body, &mut request);
    read_reasoning(body, &mut request);
    read_format(body, &mut request);
    request.logprobs = body.bool("logprobs").unwrap_or(false).then(|| body.u64("top_logprobs").unwrap_or(0));
    request.cache_key = body.string("prompt_cache_key");
    request.user = body.string("safety_identifier").or_else(|| body.string("user"));
    request.metadata = body.raw("metadata").filter(|metadata| metadata.get().starts_with('{')).map(own);
    request.service_tier = body.string("service_tier");
    request.verbosity = body.string("verbosity");
    request.stream = body.bool("stream").unwrap_or(false);
    let options = body.object("stream_options").unwrap_or_default();
    request.include_usage = options.bool("include_usage").unwrap_or(false);
    read_unmapped(body, &mut request);
    Ok(request)
}

fn read_tools(body: &Object<'_>, request: &mut Request) {
    request.tools = body.objects("tools").iter().map(tools::read).collect();
    let functions = body.objects("functions");
    request
        .tools
        .extend(functions.iter().map(|function| Tool { kind: tools::read_function(function), cache: None }));
    if body.raw("web_search_options").is_some() {
        request
            .tools
            .push(Tool { kind: ToolKind::Hosted { name: "web_search_options".to_owned() }, cache: None });
    }
    let choice = body.raw("tool_choice").or_else(|| body.raw("function_call"));
    request.tool_choice = choice.and_then(tools::read_choice);
    request.parallel_tool_calls = body.bool("parallel_tool_calls");
}

fn read_sampling(body: &Object<'_>, request: &mut Request) {
    request.max_tokens = body.u64("max_completion_tokens").or_else(|| body.u64("max_tokens"));
    request.sampling.temperature = body.f64("temperature");
    request.sampling.top_p = body.f64("top_p");
    request.sampling.top_k = body.u64("top_k");
    request.sampling.seed = body.raw("seed").and_then(|seed| seed.get().parse().ok());
    request.sampling.frequency_penalty = body.f64("frequency_penalty");
    request.sampling.presence_penalty = body.f64("presence_penalty");
    request.stop = body.raw("stop").map(strings).unwrap_or_default();
}

/// A string, or a list of them.
fn strings(raw: &RawValue) -> Vec<String> {
    let list = items(raw).unwrap_or_else(|| vec![raw]);
    list.into_iter().filter_map(as_str).map(std::borrow::Cow::into_owned).collect()
}

/// `reasoning_effort` is OpenAI's; the others are those of OpenRouter, of Z.ai and DeepSeek, and of Qwen.
fn read_reasoning(body: &Object<'_>, request: &mut Request) {
    let effort = |word: Option<std::borrow::Cow<'_, str>>| word.and_then(|word| Effort::parse(&word));
    let reasoning = body.object("reasoning").unwrap_or_default();
    let thinking = body.object("thinking").unwrap_or_default();
    let wish = &mut request.reasoning;
    wish.effort = effort(body.str("reasoning_effort")).or_else(|| effort(reasoning.str("effort")));
    wish.budget = reasoning.u64("max_tokens").or_else(|| thinking.u64("budget_tokens"));
    let switched = match thinking.str("type").as_deref() {
        Some("enabled" | "adaptive") => Some(true),
        Some("disabled") => Some(false),
        _ => None,
    };
    wish.enabled = reasoning.bool("enabled").or(switched).or_else(|| body.bool("enable_thinking"));
    wish.show = reasoning.bool("exclude").map(|exclude| !exclude);
}

fn read_format(body: &Object<'_>, request: &mut Request) {
    let Some(format) = body.object("response_format") else { return };
    match format.str("type").as_deref() {
        None | Some("text") => {}
        Some("json_object") => request.format = Some(Format::JsonObject),
        Some("json_schema") => request.format = Some(read_schema(&format)),
        // Grammars and the like of single servers.
        Some(_) => {
            request.unmapped.push(Unmapped { field: "response_format".to_owned(), required: true });
        }
    }
}

fn read_schema(format: &Object<'_>) -> Format {
    let Some(raw) = format.raw("json_schema") else { return Format::JsonObject };
    let outer = Object::of(raw).unwrap_or_default();
    // Cloudflare's clients put the schema itself there.
    let bare = ["type", "properties", "$ref", "anyOf"].iter().any(|key| outer.has(key));
    let Some(schema) = outer.raw("schema").or_else(|| bare.then_some(raw)) else { return Format::JsonObject };
    Format::JsonSchema {
        name: outer.string("name"),
        description: outer.string("description").filter(|_| !bare),
        schema: own(schema),
        strict: outer.bool("strict"),
    }
}

/// What the common form has a place for, and what says nothing.
const MAPPED: [&str; 33] = [
    "model",
    "messages",
    "tools",
    "functions",
    "web_search_options",
    "tool_choice",
    "function_call",
    "parallel_tool_calls",
    "max_completion_tokens",
    "max_tokens",
    "temperature",
    "top_p",
    "top_k",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "stop",
    "reasoning_effort",
    "reasoning",
    "thinking",
    "enable_thinking",
    "response_format",
    "logprobs",
    "top_logprobs",
    "prompt_cache_key",
    "safety_identifier",
    "user",
    "metadata",
    "service_tier",
    "verbosity",
    "stream",
    "stream_options",
    // OpenRouter's wish for usage, which a translated answer always has.
    "usage",
];

fn read_unmapped(body: &Object<'_>, request: &mut Request) {
    for (field, value) in body.iter() {
        let unmapped = |required| Unmapped { field: field.to_owned(), required };
        let field = match field {
            _ if value.get() == "null" || MAPPED.contains(&field) => continue,
            "n" if matches!(value.get(), "1" | "1.0") => continue,
            "store" if value.get() == "false" => continue,
            "logit_bias" if is_empty(value) => continue,
            "modalities" if strings(value).iter().all(|modality| modality == "text") => continue,
            "n" | "logit_bias" | "modalities" | "audio" => unmapped(true),
            _ => unmapped(false),
        };
        if !request.unmapped.contains(&field) {
            request.unmapped.push(field);
        }
    }
}

fn is_empty(value: &RawValue) -> bool {
    Object::of(value).is_some_and(|object| object.iter().next().is_none())
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::form::{Effort, PartKind, Request, Role, ToolChoice};
    use crate::json::Object;

    fn request(json: &str) -> Request {
        read(&Object::parse(json.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn messages_become_turns() {
        let request = request(
            r#"{"model":"m","messages":[
            {"role":"developer","content":"be brief"},
            {"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":""}]},
            {"role":"system","content":"again"},
            {"role":"assistant","content":null,"tool_calls":[
                {"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\": 1}"}},
                {"id":"c2","type":"custom","custom":{"name":"g","input":"x"}}]},
            {"role":"tool","tool_call_id":"c1","content":"1"},
            {"role":"tool","tool_call_id":"c2","content":[{"type":"text","text":"2"}]},
            {"role":"user","content":"go on"}]}"#,
        );
        assert_eq!(request.system.len(), 1);
        let roles: Vec<Role> = request.turns.iter().map(|turn| turn.role).collect();
        assert_eq!(roles, [Role::User, Role::System, Role::Assistant, Role::User, Role::User]);
        assert_eq!(request.turns[3].parts.len(), 2);
        assert!(matches!(&request.turns[3].parts[1].kind, PartKind::ToolResult(result) if result.is_custom));
    }

    #[test]
    fn fields_without_a_place_are_reported() {
        let request = request(
            r#"{"messages":[],"n":2,"logit_bias":{"1":2},"min_p":0.1,"echo":null,"store":false,
            "modalities":["text"],"prediction":{"type":"content","content":"x"},"reasoning":{"effort":"low"},
            "tool_choice":"any","top_k":5,"logprobs":true,"top_logprobs":2,"stop":"END"}"#,
        );
        let losses: Vec<_> =
            request.unmapped.iter().map(|field| (field.field.as_str(), field.required)).collect();
        assert_eq!(losses, [("n", true), ("logit_bias", true), ("min_p", false), ("prediction", false)]);
        assert_eq!(request.reasoning.effort, Some(Effort::Low));
        assert_eq!(request.tool_choice, Some(ToolChoice::Required));
        assert_eq!((request.logprobs, request.stop.as_slice()), (Some(2), ["END".to_owned()].as_slice()));
    }

    #[test]
    fn without_messages_it_is_no_request() {
        for json in [r"{}", r#"{"messages":"hi"}"#, r#"{"messages":[1]}"#] {
            assert!(read(&Object::parse(json.as_bytes()).unwrap()).is_err());
        }
    }
}
