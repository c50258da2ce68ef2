//! Reasoning in the chat format, which has no official place for it.
//!
//! Providers give the text in `reasoning_content` or `reasoning`, in `reasoning_details` (OpenRouter and those after
//! it, with signatures and encrypted data), or as parts of the content (Mistral). Some refuse the next turn unless they
//! get it back in the same form. So [`Form`] is kept as the data of an [`OpaqueKind::Plain`] value, which only its
//! owner sees again.
//!
//! Towards clients the text goes into `reasoning_content`, and an envelope into `reasoning_details`.

use crate::envelope;
use crate::form::{Opaque, OpaqueKind};
use crate::json::{ArrayWriter, Object, ObjectWriter, as_str, items, push_str};

/// Where an item that we made has its text.
const CLIENT_TEXT: &str = "content";

/// The form in which a provider gave its reasoning, and wants it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Form {
    /// `reasoning_content`.
    Content,
    /// `reasoning`.
    Reasoning,
    /// Parts of the content, of type `thinking`.
    Parts,
    /// `reasoning_details`: a JSON array.
    Details(String),
}

impl Form {
    /// As the data of an opaque value.
    pub(super) fn into_opaque(self) -> Opaque {
        let data = match self {
            Self::Content => String::new(),
            Self::Reasoning => "reasoning".to_owned(),
            Self::Parts => "thinking".to_owned(),
            Self::Details(details) => details,
        };
        Opaque { kind: OpaqueKind::PlainText, data, id: None, owner: None }
    }

    pub(super) fn of_data(data: &str) -> Self {
        match data {
            "reasoning" => Self::Reasoning,
            "thinking" => Self::Parts,
            details if details.starts_with('[') => Self::Details(details.to_owned()),
            _ => Self::Content,
        }
    }
}

/// The items of `reasoning_details`, put together from a stream's pieces.
#[derive(Debug, Default)]
pub(super) struct Details(Vec<Detail>);

/// The fields of an item in their order: strings as text, others as JSON.
#[derive(Debug)]
struct Detail(Vec<(String, Value)>);

#[derive(Debug)]
enum Value {
    Text(String),
    Json(String),
}

impl Detail {
    fn of(item: &Object<'_>) -> Self {
        let value = |raw| match as_str(raw) {
            Some(text) => Value::Text(text.into_owned()),
            None => Value::Json(raw.get().to_owned()),
        };
        Self(item.iter().map(|(name, raw)| (name.to_owned(), value(raw))).collect())
    }

    fn json_of(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| match value {
            Value::Text(text) | Value::Json(text) => text.as_str(),
        })
    }

    fn goes_on_with(&self, piece: &Self) -> bool {
        ["type", "index"].iter().all(|key| self.json_of(key) == piece.json_of(key))
    }

    fn append(&mut self, piece: Self) {
        for (name, value) in piece.0 {
            let known = self.0.iter_mut().find(|(known, _)| *known == name);
            match (known, value) {
                (Some((_, Value::Text(text))), Value::Text(more))
                    if matches!(name.as_str(), "text" | "summary" | "data") =>
                {
                    text.push_str(&more);
                }
                // What is not said again still holds.
                (Some(_), Value::Text(more)) if more.is_empty() => {}
                (Some(_), Value::Json(more)) if more == "null" => {}
                (Some((_, known)), more) => *known = more,
                (None, more) => self.0.push((name, more)),
            }
        }
    }
}

impl Details {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes an item of a message, or a piece of one of a stream.
    pub(super) fn push(&mut self, item: &Object<'_>) {
        let piece = Detail::of(item);
        match self.0.last_mut() {
            Some(last) if last.goes_on_with(&piece) => last.append(piece),
            _ => self.0.push(Detail(piece.0)),
        }
    }

    pub(super) fn into_json(self) -> String {
        let mut array = ArrayWriter::new();
        for Detail(fields) in self.0 {
            let object = fields.iter().fold(ObjectWriter::new(), |object, (name, value)| match value {
                Value::Text(text) => object.str(name, text),
                Value::Json(json) => object.json(name, json),
            });
            array.push(object);
        }
        array.finish()
    }
}

/// The text of an item.
pub(super) fn detail_text(item: &Object<'_>) -> Option<String> {
    ["text", "summary"].iter().find_map(|name| item.string(name)).filter(|text| !text.is_empty())
}

/// Whether an item of a stream says anything.
pub(super) fn says_something(item: &Object<'_>) -> bool {
    ["text", "summary", "data", "signature"]
        .iter()
        .any(|name| item.str(name).is_some_and(|text| !text.is_empty()))
}

/// The text of a content part of type `thinking`, which is a string or a list of text parts.
pub(super) fn thinking_text(part: &Object<'_>) -> String {
    if let Some(text) = part.string("thinking") {
        return text;
    }
    part.objects("thinking").iter().filter_map(|item| item.string("text")).collect()
}

/// What a client sends back of one piece of reasoning.
#[derive(Debug)]
pub(super) struct Returned {
    pub(super) text: String,
    pub(super) opaque: Option<Opaque>,
    /// How many of the message's other parts stood before it, where that is known.
    pub(super) before: Option<usize>,
}

/// Reads the reasoning in an assistant's message.
pub(super) fn read_returned(message: &Object<'_>) -> Vec<Returned> {
    let text = ["reasoning_content", "reasoning"].iter().find_map(|name| message.string(name));
    let text = text.filter(|text| !text.is_empty());
    let mut returned: Vec<Returned> = Vec::new();
    for detail in message.objects("reasoning_details") {
        if !says_something(&detail) {
            continue;
        }
        let (value, kind) = match detail.str("signature").filter(|signature| !signature.is_empty()) {
            Some(signature) => (Some(signature), OpaqueKind::Signature),
            None => (detail.str("data"), OpaqueKind::Encrypted),
        };
        let opaque = value.map(|value| {
            let opaque = envelope::open(&value, kind);
            Opaque { id: opaque.id.or_else(|| detail.string("id")), ..opaque }
        });
        let ours = opaque.as_ref().is_some_and(|opaque| opaque.owner.is_some());
        let index = detail.u64("index").filter(|_| ours).and_then(|index| usize::try_from(index).ok());
        let before = index.map(|index| index.saturating_sub(returned.len()));
        let text = if ours { detail.string(CLIENT_TEXT) } else { None };
        let text = text.or_else(|| detail_text(&detail)).unwrap_or_default();
        returned.push(Returned { text, opaque, before });
    }
    match (returned.as_mut_slice(), text) {
        ([], Some(text)) => returned.push(Returned { text, opaque: None, before: None }),
        // A client that keeps no more than it knows of an item has the text beside it.
        ([only], Some(text)) if only.text.is_empty() => only.text = text,
        _ => {}
    }
    returned
}

/// A Gemini thought signature as Google's chat API carries it, on a message or a call.
pub(super) fn thought_signature(object: &Object<'_>) -> Option<String> {
    let google = object.object("extra_content").and_then(|extra| extra.object("google"));
    let signature = google.and_then(|google| google.string("thought_signature"));
    signature.or_else(|| object.string("thought_signature")).filter(|signature| !signature.is_empty())
}

/// An item of `reasoning_details` for a client. Its text is told in `reasoning_content` too, but there it is one string
/// for all blocks, and some SDKs keep the last piece alone; under a name of its own nobody shows it twice.
pub(super) fn detail_for_client(text: &str, envelope: &str, index: usize) -> ObjectWriter {
    let detail = ObjectWriter::of_type("reasoning.encrypted").str("data", envelope);
    let detail = if text.is_empty() { detail } else { detail.str(CLIENT_TEXT, text) };
    detail.json("index", &index.to_string())
}

/// What an assistant's message says of its reasoning to the provider that owns it.
#[derive(Debug, Default)]
pub(super) struct Restored {
    pub(super) content: String,
    pub(super) reasoning: String,
    /// Content parts as JSON.
    pub(super) parts: Vec<String>,
    details: Vec<String>,
}

impl Restored {
    pub(super) fn push(&mut self, text: &str, form: &Form) {
        match form {
            Form::Content => self.content.push_str(text),
            Form::Reasoning => self.reasoning.push_str(text),
            Form::Parts => {
                let inner = [ObjectWriter::of_type("text").str("text", text)].into_iter().collect();
                self.parts.push(ObjectWriter::of_type("thinking").array("thinking", inner).finish());
            }
            Form::Details(details) => {
                let raw = crate::json::raw_of(details);
                let items = raw.as_deref().and_then(items).unwrap_or_default();
                self.details.extend(items.into_iter().map(|item| item.get().to_owned()));
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.content.is_empty()
            && self.reasoning.is_empty()
            && self.parts.is_empty()
            && self.details.is_empty()
    }

    /// Adds the fields to a message; the content parts are the caller's to place.
    pub(super) fn write(&self, mut message: ObjectWriter) -> ObjectWriter {
        if !self.content.is_empty() {
            message = message.str("reasoning_content", &self.content);
        }
        if !self.reasoning.is_empty() {
            message = message.str("reasoning", &self.reasoning);
        }
        if !self.details.is_empty() {
            let mut array = ArrayWriter::new();
            self.details.iter().for_each(|detail| array.push_json(detail));
            message = message.array("reasoning_details", array);
        }
        message
    }
}

/// `extra_content` with a Gemini thought signature.
pub(super) fn extra_content(signature: &str) -> String {
    let mut json = r#"{"google":{"thought_signature":"#.to_owned();
    push_str(&mut json, signature);
    json.push_str("}}");
    json
}

#[cfg(test)]
mod tests {
    use super::{Details, Form, Restored, read_returned};
    use crate::envelope;
    use crate::form::{Opaque, OpaqueKind, Owner};
    use crate::json::{Object, ObjectWriter};

    #[test]
    fn pieces_of_details_become_whole_ones() {
        let pieces = [
            r#"{"type":"reasoning.text","text":"a","signature":"","format":"f","index":0}"#,
            r#"{"type":"reasoning.text","text":"b","index":0}"#,
            r#"{"type":"reasoning.text","signature":"S","text":"","index":0}"#,
            r#"{"type":"reasoning.encrypted","data":"D","id":"rs_1","index":0}"#,
        ];
        let mut details = Details::default();
        for piece in pieces {
            details.push(&Object::parse(piece.as_bytes()).unwrap());
        }
        let whole = concat!(
            r#"[{"type":"reasoning.text","text":"ab","signature":"S","format":"f","index":0},"#,
            r#"{"type":"reasoning.encrypted","data":"D","id":"rs_1","index":0}]"#
        );
        let json = details.into_json();
        assert_eq!(json, whole);
        let mut restored = Restored::default();
        restored.push("ab", &Form::of_data(&json));
        assert_eq!(
            restored.write(ObjectWriter::new()).finish(),
            format!(r#"{{"reasoning_details":{whole}}}"#)
        );
    }

    #[test]
    fn an_envelope_keeps_its_text_and_place() {
        let owner = Owner { provider: "p".to_owned(), model: "m".to_owned() };
        let opaque = Opaque { kind: OpaqueKind::Signature, data: "S".to_owned(), id: None, owner: None };
        let sealed = envelope::seal(&opaque, &owner);
        let json = format!(
            r#"{{"reasoning_content":"xy","reasoning_details":[{{"type":"reasoning.encrypted","data":"{sealed}","index":0}}]}}"#
        );
        let returned = read_returned(&Object::parse(json.as_bytes()).unwrap());
        assert_eq!(returned.len(), 1);
        assert_eq!((returned[0].text.as_str(), returned[0].before), ("xy", Some(0)));
        assert_eq!(returned[0].opaque, Some(Opaque { owner: Some(owner), ..opaque }));
    }

    #[test]
    fn forms_are_kept() {
        for form in [Form::Content, Form::Reasoning, Form::Parts, Form::Details("[]".to_owned())] {
            assert_eq!(Form::of_data(&form.clone().into_opaque().data), form);
        }
    }
}
