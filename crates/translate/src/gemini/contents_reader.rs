//! Reads `contents` and `systemInstruction`.

use serde_json::value::RawValue;

use super::fields::{Fields, list};
use super::{media, signature};
use crate::form::{Message, Part, PartKind, Role, ToolCall, ToolInput, ToolResult};
use crate::json::{Object, as_str, own};
use crate::names::derived_id;

/// The text parts of a system instruction, which may be a content, parts, or a text alone.
pub(super) fn read_system(raw: &RawValue) -> Vec<Part> {
    let texts = parts_of(raw).into_iter().filter_map(|part| {
        let text = as_str(part).or_else(|| Fields::of(part)?.str("text"))?;
        (!text.is_empty()).then(|| Part::text(text))
    });
    texts.collect()
}

/// The turns. A content may also be a text, or a part without a content around it.
pub(super) fn read(raw: &RawValue) -> Vec<Message> {
    let mut calls = Calls::default();
    let mut turns: Vec<(Role, Parts)> = Vec::new();
    for (at, content) in list(raw).into_iter().enumerate() {
        let role = match Fields::of(content).and_then(|content| content.str("role")).as_deref() {
            Some("model" | "assistant") => Role::Assistant,
            Some("system" | "developer") => Role::System,
            _ => Role::User,
        };
        // Google's SDKs keep a content of each chunk of a stream: together they are what the model said.
        if role != Role::Assistant || turns.last().is_none_or(|(last, _)| *last != Role::Assistant) {
            if role == Role::Assistant {
                calls.begin_group();
            }
            turns.push((role, Parts::default()));
        }
        let Some((_, parts)) = turns.last_mut() else { continue };
        parts.goes_on = true;
        for (index, part) in parts_of(content).into_iter().enumerate() {
            match as_str(part) {
                Some(text) => parts.push(PartKind::Text(text.into_owned())),
                None => parts.read(part, (at, index), &mut calls),
            }
        }
    }
    turns.into_iter().map(|(role, parts)| Message { role, parts: parts.finish() }).collect()
}

/// The parts of a content; what is no content is a part or a list of parts itself.
fn parts_of(content: &RawValue) -> Vec<&RawValue> {
    match Fields::of(content) {
        Some(fields) => match fields.raw("parts") {
            Some(parts) => list(parts),
            None if fields.raw("role").is_some() => Vec::new(),
            None => vec![content],
        },
        None => list(content),
    }
}

/// The parts of one turn.
#[derive(Default)]
struct Parts {
    read: Vec<Part>,
    /// A text at the beginning of a content goes on with the text at the end of the content before.
    goes_on: bool,
    /// Thoughts that no signature has come for yet. They come in pieces.
    thought: String,
}

impl Parts {
    fn read(&mut self, raw: &RawValue, position: (usize, usize), calls: &mut Calls) {
        let Some(part) = Fields::of(raw) else { return };
        let text = part.string("text");
        let value = part.filled("thoughtSignature").filter(|value| value != signature::SKIP_VALIDATOR);
        if part.bool("thought") == Some(true) {
            self.thought.push_str(&text.unwrap_or_default());
            if let Some(value) = value {
                self.signed_thought(&value);
            }
            return;
        }
        let call = part.object("functionCall").map(|call| read_call(&call, position, calls));
        match value {
            Some(value) => self.signature(&value, call.as_ref()),
            None => self.end_thought(),
        }
        let kind = match call {
            Some(call) => PartKind::ToolCall(call),
            None => match read_other(&part, text, position, calls) {
                Some(kind) => kind,
                None => return,
            },
        };
        self.push(kind);
    }

    fn push(&mut self, kind: PartKind) {
        let goes_on = std::mem::take(&mut self.goes_on);
        if let (PartKind::Text(text), Some(Part { kind: PartKind::Text(before), .. })) =
            (&kind, self.read.last_mut())
            && goes_on
        {
            before.push_str(text);
            return;
        }
        self.read.push(Part::new(kind));
    }

    fn signed_thought(&mut self, value: &str) {
        let (mut opaque, hidden) = signature::open(value);
        if opaque.owner.is_none() {
            opaque.data = signature::at_thought(&opaque.data);
        }
        let shown = std::mem::take(&mut self.thought);
        let text = hidden.unwrap_or(shown);
        self.push(PartKind::Reasoning { text, opaque: Some(opaque) });
    }

    /// A signature beside a part that is no thought: Gemini's own for this part, or an envelope of the reasoning before
    /// it, whose text is in it, be it shown or not.
    fn signature(&mut self, value: &str, call: Option<&ToolCall>) {
        let (mut opaque, hidden) = signature::open(value);
        if opaque.data.is_empty() && hidden.as_deref() == Some("") {
            // It only says that the call is no Gemini's.
            return self.end_thought();
        }
        if hidden.as_ref() == Some(&self.thought) {
            self.thought.clear();
        }
        self.end_thought();
        if let (Some(call), None) = (call, &opaque.owner) {
            opaque.data = signature::at_call(&call.id, &opaque.data);
        }
        let text = hidden.unwrap_or_default();
        self.push(PartKind::Reasoning { text, opaque: Some(opaque) });
    }

    fn end_thought(&mut self) {
        if !self.thought.is_empty() {
            let text = std::mem::take(&mut self.thought);
            self.push(PartKind::Reasoning { text, opaque: None });
        }
    }

    fn finish(mut self) -> Vec<Part> {
        self.end_thought();
        self.read
    }
}

/// A part that is neither thought nor call.
fn read_other(
    part: &Fields<'_>,
    text: Option<String>,
    position: (usize, usize),
    calls: &mut Calls,
) -> Option<PartKind> {
    const FOREIGN: [&str; 6] =
        ["executableCode", "codeExecutionResult", "toolCall", "toolResponse", "inlineData", "fileData"];
    if let Some(response) = part.object("functionResponse") {
        return Some(PartKind::ToolResult(read_result(&response, position, calls)));
    }
    if let Some(media) = media::read(part) {
        return Some(PartKind::Media(media));
    }
    match text {
        // It only carries its signature.
        Some(text) if text.is_empty() => None,
        Some(text) => Some(PartKind::Text(text)),
        None => {
            let name = FOREIGN.into_iter().find(|name| part.raw(name).is_some())?;
            Some(PartKind::Foreign(name.to_owned()))
        }
    }
}

fn read_call(call: &Fields<'_>, position: (usize, usize), calls: &mut Calls) -> ToolCall {
    let name = call.string("name").unwrap_or_default();
    let id = call.filled("id").unwrap_or_else(|| id_at(position, &name));
    calls.add(&id, &name);
    let args = call.raw("args").map_or_else(|| "{}".to_owned(), |args| args.get().to_owned());
    ToolCall { id, name, namespace: None, input: ToolInput::Json(args) }
}

fn read_result(response: &Fields<'_>, position: (usize, usize), calls: &mut Calls) -> ToolResult {
    let name = response.string("name").unwrap_or_default();
    let given = response.filled("id");
    let id = calls.answered(given.as_deref(), &name).or(given).unwrap_or_else(|| id_at(position, &name));
    let json = response.raw("response");
    let (text, is_error) = json.map(result_text).unwrap_or_default();
    let mut content = Vec::new();
    if !text.is_empty() {
        content.push(Part::text(text));
    }
    let media = response.objects("parts").into_iter().filter_map(|part| media::read(&part));
    content.extend(media.map(|media| Part::new(PartKind::Media(media))));
    let name = Some(name).filter(|name| !name.is_empty());
    ToolResult { id, name, is_error, is_custom: false, content, json: json.map(own) }
}

/// What a result says, and whether it is an error. Google's convention: `output` or `error`; anything else is the
/// output as a whole.
fn result_text(json: &RawValue) -> (String, bool) {
    let Some(object) = Object::of(json) else {
        return (as_str(json).map_or_else(|| json.get().to_owned(), Into::into), false);
    };
    let said = |key| object.raw(key).is_some_and(|value| !matches!(value.get(), "\"\"" | "false"));
    let is_error = said("error") && !object.has("output") && !object.has("result");
    let only = if object.iter().count() == 1 {
        ["output", "error", "result"].iter().find_map(|key| object.str(key))
    } else {
        None
    };
    (only.map_or_else(|| json.get().to_owned(), Into::into), is_error)
}

/// The id of a call or result that came without one: its place in the conversation stays the same on every turn.
fn id_at((content, part): (usize, usize), name: &str) -> String {
    derived_id("call_", &[&content.to_string(), &part.to_string(), name])
}

/// The calls so far that have no result. Results without an id belong to them by name and order.
#[derive(Default)]
struct Calls {
    open: Vec<OpenCall>,
    group: usize,
}

struct OpenCall {
    id: String,
    name: String,
    group: usize,
}

impl Calls {
    /// A turn of the model begins.
    const fn begin_group(&mut self) {
        self.group += 1;
    }

    fn add(&mut self, id: &str, name: &str) {
        self.open.push(OpenCall { id: id.to_owned(), name: name.to_owned(), group: self.group });
    }

    /// The id of the call that is answered: by the id, else by the name, else the next one.
    fn answered(&mut self, id: Option<&str>, name: &str) -> Option<String> {
        let group = self.group;
        let find = |test: &dyn Fn(&OpenCall) -> bool| self.open.iter().position(test);
        let at = id
            .and_then(|id| find(&|call| call.id == id))
            .or_else(|| find(&|call| call.group == group && call.name == name))
            .or_else(|| find(&|call| call.name == name))
            .or_else(|| find(&|call| call.group == group))?;
        Some(self.open.remove(at).id)
    }
}

#[cfg(test)]
mod tests {
    use super::{read, read_system};
    use crate::envelope::seal;
    use crate::form::{Message, Opaque, OpaqueKind, Owner, PartKind, Role, ToolInput};
    use crate::json::raw_of;

    fn turns(json: &str) -> Vec<Message> {
        read(&raw_of(json).unwrap())
    }

    /// A turn in short.
    fn summarize(turn: &Message) -> Vec<String> {
        let part = |kind: &PartKind| match kind {
            PartKind::Text(text) => format!("text {text}"),
            PartKind::Reasoning { text, opaque } => {
                format!("reasoning {text} {}", opaque.as_ref().map_or("-", |opaque| &opaque.data))
            }
            PartKind::ToolCall(call) => match &call.input {
                ToolInput::Json(args) => format!("call {} {args}", call.name),
                ToolInput::Text(_) => String::new(),
            },
            PartKind::ToolResult(result) => format!("result {:?} {}", result.name, result.is_error),
            PartKind::Foreign(name) => format!("foreign {name}"),
            other => format!("{other:?}"),
        };
        turn.parts.iter().map(|one| part(&one.kind)).collect()
    }

    #[test]
    fn contents_may_be_short() {
        for contents in
            [r#""hi""#, r#"["hi"]"#, r#"{"text":"hi"}"#, r#"{"parts":"hi"}"#, r#"[{"parts":{"text":"hi"}}]"#]
        {
            let turns = turns(contents);
            assert_eq!(
                (turns.len(), turns[0].role, summarize(&turns[0])),
                (1, Role::User, vec!["text hi".to_owned()])
            );
        }
        let system = read_system(
            &raw_of(r#"{"role":"user","parts":[{"text":"a"},{"text":""},{"text":"b"}]}"#).unwrap(),
        );
        assert_eq!(system.len(), 2);
    }

    #[test]
    fn results_find_their_calls() {
        let turns = turns(
            r#"[{"role":"model","parts":[{"functionCall":{"name":"a","args":{"x":1.0}}},{"functionCall":{"name":"b"}},{"function_call":{"name":"a","id":"z"}}]},
                {"role":"user","parts":[{"functionResponse":{"name":"b","response":{"error":"no"}}},{"functionResponse":{"name":"a","id":"z","response":{"output":"yes"}}},{"functionResponse":{"name":"a","response":{"x":1}}}]}]"#,
        );
        let ids = |turn: &Message| -> Vec<String> {
            turn.parts
                .iter()
                .map(|part| match &part.kind {
                    PartKind::ToolCall(call) => call.id.clone(),
                    PartKind::ToolResult(result) => result.id.clone(),
                    _ => String::new(),
                })
                .collect()
        };
        let (calls, results) = (ids(&turns[0]), ids(&turns[1]));
        assert_eq!(results, [calls[1].clone(), "z".to_owned(), calls[0].clone()]);
        assert_ne!(calls[0], calls[1]);
        assert_eq!(summarize(&turns[0])[0], r#"call a {"x":1.0}"#);
        assert_eq!(summarize(&turns[1])[0], r#"result Some("b") true"#);
    }

    #[test]
    fn chunks_of_a_stream_are_one_turn() {
        let turns = turns(
            r#"[{"role":"user","parts":[{"text":"go"}]},
                {"role":"model","parts":[{"text":"h","thought":true}]},{"role":"model","parts":[{"text":"m","thought":true}]},
                {"role":"model","parts":[{"text":"I "}]},{"role":"model","parts":[{"text":"will"}]},{"role":"model","parts":[{"text":"."},{"text":"a"}]},
                {"role":"model","parts":[{"functionCall":{"name":"f"}}]},{"role":"model","parts":[{"text":""}]},
                {"role":"user","parts":[{"functionResponse":{"name":"f","response":{}}}]}]"#,
        );
        assert_eq!((turns.len(), turns[2].role), (3, Role::User));
        assert_eq!(summarize(&turns[1]), ["reasoning hm -", "text I will.", "text a", "call f {}"]);
    }

    #[test]
    fn signatures_keep_their_places() {
        let turns = turns(
            r#"[{"role":"model","parts":[{"text":"hm","thought":true},{"text":"m","thought":true},{"functionCall":{"id":"c","name":"a"},"thoughtSignature":"Cg=="},{"text":"","thoughtSignature":"Dg=="},{"executableCode":{"code":"1"}},{"functionCall":{"name":"b"},"thoughtSignature":"skip_thought_signature_validator"}]}]"#,
        );
        let expected = [
            "reasoning hmm -",
            "reasoning  call c Cg==",
            "call a {}",
            "reasoning  Dg==",
            "foreign executableCode",
            "call b {}",
        ];
        assert_eq!(summarize(&turns[0]), expected);
    }

    #[test]
    fn an_envelope_has_the_thought_whether_shown_or_not() {
        let owner = Owner { provider: "p".to_owned(), model: "m".to_owned() };
        let opaque =
            Opaque { kind: OpaqueKind::Signature, data: "Eq\nhmm".to_owned(), id: None, owner: None };
        let envelope = seal(&opaque, &owner);
        for shown in ["", r#"{"text":"h","thought":true},{"text":"mm","thought":true},"#] {
            let json = format!(
                r#"[{{"role":"model","parts":[{shown}{{"text":"yes","thoughtSignature":"{envelope}"}}]}}]"#
            );
            assert_eq!(summarize(&turns(&json)[0]), ["reasoning hmm Eq", "text yes"]);
        }
    }
}
