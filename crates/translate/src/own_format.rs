//! Bodies that pass in their own API format, but for reasoning (T5).
//!
//! Where caller and provider speak the same format, a body is not translated. Yet it may have envelopes in it, from
//! turns that a model of another format answered: [`restore_envelopes`] gives their owner its own values back, and
//! takes them out for anyone else. And a provider may refuse a signature that it did not make, which has no envelope:
//! then [`strip_reasoning`] takes out all reasoning for one more try. Everything else stays byte for byte.

mod chat;
mod edits;
mod gemini;
mod messages;
mod responses;
mod rule;

use bytes::Bytes;
use dialects::Dialect;

use crate::envelope;
use crate::json::Object;
use crate::target::Target;
use edits::Edits;
use rule::EditRule;

/// Restores our envelopes of the target's own reasoning, and takes out those of others, with the reasoning that they
/// belong to. `None`: there are none, so the body stays as it is.
#[must_use]
pub fn restore_envelopes(dialect: Dialect, body: &[u8], target: &Target<'_>) -> Option<Bytes> {
    if !envelope::may_contain(body) {
        return None;
    }
    edit(dialect, body, EditRule::Restore(target))
}

/// Takes out all reasoning. `None`: there is none.
#[must_use]
pub fn strip_reasoning(dialect: Dialect, body: &[u8]) -> Option<Bytes> {
    edit(dialect, body, EditRule::Strip)
}

fn edit(dialect: Dialect, body: &[u8], rule: EditRule<'_>) -> Option<Bytes> {
    let root = Object::parse(body)?;
    let mut edits = Edits::new(body);
    match dialect {
        Dialect::OpenAiChat => chat::edit(&root, rule, &mut edits),
        Dialect::OpenAiResponses => responses::edit(&root, rule, &mut edits),
        Dialect::Anthropic => messages::edit(&root, rule, &mut edits),
        Dialect::Gemini => gemini::edit(&root, rule, &mut edits),
        // No client writes it, so no envelope is in it.
        Dialect::BedrockConverse => {}
    }
    edits.finish()
}

#[cfg(test)]
mod tests {
    use dialects::Dialect;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    use super::{restore_envelopes, strip_reasoning};
    use crate::envelope::{PREFIX, may_contain, seal};
    use crate::form::{Opaque, OpaqueKind, Owner};
    use crate::target::Target;

    const OWN: &str = "own-model";

    /// An envelope of a kind, by `OWN` or another model.
    fn sealed(kind: OpaqueKind, data: &str, id: Option<&str>, model: &str) -> String {
        let owner = Owner { provider: "p".to_owned(), model: model.to_owned() };
        seal(&Opaque { kind, data: data.to_owned(), id: id.map(ToOwned::to_owned), owner: None }, &owner)
    }

    /// `{own}` and `{foreign}` in the body stand for envelopes.
    fn restored(
        dialect: Dialect,
        body: &str,
        kind: OpaqueKind,
        data: &str,
        id: Option<&str>,
        model: &str,
    ) -> Option<String> {
        let body = body
            .replace("{own}", &sealed(kind, data, id, model))
            .replace("{foreign}", &sealed(kind, data, id, "other"));
        let target = Target { dialect, provider: "p", model, is_official: true, refuses: &[] };
        let bytes = restore_envelopes(dialect, body.as_bytes(), &target)?;
        assert!(serde_json::from_slice::<serde_json::Value>(&bytes).is_ok());
        Some(String::from_utf8(bytes.to_vec()).unwrap())
    }

    fn stripped(dialect: Dialect, body: &str) -> Option<String> {
        strip_reasoning(dialect, body.as_bytes()).map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[test]
    fn a_body_without_envelopes_stays() {
        let target = Target {
            dialect: Dialect::Anthropic,
            provider: "p",
            model: OWN,
            is_official: true,
            refuses: &[],
        };
        let body = br#"{"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"","signature":"Eq"}]}]}"#;
        assert_eq!(restore_envelopes(Dialect::Anthropic, body, &target), None);
        let mentioned = br#"{"messages":[{"role":"user","content":"c3dpdGNoYm9hcmQ6djE6"}]}"#;
        assert_eq!(restore_envelopes(Dialect::Anthropic, mentioned, &target), None);
        assert_eq!(strip_reasoning(Dialect::Anthropic, mentioned), None);
    }

    #[test]
    fn messages_blocks() {
        let body = r#" {"messages": [ {"role":"user","content":"a"}, {"role":"assistant","content":[ {"type":"thinking","thinking":"h","signature":"{foreign}"} , {"type":"thinking","thinking":"m","signature":"{own}"}, {"type":"text","text":"x"} ]}, {"role":"assistant","content":[{"type":"redacted_thinking","data":"{foreign}"}]} ], "max_tokens":1.0 }"#;
        let expected = r#" {"messages": [ {"role":"user","content":"a"}, {"role":"assistant","content":[ {"type":"thinking","thinking":"m","signature":"Eq\"=="}, {"type":"text","text":"x"} ]} ], "max_tokens":1.0 }"#;
        assert_eq!(
            restored(Dialect::Anthropic, body, OpaqueKind::Signature, "Eq\"==", None, OWN).unwrap(),
            expected
        );
        let expected = r#" {"messages": [ {"role":"user","content":"a"}, {"role":"assistant","content":[ {"type":"text","text":"x"} ]} ], "max_tokens":1.0 }"#;
        assert_eq!(stripped(Dialect::Anthropic, body).unwrap(), expected);
        let body =
            r#"{"messages":[{"role":"assistant","content":[{"type":"redacted_thinking","data":"{own}"}]}]}"#;
        let expected = r#"{"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"","signature":"Eq"}]}]}"#;
        assert_eq!(
            restored(Dialect::Anthropic, body, OpaqueKind::Signature, "Eq", None, OWN).unwrap(),
            expected
        );
    }

    #[test]
    fn a_budget_for_thinking_goes_with_the_thinking_before_the_last_calls() {
        let turn = |thinking: &str| {
            format!(
                r#"{{"context_management":{{"edits":[{{"type":"clear_thinking_20251015"}}]}},"thinking":{{"type":"enabled","budget_tokens":1024}}, "messages":[{{"role":"assistant","content":[{thinking}{{"type":"tool_use","id":"c"}}]}},{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"c"}}]}},{{"role":"system","content":"x"}}],"max_tokens":9}}"#
            )
        };
        let thought = |data: &str| format!(r#"{{"type":"thinking","thinking":"h","signature":"{data}"}},"#);
        let without = r#"{"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"c"}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c"}]},{"role":"system","content":"x"}],"max_tokens":9}"#;
        let (kind, budget) = (OpaqueKind::Signature, "claude-sonnet-4-5");
        let got = restored(Dialect::Anthropic, &turn(&thought("{foreign}")), kind, "Eq", None, budget);
        assert_eq!(got.unwrap(), without);
        assert_eq!(stripped(Dialect::Anthropic, &turn(&thought("Eq"))).unwrap(), without);
        assert_eq!(stripped(Dialect::Anthropic, &turn("")).unwrap(), without, "none to take out");
        let got = restored(Dialect::Anthropic, &turn(&thought("{own}")), kind, "Eq", None, budget);
        assert_eq!(got.unwrap(), turn(&thought("Eq")), "its own");
        let got = restored(Dialect::Anthropic, &turn(&thought("{foreign}")), kind, "Eq", None, OWN);
        assert_eq!(got.unwrap(), turn(""), "another model's rule is not known");
        let other = r#"{"thinking":{"type":"enabled"},"context_management":{"edits":[{"type":"clear_thinking_1"},{"type":"clear_tool_uses_1"}]},"messages":[{"content":[{"type":"thinking","signature":"Eq"},{"type":"tool_use","id":"c"}]},{"content":[{"type":"tool_result","tool_use_id":"c"}]}]}"#;
        let expected = r#"{"context_management":{"edits":[{"type":"clear_tool_uses_1"}]},"messages":[{"content":[{"type":"tool_use","id":"c"}]},{"content":[{"type":"tool_result","tool_use_id":"c"}]}]}"#;
        assert_eq!(stripped(Dialect::Anthropic, other).unwrap(), expected);
    }

    #[test]
    fn responses_items() {
        let body = r#"{"input":[{"type":"reasoning","id":"rs_x","summary":[],"encrypted_content":"{own}"},{"type":"reasoning","id":"rs_y","summary":[],"encrypted_content":"{foreign}"},{"type":"function_call","id":"fc_1","call_id":"c"}]}"#;
        let expected = r#"{"input":[{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"gA=="},{"type":"function_call","id":"fc_1","call_id":"c"}]}"#;
        let got = restored(Dialect::OpenAiResponses, body, OpaqueKind::Encrypted, "gA==", Some("rs_1"), OWN);
        assert_eq!(got.unwrap(), expected);
        let expected = r#"{"input":[{"type":"reasoning","summary":[],"encrypted_content":"gA=="},{"type":"function_call","id":"fc_1","call_id":"c"}]}"#;
        let got = restored(Dialect::OpenAiResponses, body, OpaqueKind::Encrypted, "gA==", None, OWN);
        assert_eq!(got.unwrap(), expected);
        let expected = r#"{"input":[{"type":"function_call","call_id":"c"}]}"#;
        assert_eq!(stripped(Dialect::OpenAiResponses, body).unwrap(), expected);
    }

    #[test]
    fn chat_details() {
        let body = r#"{"messages":[{"role":"assistant","content":"a","reasoning_content":"hm","reasoning_details":[{"type":"reasoning.encrypted","data":"{own}"}]},{"role":"assistant","content":"b","reasoning_content":"hm","reasoning_details":[{"data":"{foreign}"}]},{"role":"assistant","content":null,"reasoning_details":[{"data":"{foreign}"}],"reasoning_content":"x"}]}"#;
        let expected = r#"{"messages":[{"role":"assistant","content":"a","reasoning_content":"hm"},{"role":"assistant","content":"b"}]}"#;
        assert_eq!(
            restored(Dialect::OpenAiChat, body, OpaqueKind::PlainText, "", None, OWN).unwrap(),
            expected
        );
        let expected =
            r#"{"messages":[{"role":"assistant","content":"a"},{"role":"assistant","content":"b"}]}"#;
        assert_eq!(stripped(Dialect::OpenAiChat, body).unwrap(), expected);
        let call = r#"{"messages":[{"role":"assistant","tool_calls":[{"id":"c","extra_content":{"google":{"thought_signature":"Cg"}}}]}]}"#;
        assert_eq!(
            stripped(Dialect::OpenAiChat, call).unwrap(),
            call.replace("Cg", "skip_thought_signature_validator")
        );
    }

    #[test]
    fn gemini_parts() {
        let body = r#"{"contents":[{"role":"model","parts":[{"text":"h","thought":true}]},{"role":"model","parts":[{"text":"m","thought":true},{"text":"a","thoughtSignature":"{foreign}"},{"functionCall":{"name":"f"},"thought_signature":"{foreign}"},{"text":"","thoughtSignature":"{foreign}"}]},{"role":"model","parts":[{"text":"","thoughtSignature":"{foreign}"}]},{"role":"model","parts":[{"functionCall":{"name":"f"},"thoughtSignature":"{own}"}]}]}"#;
        let expected = r#"{"contents":[{"role":"model","parts":[{"text":"a"},{"functionCall":{"name":"f"},"thought_signature":"skip_thought_signature_validator"}]},{"role":"model","parts":[{"functionCall":{"name":"f"},"thoughtSignature":"Cg=="}]}]}"#;
        let kind = OpaqueKind::ThoughtSignature;
        assert_eq!(
            restored(Dialect::Gemini, body, kind, "call c Cg==", None, "gemini-3-pro").unwrap(),
            expected
        );
        let got = restored(Dialect::Gemini, body, kind, "Cg==", None, "gemini-2.5-pro").unwrap();
        assert_eq!(got, expected.replace(r#","thought_signature":"skip_thought_signature_validator""#, ""));
        assert_eq!(
            stripped(Dialect::Gemini, &body.replace("{own}", "Cg==")).unwrap().matches("skip").count(),
            2
        );
    }

    /// Bodies of a format around a list of blocks, items, messages or parts.
    const SHAPES: [(Dialect, &str, &[&str]); 4] = [
        (
            Dialect::Anthropic,
            r#"{"messages":[{"role":"assistant","content":[{list}]},{"role":"user","content":"x"}]}"#,
            &[
                r#"{"type":"thinking","thinking":"h","signature":"{env}"}"#,
                r#" {"type":"redacted_thinking", "data":"{env}"} "#,
                r#"{"type":"thinking","thinking":"h","signature":"Eq"}"#,
                r#"{"type":"text","text":"x"}"#,
                "7",
            ],
        ),
        (
            Dialect::OpenAiResponses,
            r#"{"input":[{list}]}"#,
            &[
                r#"{"type":"reasoning","encrypted_content":"{env}","id":"rs_1"}"#,
                r#"{ "id" : "rs_1" , "encrypted_content" : "{env}" , "type" : "reasoning" }"#,
                r#"{"id":"m","type":"message","content":"x"}"#,
                "null",
            ],
        ),
        (
            Dialect::OpenAiChat,
            r#"{"messages":[{list}]}"#,
            &[
                r#"{"role":"assistant","reasoning_details":[{"data":"{env}"},{"data":"x"}],"content":"x"}"#,
                r#"{"reasoning":"h","role":"assistant","reasoning_details":[{"signature":"{env}"}]}"#,
                r#"{"role":"assistant","content":"","reasoning_content":"h"}"#,
                r#"{"role":"user","content":"x"}"#,
                "[]",
            ],
        ),
        (
            Dialect::Gemini,
            r#"{"contents":[{"role":"model","parts":[{list}]},{"parts":[{"text":"x"}]}]}"#,
            &[
                r#"{"thoughtSignature":"{env}","text":"x"}"#,
                r#"{"text":"","thought_signature":"{env}"}"#,
                r#"{"functionCall":{"name":"f"},"thoughtSignature":"{env}"}"#,
                r#"{"text":"h","thought":true}"#,
                r#"{"text":"x"}"#,
                r#""x""#,
            ],
        ),
    ];

    proptest! {
        #[test]
        fn no_envelope_reaches_another(
            shape in 0_usize..4,
            picks in proptest::collection::vec(0_usize..8, 0..7),
            is_own in any::<bool>(),
        ) {
            let (dialect, around, kinds) = SHAPES[shape];
            let list: Vec<&str> = picks.iter().map(|pick| kinds[pick % kinds.len()]).collect();
            let envelope = sealed(OpaqueKind::Signature, "Eq", None, if is_own { OWN } else { "other" });
            let body = around.replace("{list}", &list.join(" ,\n")).replace("{env}", &envelope);
            let target = Target { dialect, provider: "p", model: OWN, is_official: true, refuses: &[] };
            let passed = restore_envelopes(dialect, body.as_bytes(), &target);
            prop_assert_eq!(passed.is_some(), body.contains(PREFIX));
            let passed = passed.unwrap_or_else(|| body.clone().into());
            prop_assert!(serde_json::from_slice::<serde_json::Value>(&passed).is_ok());
            prop_assert!(!may_contain(&passed));
            if let Some(stripped) = strip_reasoning(dialect, &passed) {
                prop_assert!(serde_json::from_slice::<serde_json::Value>(&stripped).is_ok());
                prop_assert!(stripped.len() <= passed.len() + 40 * picks.len());
            }
        }

        #[test]
        fn anything_is_survived(body in any::<Vec<u8>>()) {
            for (dialect, ..) in SHAPES {
                prop_assert_eq!(strip_reasoning(dialect, &body), None);
            }
        }
    }
}
