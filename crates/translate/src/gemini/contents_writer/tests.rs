//! Tests of its parent.

use dialects::Dialect;

use super::Conversation;
use crate::form::{
    Media, MediaKind, MediaSource, Message, Opaque, OpaqueKind, Owner, Part, PartKind, Role, ToolCall,
    ToolInput, ToolResult,
};
use crate::names::ToolNames;
use crate::target::Losses;

fn target(model: &str) -> crate::target::Target<'_> {
    crate::target::Target {
        dialect: Dialect::Gemini,
        provider: "google",
        model,
        is_official: true,
        refuses: &[],
    }
}

/// The contents, or the reasons against them.
fn written(turns: &[Message], model: &str) -> Result<String, String> {
    let (mut names, mut losses) = (ToolNames::default(), Losses::default());
    let contents = Conversation::new(&target(model), &mut names, &mut losses).write(turns).finish();
    let refused =
        |refused: Vec<crate::CannotCarry>| refused.iter().map(ToString::to_string).collect::<String>();
    losses.finish(contents, names).map(|written| written.body).map_err(refused)
}

fn turn_of(role: Role, kinds: Vec<PartKind>) -> Message {
    Message { role, parts: kinds.into_iter().map(Part::new).collect() }
}

fn text(text: &str) -> PartKind {
    PartKind::Text(text.to_owned())
}

fn call(id: &str, name: &str, args: &str) -> PartKind {
    let input = ToolInput::Json(args.to_owned());
    PartKind::ToolCall(ToolCall { id: id.to_owned(), name: name.to_owned(), namespace: None, input })
}

fn result(id: &str, said: &str, is_error: bool, image: bool) -> PartKind {
    let mut content = vec![Part::text(said)];
    if image {
        let source = MediaSource::Base64 { media_type: "image/png".to_owned(), data: "iVBO".to_owned() };
        content.push(Part::new(PartKind::Media(Media {
            kind: MediaKind::Image,
            source,
            name: None,
            detail: None,
        })));
    }
    PartKind::ToolResult(ToolResult {
        id: id.to_owned(),
        name: None,
        is_error,
        is_custom: false,
        content,
        json: None,
    })
}

fn signed(data: &str, model: &str, said: &str) -> PartKind {
    let owner = Some(Owner { provider: "google".to_owned(), model: model.to_owned() });
    let opaque = Opaque { kind: OpaqueKind::ThoughtSignature, data: data.to_owned(), id: None, owner };
    PartKind::Reasoning { text: said.to_owned(), opaque: Some(opaque) }
}

#[test]
fn results_stand_together_in_the_order_of_the_calls() {
    let turns = [
        turn_of(Role::User, vec![text("go")]),
        turn_of(Role::Assistant, vec![text(""), call("1", "a", "")]),
        turn_of(Role::Assistant, vec![call("2", "b", "{\"x\" : 1}"), call("3", "c", "{\"x")]),
        turn_of(Role::User, vec![result("3", "no", true, false)]),
        turn_of(Role::System, vec![text("be quick")]),
        turn_of(Role::User, vec![result("1", "{\"y\":1.0}", false, true), result("2", "two", false, false)]),
    ];
    let head = r#"[{"role":"user","parts":[{"text":"go"}]},{"role":"model","parts":[{"functionCall":{"id":"1","name":"a","args":{}}"#;
    let calls = r#"},{"functionCall":{"id":"2","name":"b","args":{"x" : 1}}},{"functionCall":{"id":"3","name":"c","args":{"_raw":"{\"x"}}}]},{"role":"user","parts":[{"functionResponse":{"id":"1","name":"a","response":{"y":1.0}"#;
    let results = r#"}},{"functionResponse":{"id":"2","name":"b","response":{"output":"two"}}},{"functionResponse":{"id":"3","name":"c","response":{"error":"no"}}},"#;
    let image = r#"{"inlineData":{"mimeType":"image/png","data":"iVBO"}}"#;
    let tail = r#"{"text":"<system-reminder>\nbe quick\n</system-reminder>"}]}]"#;
    assert_eq!(written(&turns, "gemini-2.5-pro").unwrap(), format!("{head}{calls}{results}{image},{tail}"));
    // Gemini 3 wants a signature, and sees images in results.
    let skip = r#","thoughtSignature":"skip_thought_signature_validator""#;
    let expected = format!(r#"{head}{skip}{calls},"parts":[{image}]{results}{tail}"#);
    assert_eq!(written(&turns, "gemini-3-pro").unwrap(), expected);
}

#[test]
fn signatures_go_back_to_their_parts_and_their_maker() {
    let model = "gemini-3-pro";
    // As a chat client sends it: all reasoning first.
    let reasoning = || {
        vec![signed("call 2 Bg==", model, ""), signed("thought Aa==", model, "hm"), signed("Cg==", model, "")]
    };
    let said = || vec![text("x"), call("1", "a", "{}"), call("2", "a", "{}")];
    let results = vec![result("1", "", false, false), result("2", "", false, false)];
    let turns = |reasoning: Vec<PartKind>| {
        [
            turn_of(Role::User, vec![text("go")]),
            turn_of(Role::Assistant, reasoning.into_iter().chain(said()).collect()),
            turn_of(Role::User, results.clone()),
        ]
    };
    let got = written(&turns(reasoning()), model).unwrap();
    let expected = r#"{"role":"model","parts":[{"text":"hm","thought":true,"thoughtSignature":"Aa=="},{"text":"x","thoughtSignature":"Cg=="},{"functionCall":{"id":"1","name":"a","args":{}},"thoughtSignature":"skip_thought_signature_validator"},{"functionCall":{"id":"2","name":"a","args":{}},"thoughtSignature":"Bg=="}]}"#;
    assert!(got.contains(expected), "{got}");
    let other = written(&turns(reasoning()), "gemini-2.5-pro").unwrap();
    assert!(!other.contains("thought") && !other.contains("hm"), "{other}");
    // A signature of nothing that follows stands on an empty text.
    let turns = [
        turn_of(Role::User, vec![text("go")]),
        turn_of(Role::Assistant, vec![text("x"), signed("Cg==", model, "")]),
        turn_of(Role::User, vec![text("on")]),
    ];
    let expected = r#"{"role":"model","parts":[{"text":"x"},{"text":"","thoughtSignature":"Cg=="}]}"#;
    assert!(written(&turns, model).unwrap().contains(expected));
}

#[test]
fn what_gemini_would_refuse() {
    let user = || turn_of(Role::User, vec![text("go")]);
    let cases = [
        (vec![], "nothing that Gemini could answer"),
        (vec![user(), turn_of(Role::Assistant, vec![text("I")])], "own turn"),
        (vec![user(), turn_of(Role::Assistant, vec![call("1", "a", "{}")])], "`1`, but no result"),
        (vec![user(), turn_of(Role::Assistant, vec![call("1", "a", "{}")]), user()], "`1`, but no result"),
        (
            vec![user(), turn_of(Role::User, vec![result("9", "x", false, false)])],
            "`9`, which answers no call",
        ),
    ];
    for (turns, expected) in cases {
        let reason = written(&turns, "gemini-2.5-pro").unwrap_err();
        assert!(reason.contains(expected), "{reason}");
    }
}

#[test]
fn a_history_may_begin_with_a_call() {
    let turns = [
        turn_of(Role::Assistant, vec![call("1", "a", "{}")]),
        turn_of(Role::User, vec![result("1", "x", false, false)]),
    ];
    let contents = written(&turns, "gemini-2.5-pro").unwrap();
    assert!(contents.starts_with(r#"[{"role":"user","parts":[{"text":" "}]},{"role":"model""#), "{contents}");
}
