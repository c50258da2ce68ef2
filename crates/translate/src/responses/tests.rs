//! Requests: what is read of them, and what is written. [`answers`] are beside.

mod answers;

use dialects::Dialect;

use super::{read_request, write_request, write_response};
use crate::form::{
    Block, Effort, Event, Finish, FinishReason, Message, Opaque, OpaqueKind, Owner, Part, PartKind,
    Reasoning, Request, Role, ToolKind, ToolResult,
};
use crate::json::Object;
use crate::names::ToolNames;
use crate::target::{AnswerContext, Target, Written};

fn owner() -> Owner {
    Owner { provider: "openai".to_owned(), model: "gpt-5.5".to_owned() }
}

fn context() -> AnswerContext {
    AnswerContext {
        owner: owner(),
        names: ToolNames::default(),
        has_namespaces: false,
        include_usage: false,
        show_reasoning: false,
        json_array: false,
        created: 7,
        request_id: "req_1".to_owned(),
        echo: String::new(),
    }
}

fn request(json: &str) -> Request {
    read_request(&Object::parse(json.as_bytes()).unwrap()).unwrap()
}

fn target(model: &'static str) -> Target<'static> {
    Target { dialect: Dialect::OpenAiResponses, provider: "openai", model, is_official: true, refuses: &[] }
}

fn written(json: &str, model: &'static str) -> Written {
    write_request(&request(json), &target(model)).unwrap()
}

fn refused(json: &str, model: &'static str) -> Vec<String> {
    write_request(&request(json), &target(model)).unwrap_err().iter().map(ToString::to_string).collect()
}

fn delta(text: &str) -> Event {
    Event::Delta(text.to_owned())
}

fn finish(reason: FinishReason) -> Event {
    Event::Finish(Finish::new(reason))
}

#[test]
fn items_become_turns() {
    let request = request(
        r#"{"instructions":"Be brief.","input":[
            {"type":"message","role":"developer","content":[{"type":"input_text","text":"Rules"}]},
            {"role":"user","content":"Hi"},
            {"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"a"},{"type":"summary_text","text":"b"}],"encrypted_content":"gAAA"},
            {"type":"message","role":"assistant","content":[{"type":"output_text","text":"Let me see","annotations":[]}]},
            {"type":"function_call","call_id":"c1","name":"f","arguments":"{\"a\": 1}"},
            {"type":"custom_tool_call","call_id":"c2","name":"patch","input":"*** x"},
            {"type":"function_call_output","call_id":"c1","output":[{"type":"input_text","text":"ok"},{"type":"input_image","image_url":"data:image/png;base64,aGk="}]},
            {"type":"custom_tool_call_output","call_id":"c2","output":"done"},
            {"role":"system","content":"Hurry"},
            {"type":"web_search_call","id":"ws_1","status":"completed"}]}"#,
    );
    assert_eq!(request.system.len(), 2);
    let shape: Vec<(Role, usize)> = request.turns.iter().map(|turn| (turn.role, turn.parts.len())).collect();
    let expected =
        [(Role::User, 1), (Role::Assistant, 4), (Role::User, 2), (Role::System, 1), (Role::Assistant, 1)];
    assert_eq!(shape, expected);
    let PartKind::Reasoning { text, opaque: Some(opaque) } = &request.turns[1].parts[0].kind else {
        panic!()
    };
    assert_eq!((text.as_str(), opaque.id.as_deref(), &opaque.owner), ("a\n\nb", Some("rs_1"), &None));
    assert!(matches!(&request.turns[4].parts[0].kind, PartKind::Foreign(kind) if kind == "web_search_call"));
}

#[test]
fn the_own_format_keeps_what_the_form_can_say() {
    let body = r#"{"model":"gpt-5.5","instructions":"Be brief.","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"a"},{"type":"input_image","detail":"high","image_url":"https://x/y.png"},{"type":"input_file","filename":"r.pdf","file_data":"data:application/pdf;base64,aGk="}]},{"type":"message","role":"assistant","content":"b"},{"type":"function_call","call_id":"c1","name":"f","namespace":"ns","arguments":"{\"a\": 1}"},{"type":"custom_tool_call","call_id":"c2","name":"patch","input":"*** x"},{"type":"function_call_output","call_id":"c1","output":[{"type":"input_text","text":"ok"},{"type":"input_image","detail":"auto","image_url":"data:image/png;base64,aGk="}]},{"type":"custom_tool_call_output","call_id":"c2","output":"done"},{"type":"message","role":"developer","content":"Hurry"}],"tools":[{"type":"namespace","name":"ns","description":"ns","tools":[{"type":"function","name":"f","description":"d","parameters":{"type":"object", "properties":{}},"strict":false}]},{"type":"custom","name":"patch","description":"d","format":{"type":"grammar","syntax":"lark","definition":"start: /x/"}}],"tool_choice":{"type":"custom","name":"patch"},"parallel_tool_calls":false,"max_output_tokens":99,"reasoning":{"effort":"high","summary":"auto"},"text":{"format":{"type":"json_schema","name":"n","schema":{"type":"string"},"strict":true},"verbosity":"low"},"include":["reasoning.encrypted_content"],"prompt_cache_key":"k","user":"u","metadata":{"a":"b"},"service_tier":"flex","store":false,"stream":true}"#;
    let written = written(body, "gpt-5.5");
    assert_eq!(written.body, body);
    assert_eq!(written.dropped, ["tools.description"]);
}

#[test]
fn a_request_of_codex_is_read_completely() {
    let request = request(
        r#"{"model":"gpt-5.5","stream":true,"tool_choice":"auto","parallel_tool_calls":true,"reasoning":{"effort":"medium"},"store":false,
            "include":["reasoning.encrypted_content"],"prompt_cache_key":"k","text":{"verbosity":"low"},"client_metadata":{"session_id":"s"},
            "input":[{"type":"message","id":"msg_1","role":"developer","content":[{"type":"input_text","text":"a"},{"type":"input_text","text":"b"}]},
                {"type":"message","id":"msg_2","role":"user","content":[{"type":"input_text","text":"Hi"}]},
                {"type":"tool_search_call","call_id":"c1","execution":"client","arguments":{"query":"q"}},
                {"type":"tool_search_output","call_id":"c1","tools":[{"type":"namespace","name":"mcp","tools":[{"type":"function","name":"found","parameters":{}}]}]},
                {"type":"additional_tools","role":"developer","tools":[{"type":"function","name":"exec_command"},{"type":"custom","name":"late"}]}],
            "tools":[{"type":"function","name":"exec_command","description":"d","strict":false,"parameters":{"type":"object"}},
                {"type":"custom","name":"apply_patch","description":"d","format":{"type":"grammar","syntax":"lark","definition":"x"}},
                {"type":"tool_search","execution":"client","parameters":{}},{"type":"web_search","external_web_access":true}]}"#,
    );
    assert_eq!((request.system.len(), request.turns.len(), request.stream), (2, 3, true));
    let names: Vec<_> = request
        .tools
        .iter()
        .map(|tool| match &tool.kind {
            ToolKind::Function { name, namespace: Some(namespace), .. } => format!("{namespace}.{name}"),
            ToolKind::Function { name, .. } | ToolKind::Custom { name, .. } | ToolKind::Hosted { name } => {
                name.clone()
            }
        })
        .collect();
    assert_eq!(names, ["exec_command", "apply_patch", "tool_search", "web_search", "mcp.found", "late"]);
    let unmapped: Vec<_> = request.unmapped.iter().map(|one| (one.field.as_str(), one.required)).collect();
    assert_eq!(unmapped, [("client_metadata", false)]);
}

#[test]
fn reasoning_goes_back_to_its_maker_alone() {
    let events = [
        Event::Start { id: None, model: None, created: None },
        Event::Open(Block::Reasoning),
        delta("thought"),
        Event::Opaque(Opaque {
            kind: OpaqueKind::Encrypted,
            data: "gAAA".to_owned(),
            id: Some("rs_9".to_owned()),
            owner: None,
        }),
        Event::Close,
        Event::Open(Block::Text),
        delta("said"),
        Event::Close,
        finish(FinishReason::Stop),
    ];
    let answer: serde_json::Value = serde_json::from_str(&write_response(&events, &context())).unwrap();
    let body = serde_json::json!({"input": [answer["output"][0], answer["output"][1], {"role": "user", "content": "on"}]});
    let body = body.to_string();
    let own = written(&body, "gpt-5.5").body;
    let item = r#"{"type":"reasoning","id":"rs_9","summary":[{"type":"summary_text","text":"thought"}],"encrypted_content":"gAAA"}"#;
    assert!(own.contains(item), "{own}");
    // Alone at the end it would be refused.
    let alone = written(&serde_json::json!({"input": [answer["output"][0]]}).to_string(), "gpt-5.5").body;
    assert!(!alone.contains("thought"), "{alone}");
    let others = written(&body, "gpt-5.4").body;
    assert!(!others.contains("thought") && !others.contains("gAAA"), "{others}");
}

#[test]
fn what_cannot_be_carried_is_refused_or_named() {
    assert_eq!(
        refused(r#"{"input":"x","stop":["END"]}"#, "gpt-4o"),
        ["`stop` has no counterpart in OpenAI Responses"]
    );
    let stored = r#"{"input":[{"type":"item_reference","id":"msg_1"}],"previous_response_id":"resp_1","background":true}"#;
    assert_eq!(refused(stored, "gpt-4o").len(), 3);
    let hosted = r#"{"input":"x","tools":[{"type":"web_search"}]}"#;
    assert_eq!(refused(hosted, "gpt-4o"), ["`web_search` has no counterpart in OpenAI Responses"]);
    let beside = r#"{"input":"x","seed":3,"temperature":0.2,"truncation":"auto","max_output_tokens":1,"tools":[{"type":"web_search"},{"type":"function","name":"f"}]}"#;
    let named = ["truncation", "web_search", "max_tokens", "temperature", "seed"];
    assert_eq!(written(beside, "o3").dropped, named);
    let blind = r#"{"input":[{"role":"user","content":[{"type":"input_image","image_url":"https://x"}]}]}"#;
    assert_eq!(refused(blind, "o3-mini"), ["`image` cannot be seen by o3-mini"]);
}

#[test]
fn a_model_gets_the_nearest_effort_that_it_takes() {
    let effort = |model, effort: Effort| {
        let reasoning = Reasoning { effort: Some(effort), ..Reasoning::default() };
        let written =
            write_request(&Request { reasoning, ..request(r#"{"input":"x"}"#) }, &target(model)).unwrap();
        let body: serde_json::Value = serde_json::from_str(&written.body).unwrap();
        (body["reasoning"]["effort"].as_str().map(ToOwned::to_owned), written.dropped.len())
    };
    let some = |word: &str| Some(word.to_owned());
    assert_eq!(effort("gpt-5", Effort::None), (some("minimal"), 1));
    assert_eq!(effort("gpt-5.5", Effort::Minimal), (some("low"), 1));
    assert_eq!(effort("gpt-5.5-2026-04-23", Effort::Xhigh), (some("xhigh"), 0));
    assert_eq!(effort("gpt-5-pro", Effort::Low), (some("high"), 1));
    assert_eq!(effort("gpt-4o-mini", Effort::Low), (None, 1));
    assert_eq!(effort("somebody/new", Effort::Max), (some("max"), 0));
}

#[test]
fn json_must_be_asked_for_in_a_message() {
    let body = r#"{"instructions":"In JSON.","input":"x","text":{"format":{"type":"json_object"}}}"#;
    let written = written(body, "gpt-4o").body;
    assert!(
        written.contains(r#""input":[{"type":"message","role":"developer","content":"In JSON."},"#),
        "{written}"
    );
}

#[test]
fn a_strict_schema_must_be_one() {
    let tool = r#"{"input":"x","tools":[{"type":"function","name":"f","parameters":{"type":"object","properties":{"a":{"type":"string"}}},"strict":true}]}"#;
    let written = written(tool, "gpt-4o");
    assert!(written.body.contains(r#""strict":false"#));
    assert_eq!(written.dropped, ["strict"]);
}

#[test]
fn a_failed_result_says_so() {
    let output = |text: &str, is_error: bool| {
        let content = vec![Part::text(text)];
        let result =
            ToolResult { id: "c".to_owned(), name: None, is_error, is_custom: false, content, json: None };
        let turn = Message { role: Role::User, parts: vec![Part::new(PartKind::ToolResult(result))] };
        let request = Request { turns: vec![turn], ..Request::default() };
        let body: serde_json::Value =
            serde_json::from_str(&write_request(&request, &target("gpt-4o")).unwrap().body).unwrap();
        body["input"][0]["output"].as_str().unwrap().to_owned()
    };
    assert_eq!(output("not found", true), "Error: not found");
    assert_eq!(output("Error: not found", true), "Error: not found");
    assert_eq!(
        (output("fine", false), output("\u{e9}\u{e9}\u{e9}", true)),
        ("fine".to_owned(), "Error: \u{e9}\u{e9}\u{e9}".to_owned())
    );
}

#[test]
fn a_choice_among_tools_names_only_those_that_are_there() {
    let body = |tools: &str| {
        let choice = format!(r#"{{"type":"allowed_tools","mode":"auto","tools":[{tools}]}}"#);
        let body = format!(
            r#"{{"input":"x","tool_choice":{choice},"tools":[{{"type":"function","name":"f"}},{{"type":"web_search"}}]}}"#
        );
        let body: serde_json::Value = serde_json::from_str(&written(&body, "gpt-4o").body).unwrap();
        body["tool_choice"].to_string()
    };
    let both = body(r#"{"type":"function","name":"f"},{"type":"web_search"}"#);
    assert_eq!(both, r#"{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"f"}]}"#);
    assert_eq!(body(r#"{"type":"web_search"}"#), r#""none""#);
}
