//! Writes a request.

use super::content::Style;
use super::{message_writer, tools};
use crate::abilities::Thinking;
use crate::form::{Effort, Format, Request};
use crate::json::{ArrayWriter, ObjectWriter};
use crate::names::{self, OPENAI_TOOL_NAME, ToolNames};
use crate::target::{CannotCarry, Losses, Target, Written};

/// OpenAI takes no more stop sequences.
const MOST_STOPS: usize = 4;
/// OpenAI takes no longer ids of users.
const LONGEST_USER: usize = 64;

pub(crate) fn write(request: &Request, target: &Target<'_>) -> Result<Written, Vec<CannotCarry>> {
    let mut losses = Losses::default();
    let mut names = ToolNames::default();
    let mut body = ObjectWriter::new().str("model", target.model);
    body = body.array("messages", message_writer::write(request, target, &mut names, &mut losses));
    body = tools::write(body, request, target, &mut names, &mut losses);
    body = write_limits(body, request, target, &mut losses);
    body = write_sampling(body, request, target, &mut losses);
    body = write_format(body, request);
    body = write_reasoning(body, request, target, &mut losses);
    body = write_account(body, request, target, &mut losses);
    if request.stream {
        body = body.bool("stream", true);
        if target.takes("stream_options") {
            body = body.object("stream_options", ObjectWriter::new().bool("include_usage", true));
        }
    }
    for unmapped in &request.unmapped {
        if unmapped.required {
            losses.refuse(unmapped.field.as_str(), "has no counterpart in OpenAI Chat Completions");
        } else {
            losses.drop(unmapped.field.as_str());
        }
    }
    losses.finish(body.finish(), names)
}

fn write_limits(
    body: ObjectWriter,
    request: &Request,
    target: &Target<'_>,
    losses: &mut Losses,
) -> ObjectWriter {
    // Reasoning models of OpenAI's refuse `max_tokens`; most compatible servers know nothing else.
    let field = if target.is_official { "max_completion_tokens" } else { "max_tokens" };
    let body = body.maybe(request.max_tokens, |body, most| body.u64(field, most));
    if request.stop.is_empty() {
        return body;
    }
    if !target.abilities().stop {
        losses.refuse("stop", "is not taken by this model");
    } else if target.is_official && request.stop.len() > MOST_STOPS {
        losses.refuse(
            "stop",
            format!("has more than the {MOST_STOPS} sequences that OpenAI Chat Completions takes"),
        );
    }
    let mut stops = ArrayWriter::new();
    request.stop.iter().for_each(|stop| stops.push_str(stop));
    body.array("stop", stops)
}

fn write_sampling(
    mut body: ObjectWriter,
    request: &Request,
    target: &Target<'_>,
    losses: &mut Losses,
) -> ObjectWriter {
    let sampling = &request.sampling;
    if request.logprobs.is_some() {
        // A translated answer has no place for them.
        losses.refuse("logprobs", "are not translated from OpenAI Chat Completions");
    }
    losses.drop_if(sampling.top_k.is_some(), "top_k");
    let clamped = sampling.temperature.map(|temperature| temperature.clamp(0.0, 2.0));
    losses.drop_if(clamped != sampling.temperature, "temperature");
    let values = [
        ("temperature", clamped),
        ("top_p", sampling.top_p),
        ("frequency_penalty", sampling.frequency_penalty),
        ("presence_penalty", sampling.presence_penalty),
    ];
    for (field, value) in values {
        if target.abilities().sampling && target.takes(field) {
            body = body.maybe(value, |body, value| body.f64(field, value));
        } else {
            losses.drop_if(value.is_some(), field);
        }
    }
    let seed = sampling.seed.filter(|_| target.takes("seed"));
    losses.drop_if(seed.is_none() && sampling.seed.is_some(), "seed");
    body.maybe(seed, |body, seed| body.json("seed", &seed.to_string()))
}

fn write_format(body: ObjectWriter, request: &Request) -> ObjectWriter {
    let format = match &request.format {
        None => return body,
        Some(Format::JsonObject) => ObjectWriter::of_type("json_object"),
        Some(Format::JsonSchema { name, description, schema, strict }) => {
            let name = name.as_deref().filter(|name| !name.is_empty()).unwrap_or("response");
            let inner = ObjectWriter::new()
                .str("name", &names::fit(name, OPENAI_TOOL_NAME))
                .maybe(description.as_deref(), |inner, text| inner.str("description", text))
                .raw("schema", schema)
                .maybe(*strict, |inner, strict| inner.bool("strict", strict));
            ObjectWriter::of_type("json_schema").object("json_schema", inner)
        }
    };
    body.object("response_format", format)
}

/// Nothing is written where nothing was said: the model's own default is right.
fn write_reasoning(
    body: ObjectWriter,
    request: &Request,
    target: &Target<'_>,
    losses: &mut Losses,
) -> ObjectWriter {
    let wish = &request.reasoning;
    let off = (wish.enabled == Some(false)).then_some(Effort::None);
    let asked = off.or(wish.effort).or_else(|| wish.budget.map(Effort::of_budget));
    let Some(asked) = asked else { return body };
    if !target.takes("reasoning_effort") {
        losses.drop("reasoning_effort");
        return body;
    }
    match target.abilities().thinking {
        Thinking::No => {
            losses.drop_if(asked != Effort::None, "reasoning_effort");
            body
        }
        Thinking::Effort { least, greatest } => {
            let effort = asked.clamp(least, greatest.max(least));
            losses.drop_if(effort != asked, "reasoning_effort");
            body.str("reasoning_effort", effort.as_str())
        }
        // Nobody named this effort, and several servers know none above `high` (router-for-me/CLIProxyAPI#1572).
        _ if off.or(wish.effort).is_none() => body.str("reasoning_effort", asked.min(Effort::High).as_str()),
        _ => body.str("reasoning_effort", asked.as_str()),
    }
}

/// What concerns the account: caches, users, tiers. Compatible servers refuse what they do not know.
fn write_account(
    mut body: ObjectWriter,
    request: &Request,
    target: &Target<'_>,
    losses: &mut Losses,
) -> ObjectWriter {
    // OpenAI takes metadata with what it stores, and a translated answer stores nothing.
    losses.drop_if(request.metadata.is_some(), "metadata");
    // OpenAI caches without being asked.
    losses.drop_if(request.cache.is_some() && !Style::of(target).breakpoints, "cache_control");
    let tier = |tier: &&String| matches!(tier.as_str(), "auto" | "default" | "flex" | "scale" | "priority");
    let verbosity = |word: &&String| matches!(word.as_str(), "low" | "medium" | "high");
    let fields = [
        ("prompt_cache_key", request.cache_key.as_ref()),
        ("service_tier", request.service_tier.as_ref().filter(tier)),
        ("verbosity", request.verbosity.as_ref().filter(verbosity)),
    ];
    let said = [request.cache_key.is_some(), request.service_tier.is_some(), request.verbosity.is_some()];
    for ((field, value), said) in fields.into_iter().zip(said) {
        match value {
            Some(value) if target.is_official => body = body.str(field, value),
            _ => losses.drop_if(said, field),
        }
    }
    match &request.user {
        Some(user) if user.len() <= LONGEST_USER && target.takes("user") => body.str("user", user),
        Some(_) => {
            losses.drop("user");
            body
        }
        None => body,
    }
}

#[cfg(test)]
mod tests {
    use dialects::Dialect;

    use super::write;
    use crate::chat::read_request;
    use crate::form::{CacheTtl, Effort, Message, Part, PartKind, Request, Role};
    use crate::json::Object;
    use crate::target::{CannotCarry, Target, Written};

    fn target(is_official: bool) -> Target<'static> {
        Target { dialect: Dialect::OpenAiChat, provider: "p", model: "m", is_official, refuses: &[] }
    }

    fn rewritten(json: &str, is_official: bool) -> Result<Written, Vec<CannotCarry>> {
        let request = read_request(&Object::parse(json.as_bytes()).unwrap()).unwrap();
        write(&request, &target(is_official))
    }

    #[test]
    fn what_a_vendor_refuses_is_left_out_and_named() {
        let json = r#"{"messages":[{"role":"user","content":"u"}],"max_tokens":5,"stream":true,"seed":7,"user":"id",
            "presence_penalty":1,"reasoning_effort":"high","parallel_tool_calls":false,"temperature":0.5,
            "tools":[{"type":"function","function":{"name":"f"}}]}"#;
        let request = read_request(&Object::parse(json.as_bytes()).unwrap()).unwrap();
        let refuses =
            ["stream_options", "seed", "user", "presence_penalty", "reasoning_effort", "parallel_tool_calls"];
        let written = write(&request, &Target { refuses: &refuses, ..target(false) }).unwrap();
        for field in refuses {
            assert!(!written.body.contains(&format!("\"{field}\":")), "{}", written.body);
        }
        assert!(written.body.contains(r#""max_tokens":5,"temperature":0.5"#), "{}", written.body);
        // Nobody asked for the usage of the stream but the writer itself.
        let mut dropped = written.dropped;
        dropped.sort();
        assert_eq!(dropped, ["parallel_tool_calls", "presence_penalty", "reasoning_effort", "seed", "user"]);
    }

    fn body(json: &str, is_official: bool) -> String {
        rewritten(json, is_official).unwrap().body
    }

    #[test]
    fn each_server_gets_what_it_knows() {
        let json = r#"{"messages":[{"role":"system","content":"s"},{"role":"user","content":"u"}],"max_tokens":5,
            "prompt_cache_key":"k","service_tier":"flex","verbosity":"low","top_k":3,"stream":true,"user":"id",
            "metadata":{"a":"b"},"reasoning_effort":"high"}"#;
        assert_eq!(
            body(json, true),
            r#"{"model":"m","messages":[{"role":"developer","content":"s"},{"role":"user","content":"u"}],"max_completion_tokens":5,"reasoning_effort":"high","prompt_cache_key":"k","service_tier":"flex","verbosity":"low","user":"id","stream":true,"stream_options":{"include_usage":true}}"#
        );
        let compatible = rewritten(json, false).unwrap();
        assert_eq!(
            compatible.body,
            r#"{"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":"u"}],"max_tokens":5,"reasoning_effort":"high","user":"id","stream":true,"stream_options":{"include_usage":true}}"#
        );
        let dropped = ["top_k", "metadata", "prompt_cache_key", "service_tier", "verbosity"];
        assert_eq!(compatible.dropped, dropped);
    }

    #[test]
    fn what_changes_the_answer_is_refused() {
        let message = r#""messages":[{"role":"user","content":"u"}]"#;
        let table = [
            (r#""n":2"#, "n"),
            (r#""logprobs":true"#, "logprobs"),
            (r#""logit_bias":{"1":1}"#, "logit_bias"),
            (r#""tools":[{"type":"web_search"}]"#, "web_search"),
            (r#""stop":["a","b","c","d","e"]"#, "stop"),
        ];
        for (field, name) in table {
            let refused = rewritten(&format!("{{{message},{field}}}"), true).unwrap_err();
            assert_eq!(refused[0].field, name);
        }
        let beside = r#""tools":[{"type":"web_search"},{"type":"function","function":{"name":"f"}}]"#;
        assert_eq!(rewritten(&format!("{{{message},{beside}}}"), true).unwrap().dropped, ["web_search"]);
        let prefill = r#"{"messages":[{"role":"user","content":"u"},{"role":"assistant","content":"{"}]}"#;
        assert!(rewritten(prefill, true).is_err() && rewritten(prefill, false).is_ok());
    }

    #[test]
    fn reasoning_is_asked_for_only_where_it_was() {
        let message = r#""messages":[{"role":"user","content":"u"}]"#;
        let effort = |field: &str| {
            let body = body(&format!("{{{message}{field}}}"), false);
            Object::parse(body.as_bytes()).unwrap().string("reasoning_effort")
        };
        assert_eq!(effort(""), None);
        assert_eq!(effort(r#","thinking":{"type":"enabled"}"#), None);
        assert_eq!(effort(r#","thinking":{"type":"disabled"}"#).as_deref(), Some("none"));
        assert_eq!(effort(r#","reasoning":{"max_tokens":4000}"#).as_deref(), Some(Effort::Medium.as_str()));
        assert_eq!(effort(r#","reasoning":{"max_tokens":31999}"#).as_deref(), Some("high"), "Claude Code's");
        assert_eq!(effort(r#","reasoning_effort":"xhigh""#).as_deref(), Some("xhigh"));
    }

    #[test]
    fn formats_and_choices_keep_their_json() {
        let fields = concat!(
            r#""tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"b": 1,"a":2},"strict":true}}],"#,
            r#""tool_choice":{"type":"function","function":{"name":"f"}},"parallel_tool_calls":false,"#,
            r#""temperature":0.5,"stop":["x"],"seed":7,"#,
            r#""response_format":{"type":"json_schema","json_schema":{"name":"n","description":"d","schema":{"z": [1, 2]},"strict":false}}"#
        );
        let body = body(&format!(r#"{{"messages":[{{"role":"user","content":"u"}}],{fields}}}"#), true);
        for field in [
            r#""parameters":{"b": 1,"a":2}"#,
            r#""tool_choice":{"type":"function","function":{"name":"f"}},"parallel_tool_calls":false"#,
            r#""json_schema":{"name":"n","description":"d","schema":{"z": [1, 2]},"strict":false}"#,
            r#""stop":["x"],"temperature":0.5,"seed":7"#,
        ] {
            assert!(body.contains(field), "{field} in {body}");
        }
    }

    #[test]
    fn allowed_tools_and_freeform_tools_are_carried() {
        let json = r#"{"messages":[{"role":"user","content":"u"}],"tools":[{"type":"function","function":{"name":"f"}},
            {"type":"custom","custom":{"name":"g","format":{"type":"grammar","grammar":{"syntax":"lark","definition":"start: x"}}}}],
            "tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"custom","custom":{"name":"g"}}]}}}"#;
        let compatible = rewritten(json, false).unwrap();
        assert_eq!(compatible.dropped, ["format"]);
        assert!(
            !compatible.body.contains(r#""name":"f""#)
                && compatible.body.contains(r#""tool_choice":"required""#)
        );
        assert!(compatible.body.contains("grammar (lark):\\nstart: x"), "{}", compatible.body);
        assert!(compatible.names.restore("g").custom);
        assert!(body(json, true).contains(r#""allowed_tools":{"mode":"required","tools":["#));
    }

    #[test]
    fn cache_marks_go_where_they_are_known() {
        let part = Part { cache: Some(CacheTtl::Hour1), ..Part::text("u") };
        let turns = vec![Message { role: Role::User, parts: vec![part] }];
        let request = Request { turns, ..Request::default() };
        let known = Target { model: "gpt-5.6", ..target(true) };
        let mark = r#"{"type":"text","text":"u","prompt_cache_breakpoint":{"mode":"explicit","ttl":"30m"}}"#;
        assert!(write(&request, &known).unwrap().body.contains(mark));
        let other = write(&request, &target(false)).unwrap();
        assert_eq!((other.dropped.len(), other.body.contains("breakpoint")), (1, false));
        assert!(matches!(request.turns[0].parts[0].kind, PartKind::Text(_)));
    }
}
