//! Reads the messages of a request.

use std::collections::{HashMap, HashSet};

use serde_json::value::RawValue;

use super::{content, reasoning};
use crate::RequestError;
use crate::envelope;
use crate::form::{
    Message, OpaqueKind, Part, PartKind, Request, Role, ToolCall, ToolInput, ToolResult, Unmapped,
};
use crate::json::{Object, as_str, items};

/// Reads `messages` into a request.
pub(super) fn read(raw: &RawValue, request: &mut Request) -> Result<(), RequestError> {
    let messages = items(raw).ok_or_else(|| RequestError::field("messages", "must be an array"))?;
    let mut reader = Reader { request, custom: HashSet::new(), last_call: HashMap::new() };
    for (index, message) in messages.into_iter().enumerate() {
        let message = Object::of(message)
            .ok_or_else(|| RequestError::field(format!("messages[{index}]"), "must be an object"))?;
        reader.message(&message);
    }
    Ok(())
}

struct Reader<'a> {
    request: &'a mut Request,
    /// Ids of calls of freeform tools.
    custom: HashSet<String>,
    /// By a tool's name the id of its last call, for results of the old kind.
    last_call: HashMap<String, String>,
}

impl Reader<'_> {
    fn message(&mut self, message: &Object<'_>) {
        let role = message.str("role").unwrap_or_default();
        if message.has("name") && !matches!(role.as_ref(), "tool" | "function") {
            self.unmapped("name");
        }
        match role.as_ref() {
            "system" | "developer" => {
                let parts = content_of(message);
                if self.request.turns.is_empty() {
                    self.request.system.extend(parts);
                } else {
                    self.push_turn(Role::System, parts);
                }
            }
            "assistant" | "model" => {
                let parts = self.assistant(message);
                self.push_turn(Role::Assistant, parts);
            }
            "tool" | "function" => self.result(message),
            _ => {
                let parts = content_of(message);
                self.push_turn(Role::User, parts);
            }
        }
    }

    fn push_turn(&mut self, role: Role, parts: Vec<Part>) {
        self.request.turns.push(Message { role, parts });
    }

    fn unmapped(&mut self, field: &str) {
        let field = Unmapped { field: field.to_owned(), required: false };
        if !self.request.unmapped.contains(&field) {
            self.request.unmapped.push(field);
        }
    }

    fn assistant(&mut self, message: &Object<'_>) -> Vec<Part> {
        let mut parts = content_of(message);
        // Some clients send an empty text beside calls; it says nothing.
        parts.retain(|part| !matches!(&part.kind, PartKind::Text(text) if text.is_empty()));
        if let Some(refusal) = message.string("refusal").filter(|refusal| !refusal.is_empty()) {
            parts.push(Part::new(PartKind::Refusal(refusal)));
        }
        if message.raw("audio").is_some() {
            parts.push(Part::new(PartKind::Foreign("audio".to_owned())));
        }
        let mut marks = Vec::new();
        if let Some(signature) = reasoning::thought_signature(message) {
            marks.push((0, signature));
        }
        for call in message.objects("tool_calls") {
            if let Some(signature) = reasoning::thought_signature(&call) {
                marks.push((parts.len(), signature));
            }
            let call = self.call(&call);
            parts.push(Part::new(PartKind::ToolCall(call)));
        }
        if let Some(call) = message.object("function_call") {
            let name = call.string("name").unwrap_or_default();
            // The old kind has no ids: the name, and which call it is.
            let id = crate::names::derived_id("call_", &[&name, &self.request.turns.len().to_string()]);
            let input = ToolInput::Json(call.string("arguments").unwrap_or_default());
            self.last_call.insert(name.clone(), id.clone());
            parts.push(Part::new(PartKind::ToolCall(ToolCall { id, name, namespace: None, input })));
        }
        with_reasoning(parts, reasoning::read_returned(message), marks)
    }

    fn call(&mut self, call: &Object<'_>) -> ToolCall {
        let id = call.string("id").unwrap_or_default();
        let custom = call.object("custom");
        let inner = custom.clone().or_else(|| call.object("function")).unwrap_or_default();
        let name = inner.string("name").unwrap_or_default();
        let input = if custom.is_some() {
            self.custom.insert(id.clone());
            ToolInput::Text(inner.string("input").unwrap_or_default())
        } else {
            ToolInput::Json(inner.raw("arguments").map(text_or_json).unwrap_or_default())
        };
        self.last_call.insert(name.clone(), id.clone());
        ToolCall { id, name, namespace: None, input }
    }

    /// Results that follow each other are parts of one turn, as they are of one in other formats.
    fn result(&mut self, message: &Object<'_>) {
        let name = message.string("name");
        let id = message.string("tool_call_id").or_else(|| self.last_call.get(name.as_deref()?).cloned());
        let id = id.unwrap_or_default();
        let result = ToolResult {
            is_custom: self.custom.contains(&id),
            name,
            is_error: false,
            content: content_of(message),
            json: None,
            id,
        };
        let part = Part { kind: PartKind::ToolResult(result), cache: content::read_cache(message) };
        let is_result = |part: &Part| matches!(part.kind, PartKind::ToolResult(_));
        match self.request.turns.last_mut() {
            Some(turn)
                if turn.role == Role::User && turn.parts.iter().all(is_result) && !turn.parts.is_empty() =>
            {
                turn.parts.push(part);
            }
            _ => self.push_turn(Role::User, vec![part]),
        }
    }
}

fn text_or_json(raw: &RawValue) -> String {
    as_str(raw).map_or_else(|| raw.get().to_owned(), std::borrow::Cow::into_owned)
}

/// The parts of a message. A mark on the message as a whole is one on its last part.
fn content_of(message: &Object<'_>) -> Vec<Part> {
    let mut parts = message.raw("content").map(content::read).unwrap_or_default();
    let is_result = message.str("role").as_deref() == Some("tool");
    if let Some(last) = parts.last_mut().filter(|_| !is_result) {
        last.cache = last.cache.or_else(|| content::read_cache(message));
    }
    parts
}

/// Puts reasoning back among the other parts: where it stood if that is known, else ahead of them all.
fn with_reasoning(
    parts: Vec<Part>,
    returned: Vec<reasoning::Returned>,
    marks: Vec<(usize, String)>,
) -> Vec<Part> {
    let returned = returned.into_iter().map(|reasoning| {
        let kind = PartKind::Reasoning { text: reasoning.text, opaque: reasoning.opaque };
        (reasoning.before.unwrap_or(0), kind)
    });
    let marks = marks.into_iter().map(|(before, signature)| {
        let opaque = Some(envelope::open(&signature, OpaqueKind::ThoughtSignature));
        (before, PartKind::Reasoning { text: String::new(), opaque })
    });
    let mut waiting: Vec<(usize, PartKind)> = returned.chain(marks).collect();
    // Stable: what has the same place keeps its order.
    waiting.sort_by_key(|(before, _)| *before);
    let mut waiting = waiting.into_iter().peekable();
    let mut all = Vec::with_capacity(parts.len());
    for (index, part) in parts.into_iter().enumerate() {
        while let Some((_, kind)) = waiting.next_if(|(before, _)| *before <= index) {
            all.push(Part::new(kind));
        }
        all.push(part);
    }
    all.extend(waiting.map(|(_, kind)| Part::new(kind)));
    all
}

#[cfg(test)]
mod tests {
    use crate::chat::testing::context;
    use crate::chat::{read_request, write_response};
    use crate::form::{Block, Event, Finish, FinishReason, Opaque, OpaqueKind, PartKind, Request};
    use crate::json::Object;

    fn request(messages: &str) -> Request {
        let body = format!(r#"{{"messages":[{messages}]}}"#);
        read_request(&Object::parse(body.as_bytes()).unwrap()).unwrap()
    }

    /// A client that sends a message back as it came brings every piece of reasoning back to its place.
    #[test]
    fn reasoning_survives_the_client() {
        let opaque = |kind, data: &str| Opaque { kind, data: data.to_owned(), id: None, owner: None };
        let block = |block, text: &str, opaque: Option<Opaque>| {
            let mut events = vec![Event::Open(block)];
            if !text.is_empty() {
                events.push(Event::Delta(text.to_owned()));
            }
            events.extend(opaque.map(Event::Opaque));
            events.push(Event::Close);
            events
        };
        let call = |id: &str| Block::ToolCall {
            id: id.to_owned(),
            name: "f".to_owned(),
            namespace: None,
            custom: false,
        };
        let events: Vec<Event> = [
            vec![Event::Start { id: None, model: None, created: None }],
            block(Block::Reasoning, "one", Some(opaque(OpaqueKind::Signature, "S1"))),
            block(Block::Reasoning, "", Some(opaque(OpaqueKind::Redacted, "R"))),
            block(Block::Text, "text", None),
            block(Block::Reasoning, "two", Some(opaque(OpaqueKind::Signature, "S2"))),
            block(call("a"), "{}", None),
            block(Block::Reasoning, "", Some(opaque(OpaqueKind::ThoughtSignature, "T"))),
            block(call("b"), "{}", None),
            vec![Event::Finish(Finish::new(FinishReason::ToolCalls))],
        ]
        .concat();
        let answer = write_response(&events, &context());
        let answer = Object::parse(answer.as_bytes()).unwrap();
        let message = answer.objects("choices")[0].raw("message").unwrap();
        let request = request(message.get());
        let texts = request.turns[0].parts.iter().map(|part| match &part.kind {
            PartKind::Text(text) => text.clone(),
            PartKind::ToolCall(call) => call.id.clone(),
            PartKind::Reasoning { text, opaque: Some(opaque) } => {
                assert_eq!(opaque.owner, Some(context().owner));
                format!("{text}/{:?}/{}", opaque.kind, opaque.data)
            }
            other => panic!("{other:?}"),
        });
        assert_eq!(
            texts.collect::<Vec<_>>(),
            ["one/Signature/S1", "/Redacted/R", "text", "two/Signature/S2", "a", "/ThoughtSignature/T", "b"]
        );
    }

    #[test]
    fn old_calls_are_paired_by_name() {
        let request = request(
            r#"{"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}},
            {"role":"function","name":"f","content":"r"}"#,
        );
        let PartKind::ToolCall(call) = &request.turns[0].parts[0].kind else { panic!() };
        let PartKind::ToolResult(result) = &request.turns[1].parts[0].kind else { panic!() };
        assert_eq!(call.id, result.id);
    }

    #[test]
    fn marks_on_messages_are_marks_on_their_last_parts() {
        let request = request(
            r#"{"role":"user","name":"bob","content":"a","cache_control":{"type":"ephemeral","ttl":"1h"}},
            {"role":"tool","tool_call_id":"c","content":"r","cache_control":{"type":"ephemeral"}}"#,
        );
        assert!(request.turns[0].parts[0].cache.is_some() && request.turns[1].parts[0].cache.is_some());
        assert_eq!((request.unmapped.len(), request.unmapped[0].field.as_str()), (1, "name"));
    }
}
