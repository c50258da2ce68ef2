use dialects::Dialect;

use super::write;
use crate::chat::read_request;
use crate::form::{
    Media, MediaKind, MediaSource, Message, Opaque, OpaqueKind, Owner, Part, PartKind, Request, Role,
    ToolCall, ToolInput, ToolResult,
};
use crate::json::Object;
use crate::names::ToolNames;
use crate::target::{Losses, Target};

const COMPATIBLE: Target<'static> =
    Target { dialect: Dialect::OpenAiChat, provider: "p", model: "m", is_official: false, refuses: &[] };

fn messages(turns: Vec<Message>, target: &Target<'_>) -> Result<String, String> {
    let request = Request { turns, ..Request::default() };
    let (mut names, mut losses) = (ToolNames::default(), Losses::default());
    let written = write(&request, target, &mut names, &mut losses).finish();
    losses.finish(written, names).map(|written| written.body).map_err(|refused| refused[0].to_string())
}

fn turn_of(role: Role, kinds: Vec<PartKind>) -> Message {
    Message { role, parts: kinds.into_iter().map(Part::new).collect() }
}

fn text(text: &str) -> PartKind {
    PartKind::Text(text.to_owned())
}

fn call(id: &str) -> PartKind {
    let input = ToolInput::Json("{ }".to_owned());
    PartKind::ToolCall(ToolCall {
        id: id.to_owned(),
        name: "f".to_owned(),
        namespace: Some("ns".to_owned()),
        input,
    })
}

fn result(id: &str, is_error: bool, content: Vec<PartKind>) -> PartKind {
    let content = content.into_iter().map(Part::new).collect();
    PartKind::ToolResult(ToolResult {
        id: id.to_owned(),
        name: None,
        is_error,
        is_custom: false,
        content,
        json: None,
    })
}

fn image() -> PartKind {
    let source = MediaSource::Base64 { media_type: "image/png".to_owned(), data: "iVBO".to_owned() };
    PartKind::Media(Media { kind: MediaKind::Image, source, name: None, detail: None })
}

fn wire_call(id: &str) -> String {
    format!(r#"{{"id":"{id}","type":"function","function":{{"name":"ns__f","arguments":"{{ }}"}}}}"#)
}

#[test]
fn results_follow_their_calls_in_order() {
    let turns = vec![
        turn_of(Role::User, vec![text("u")]),
        turn_of(Role::Assistant, vec![text("a")]),
        turn_of(Role::Assistant, vec![call("c0"), call("c1")]),
        turn_of(Role::System, vec![text("s")]),
        turn_of(
            Role::User,
            vec![text("b"), result("c1", true, vec![text("bad")]), result("c0", false, vec![image()])],
        ),
    ];
    let expected = [
        r#"{"role":"user","content":"u"}"#.to_owned(),
        format!(r#"{{"role":"assistant","content":"a","tool_calls":[{},{}]}}"#, wire_call("c0"), wire_call("c1")),
        r#"{"role":"tool","tool_call_id":"c0","content":"(What the tool returned besides text is in the next user message.)"}"#.to_owned(),
        r#"{"role":"tool","tool_call_id":"c1","content":"Error: bad"}"#.to_owned(),
        concat!(
            r#"{"role":"user","content":[{"type":"text","text":"From the result of tool call c0:"},"#,
            r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBO"}}]}"#
        )
        .to_owned(),
        r#"{"role":"system","content":"s"}"#.to_owned(),
        r#"{"role":"user","content":"b"}"#.to_owned(),
    ];
    assert_eq!(messages(turns, &COMPATIBLE).unwrap(), format!("[{}]", expected.join(",")));
}

#[test]
fn ids_that_come_again_are_paired_in_turn() {
    let round = |answer: &str| {
        [
            turn_of(Role::Assistant, vec![call("0")]),
            turn_of(Role::User, vec![result("0", false, vec![text(answer)])]),
        ]
    };
    let turns: Vec<Message> = round("one").into_iter().chain(round("two")).collect();
    let written = messages(turns, &COMPATIBLE).unwrap();
    assert!(written.find("one").unwrap() < written.find("two").unwrap(), "{written}");
    let orphan = vec![turn_of(Role::User, vec![result("x", false, vec![text("y")])])];
    assert_eq!(messages(orphan, &COMPATIBLE).unwrap_err(), "`tool_call_id` x answers no call before it");
}

#[test]
fn ids_fit_the_provider() {
    let of = |model| {
        let turns = vec![
            turn_of(Role::Assistant, vec![call("functions.f:0")]),
            turn_of(Role::User, vec![result("functions.f:0", false, vec![text("y")])]),
        ];
        messages(turns, &Target { model, ..COMPATIBLE }).unwrap()
    };
    assert_eq!(of("kimi-k3").matches("functions.f:0").count(), 2);
    let mistral = of("mistral-large");
    let id = mistral.split(r#""tool_call_id":""#).nth(1).unwrap().split('"').next().unwrap();
    assert_eq!((id.len(), mistral.matches(id).count()), (9, 2));
}

#[test]
fn reasoning_goes_back_to_its_owner_alone() {
    let table = [
        (OpaqueKind::PlainText, "", r#""content":"a","reasoning_content":"r""#),
        (OpaqueKind::PlainText, "reasoning", r#""content":"a","reasoning":"r""#),
        (OpaqueKind::PlainText, r#"[{"x":1}]"#, r#""content":"a","reasoning_details":[{"x":1}]"#),
        (
            OpaqueKind::PlainText,
            "thinking",
            r#""content":[{"type":"thinking","thinking":[{"type":"text","text":"r"}]},{"type":"text","text":"a"}]"#,
        ),
        (OpaqueKind::Signature, "S", r#""content":"a""#),
    ];
    for (kind, data, expected) in table {
        let written = |owner| {
            let opaque = Some(Opaque { kind, data: data.to_owned(), id: None, owner });
            let reasoning = PartKind::Reasoning { text: "r".to_owned(), opaque };
            messages(vec![turn_of(Role::Assistant, vec![reasoning, text("a")])], &COMPATIBLE).unwrap()
        };
        let owner = |model: &str| Some(Owner { provider: "p".to_owned(), model: model.to_owned() });
        assert_eq!(written(owner("m")), format!(r#"[{{"role":"assistant",{expected}}}]"#));
        for other in [owner("other"), None] {
            assert_eq!(written(other), r#"[{"role":"assistant","content":"a"}]"#);
        }
    }
}

#[test]
fn a_thought_signature_stays_with_its_call() {
    let owner = Some(Owner { provider: "p".to_owned(), model: "m".to_owned() });
    let opaque = Some(Opaque { kind: OpaqueKind::ThoughtSignature, data: "S".to_owned(), id: None, owner });
    let reasoning = PartKind::Reasoning { text: String::new(), opaque };
    let written =
        messages(vec![turn_of(Role::Assistant, vec![call("a"), reasoning, call("b")])], &COMPATIBLE).unwrap();
    let extra = r#","extra_content":{"google":{"thought_signature":"S"}}}]"#;
    assert!(written.contains(extra) && written.matches("extra_content").count() == 1, "{written}");
}

#[test]
fn texts_are_parts_or_one_string() {
    let user = || vec![turn_of(Role::User, vec![text("a"), text(""), text("b")])];
    assert_eq!(messages(user(), &COMPATIBLE).unwrap(), r#"[{"role":"user","content":"a\nb"}]"#);
    let official = Target { is_official: true, ..COMPATIBLE };
    assert_eq!(
        messages(user(), &official).unwrap(),
        r#"[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]"#
    );
}

#[test]
fn what_was_read_is_written_again() {
    let json = concat!(
        r#"[{"role":"system","content":"s"},{"role":"user","content":[{"type":"text","text":"u"},"#,
        r#"{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}]},"#,
        r#"{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"b\": 1, \"a\":2}"}}]},"#,
        r#"{"role":"tool","tool_call_id":"c","content":"r"},{"role":"user","content":"go on"}]"#
    );
    let body = format!(r#"{{"messages":{json}}}"#);
    let request = read_request(&Object::parse(body.as_bytes()).unwrap()).unwrap();
    let (mut names, mut losses) = (ToolNames::default(), Losses::default());
    assert_eq!(write(&request, &COMPATIBLE, &mut names, &mut losses).finish(), json);
}
