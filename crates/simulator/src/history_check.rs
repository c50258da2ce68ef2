//! Refusing a history that carries what another provider, or another account, made, or whose tool calls and results do not
//! belong together: as the real providers do.

use http::StatusCode;
use serde_json::Value;

use crate::dialect::Dialect;
use crate::field_check;
use crate::provider_error::Reason;
use crate::signature::{SignatureKind, requires_signatures};
use crate::tool_check;

/// What Google documents for calls that no Gemini model made, as text and as the base64 that its SDKs make of it.
const SIGNATURE_SENTINELS: [&str; 2] =
    ["skip_thought_signature_validator", "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="];

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) reason: Reason,
    pub(crate) message: String,
}

impl Refusal {
    const fn foreign(message: String) -> Self {
        Self { reason: Reason::ForeignReasoning, message }
    }
}

/// Who checks, and for whom.
pub(crate) struct HistoryCheck<'a, F> {
    pub(crate) simulator: &'a str,
    pub(crate) model: &'a str,
    /// Whether an item with this id is stored.
    pub(crate) is_stored: F,
}

impl<F: Fn(&str) -> bool> HistoryCheck<'_, F> {
    /// Checks a request's body.
    pub(crate) fn check(&self, dialect: Dialect, body: &[u8]) -> Result<(), Refusal> {
        // Most requests have nothing to check, and a benchmark's need not be parsed for it.
        let words: &[&str] = match dialect {
            Dialect::Chat => &["tool_calls", "\"tool\""],
            Dialect::Responses => &["reasoning", "item_reference", "_call"],
            Dialect::Anthropic | Dialect::Invoke => &["thinking", "tool_use"],
            Dialect::Converse => &["reasoningContent", "toolUse", "toolResult", "toolSpec"],
            Dialect::Gemini => &["ignature", "functionCall", "functionResponse"],
        };
        let text = std::str::from_utf8(body).unwrap_or_default();
        if !words.iter().any(|word| text.contains(word)) {
            return Ok(());
        }
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        self.check_reasoning(dialect, &body)?;
        let fault = tool_check::fault(dialect, self.model, &body);
        fault.or_else(|| field_check::fault(dialect, &body)).map_or(Ok(()), |message| {
            Err(Refusal { reason: Reason::Status(StatusCode::BAD_REQUEST), message })
        })
    }

    fn check_reasoning(&self, dialect: Dialect, body: &Value) -> Result<(), Refusal> {
        match dialect {
            Dialect::Chat => Ok(()),
            Dialect::Responses => elements(&body["input"]).try_for_each(|(_, item)| self.check_item(item)),
            Dialect::Anthropic | Dialect::Invoke => {
                blocks(body).try_for_each(|(at, index, block)| self.check_block(at, index, block))
            }
            Dialect::Converse => {
                blocks(body).try_for_each(|(at, index, block)| self.check_reasoning_block(at, index, block))
            }
            Dialect::Gemini => self.check_contents(&body["contents"]),
        }
    }

    fn check_block(&self, at: usize, index: usize, block: &Value) -> Result<(), Refusal> {
        let text = |key: &str| block[key].as_str().unwrap_or_default();
        let (field, is_own) = match text("type") {
            "thinking" => {
                let kind = SignatureKind::Anthropic;
                ("signature", kind.is_own_of(self.simulator, text("thinking"), text("signature")))
            }
            // The simulator makes none.
            "redacted_thinking" => ("data", false),
            _ => return Ok(()),
        };
        if is_own {
            return Ok(());
        }
        let kind = text("type");
        Err(Refusal::foreign(format!("messages.{at}.content.{index}: Invalid `{field}` in `{kind}` block")))
    }

    fn check_reasoning_block(&self, at: usize, index: usize, block: &Value) -> Result<(), Refusal> {
        let Some(content) = block.get("reasoningContent") else { return Ok(()) };
        let text = |key: &str| content["reasoningText"][key].as_str().unwrap_or_default();
        // The simulator makes no redacted content.
        if SignatureKind::Anthropic.is_own_of(self.simulator, text("text"), text("signature")) {
            return Ok(());
        }
        let message = "Invalid `signature` in `thinking` block";
        Err(Refusal::foreign(format!("messages.{at}.content.{index}: {message}")))
    }

    fn check_item(&self, item: &Value) -> Result<(), Refusal> {
        let kind = item["type"].as_str().unwrap_or_default();
        let id = item["id"].as_str().unwrap_or_default();
        match (kind, item["encrypted_content"].as_str()) {
            ("reasoning", Some(encrypted)) if !SignatureKind::OpenAi.is_own(self.simulator, encrypted) => {
                Err(Refusal::foreign(format!("The encrypted content for item {id} could not be verified.")))
            }
            ("reasoning" | "item_reference", None) if !(self.is_stored)(id) => Err(Refusal {
                reason: Reason::NotStored,
                message: format!(
                    "Item with id '{id}' not found. Items are not persisted when `store` is set to false."
                ),
            }),
            _ => Ok(()),
        }
    }

    fn check_contents(&self, contents: &Value) -> Result<(), Refusal> {
        let has_text =
            |content: &Value| elements(&content["parts"]).any(|(_, part)| part["text"].is_string());
        let of_user = |content: &Value| content["role"] != "model";
        let turn = elements(contents).filter(|(_, content)| of_user(content) && has_text(content)).last();
        let turn_start = turn.map_or(0, |(at, _)| at);
        for (at, content) in elements(contents) {
            let signatures = elements(&content["parts"]).filter_map(|(_, part)| signature(part));
            let is_own = |signature: &str| {
                // Google's SDKs decode it, and encode it in the alphabet for URLs.
                let standard = signature.replace('-', "+").replace('_', "/");
                SIGNATURE_SENTINELS.contains(&signature)
                    || SignatureKind::Gemini.is_own(self.simulator, &standard)
            };
            if !signatures.into_iter().all(is_own) {
                return Err(Refusal::foreign("Corrupted thought signature.".to_owned()));
            }
            let call = elements(&content["parts"]).find(|(_, part)| part["functionCall"].is_object());
            if let Some((index, part)) = call.filter(|(_, part)| at > turn_start && signature(part).is_none())
                && requires_signatures(self.model)
            {
                let name = part["functionCall"]["name"].as_str().unwrap_or_default();
                return Err(Refusal::foreign(format!(
                    "Function call is missing a thought_signature in functionCall parts: function call `{name}`, \
                     position {index}."
                )));
            }
        }
        Ok(())
    }
}

/// The content blocks of messages, each with its message's place and its own.
fn blocks(body: &Value) -> impl Iterator<Item = (usize, usize, &Value)> {
    elements(&body["messages"])
        .flat_map(|(at, message)| elements(&message["content"]).map(move |(index, block)| (at, index, block)))
}

/// Google's APIs read both spellings.
fn signature(part: &Value) -> Option<&str> {
    part.get("thoughtSignature").or_else(|| part.get("thought_signature"))?.as_str()
}

/// The elements of an array and their indexes; none if it is no array.
fn elements(value: &Value) -> impl Iterator<Item = (usize, &Value)> {
    value.as_array().map(Vec::as_slice).unwrap_or_default().iter().enumerate()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::Thinking;
    use serde_json::json;

    fn check(dialect: Dialect, body: &Value) -> Option<Refusal> {
        let is_stored = |id: &str| id == "rs_stored";
        let check = HistoryCheck { simulator: "a", model: "gemini-3", is_stored };
        check.check_reasoning(dialect, body).err()
    }

    fn sign(kind: SignatureKind, simulator: &str) -> String {
        kind.sign(simulator, &Thinking { text: "Hm.".into(), opaque: "1".into() })
    }

    #[test]
    fn what_is_no_history_is_not_refused() {
        for dialect in [Dialect::Chat, Dialect::Responses, Dialect::Anthropic, Dialect::Gemini] {
            for body in [json!(1), json!({"input": "reasoning"}), json!({"messages": [{"thinking": 1}]})] {
                assert_eq!(check(dialect, &body), None);
            }
        }
        assert_eq!(check(Dialect::Gemini, &json!({"contents": {"thoughtSignature": 1}})), None);
    }

    #[test]
    fn a_block_needs_its_own_signature() {
        let body = |text: &str, signature: &str| {
            let block = json!({"type": "thinking", "thinking": text, "signature": signature});
            let turns =
                [json!({"role": "user", "content": "a"}), json!({"role": "assistant", "content": [block]})];
            json!({"messages": turns})
        };
        let own = sign(SignatureKind::Anthropic, "a");
        assert_eq!(check(Dialect::Anthropic, &body("Hm.", &own)), None);
        for (text, signature) in [
            ("changed", own),
            ("Hm.", String::new()),
            ("Hm.", sign(SignatureKind::Anthropic, "b")),
            ("Hm.", sign(SignatureKind::OpenAi, "a")),
        ] {
            let refusal = check(Dialect::Anthropic, &body(text, &signature)).unwrap();
            assert_eq!(refusal.message, "messages.1.content.0: Invalid `signature` in `thinking` block");
        }
    }

    #[test]
    fn converses_reasoning_needs_its_own_signature() {
        let body = |signature: &str| {
            let reasoning = json!({"reasoningText": {"text": "Hm.", "signature": signature}});
            json!({"messages": [{"role": "assistant", "content": [{"reasoningContent": reasoning}]}]})
        };
        assert_eq!(check(Dialect::Converse, &body(&sign(SignatureKind::Anthropic, "a"))), None);
        let refusal = check(Dialect::Converse, &body(&sign(SignatureKind::Anthropic, "b"))).unwrap();
        assert_eq!(refusal.reason, Reason::ForeignReasoning);
    }

    #[test]
    fn an_item_needs_its_own_content_or_must_be_stored() {
        let item = |item: Value| check(Dialect::Responses, &json!({"input": [item]}));
        let own = sign(SignatureKind::OpenAi, "a");
        let other = sign(SignatureKind::OpenAi, "b");
        assert_eq!(item(json!({"type": "reasoning", "id": "rs_1", "encrypted_content": own})), None);
        assert_eq!(item(json!({"type": "reasoning", "id": "rs_stored"})), None);
        let reason = |refusal: Option<Refusal>| refusal.unwrap().reason;
        let foreign = item(json!({"type": "reasoning", "id": "rs_1", "encrypted_content": other}));
        assert_eq!(reason(foreign), Reason::ForeignReasoning);
        assert_eq!(reason(item(json!({"type": "reasoning", "id": "rs_1"}))), Reason::NotStored);
        assert_eq!(reason(item(json!({"type": "item_reference", "id": "msg_1"}))), Reason::NotStored);
    }

    #[test]
    fn the_first_call_of_each_step_of_the_turn_needs_a_signature() {
        let call = |signature: Option<&str>| {
            let mut part = json!({"functionCall": {"name": "f", "args": {}}});
            if let Some(signature) = signature {
                part["thoughtSignature"] = signature.into();
            }
            json!({"role": "model", "parts": [part, {"functionCall": {"name": "g", "args": {}}}]})
        };
        let ask = json!({"role": "user", "parts": [{"text": "a"}]});
        let result = json!({"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}}}]});
        let check = |contents: &[Value]| check(Dialect::Gemini, &json!({"contents": contents}));
        let own = sign(SignatureKind::Gemini, "a");
        assert_eq!(check(&[ask.clone(), call(Some(&own)), result.clone()]), None);
        assert_eq!(check(&[ask.clone(), call(Some(SIGNATURE_SENTINELS[0])), result.clone()]), None);
        assert_eq!(check(&[ask.clone(), call(None), result.clone(), ask.clone()]), None, "an earlier turn");
        assert!(check(&[ask.clone(), call(None), result.clone()]).is_some());
        assert!(check(&[ask.clone(), call(Some(&own)), result, call(None)]).is_some());
        let other = sign(SignatureKind::Gemini, "b");
        assert!(check(&[call(Some(&other)), ask]).is_some(), "an earlier turn's, too");
    }
}
