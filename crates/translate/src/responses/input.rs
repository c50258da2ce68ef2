//! Writes the conversation as input items.

use std::collections::HashSet;

use super::losses::NO_COUNTERPART;
use crate::form::{
    Format, Media, MediaKind, MediaSource, Message, Opaque, OpaqueKind, Part, PartKind, Request, Role,
    ToolCall, ToolInput, ToolResult,
};
use crate::json::{ArrayWriter, ObjectWriter};
use crate::names::{OPENAI_TOOL_NAME, RESPONSES_CALL_ID, fit};
use crate::target::{Losses, Target};

/// Whether the system prompt stands in the input and not in `instructions`: as the only message, or since JSON must be
/// asked for in a message, where `instructions` do not count.
pub(super) fn takes_system(request: &Request) -> bool {
    request.turns.is_empty() || matches!(request.format, Some(Format::JsonObject))
}

pub(super) fn write(request: &Request, target: &Target<'_>, losses: &mut Losses) -> ArrayWriter {
    let parts = request.turns.iter().flat_map(|turn| &turn.parts);
    let customs = parts.filter_map(|part| match &part.kind {
        PartKind::ToolCall(ToolCall { id, input: ToolInput::Text(_), .. }) => Some(id.as_str()),
        _ => None,
    });
    let mut writer =
        Writer { target, losses, customs: customs.collect(), items: ArrayWriter::new(), message: Vec::new() };
    if takes_system(request) {
        for part in &request.system {
            writer.part(part, Role::System);
        }
        writer.close(Role::System);
    }
    for (place, turn) in request.turns.iter().enumerate() {
        let goes_on = request.turns.get(place + 1).is_some_and(|next| next.role == turn.role);
        writer.push_turn(turn, goes_on);
    }
    writer.items
}

struct Writer<'a, 'l> {
    target: &'a Target<'a>,
    losses: &'l mut Losses,
    /// The ids of calls of tools that take free text.
    customs: HashSet<&'a str>,
    items: ArrayWriter,
    /// The parts of the message that is being written: text of its own, or JSON.
    message: Vec<Content<'a>>,
}

enum Content<'a> {
    Text(&'a str),
    Json(ObjectWriter),
}

impl<'a> Writer<'a, '_> {
    /// `goes_on`: the next turn is of the same role.
    fn push_turn(&mut self, turn: &'a Message, goes_on: bool) {
        let led = |part: &Part| {
            matches!(part.kind, PartKind::Text(_) | PartKind::Refusal(_) | PartKind::ToolCall(_))
        };
        let last = turn.parts.iter().rposition(led);
        for (place, part) in turn.parts.iter().enumerate() {
            let is_reasoning = matches!(part.kind, PartKind::Reasoning { .. });
            // Reasoning without what it led to is refused.
            if !is_reasoning || goes_on || last.is_some_and(|last| place < last) {
                self.part(part, turn.role);
            }
        }
        self.close(turn.role);
    }

    fn part(&mut self, part: &'a Part, role: Role) {
        match &part.kind {
            PartKind::Text(text) if text.is_empty() => {}
            PartKind::Text(text) => self.message.push(Content::Text(text)),
            PartKind::Refusal(text) => {
                let refusal = ObjectWriter::of_type("refusal").str("refusal", text);
                self.message.push(if role == Role::Assistant {
                    Content::Json(refusal)
                } else {
                    Content::Text(text)
                });
            }
            PartKind::Media(media) => {
                let written = self.media(media);
                if role == Role::Assistant {
                    // An image that the model made: it has no place in a message of the model's here.
                    self.close(role);
                    self.message.extend(written);
                    self.close(Role::User);
                } else {
                    self.message.extend(written);
                }
            }
            PartKind::Reasoning { text, opaque } => {
                let kept = opaque.as_ref().filter(|opaque| self.target.owns(opaque));
                if let Some(item) = kept.and_then(|opaque| reasoning(text, opaque, self.target.is_official)) {
                    self.close(role);
                    self.items.push(item);
                }
            }
            PartKind::ToolCall(made) => {
                self.close(role);
                self.items.push(call(made));
            }
            PartKind::ToolResult(result) => {
                self.close(role);
                self.result(result);
            }
            PartKind::Foreign(kind) if role == Role::User => self.refuse_foreign(kind),
            // What a provider's own tool did: the answer that it led to stays.
            PartKind::Foreign(kind) => self.losses.drop(kind),
        }
    }

    fn refuse_foreign(&mut self, kind: &str) {
        self.losses.refuse(kind, "has no counterpart in OpenAI Responses");
    }

    /// Ends the message.
    fn close(&mut self, role: Role) {
        let parts = std::mem::take(&mut self.message);
        let (name, kind) = match role {
            // Only OpenAI itself is sure to know `developer`.
            Role::System if self.target.is_official => ("developer", "input_text"),
            Role::System => ("system", "input_text"),
            Role::User => ("user", "input_text"),
            Role::Assistant => ("assistant", "output_text"),
        };
        let message = ObjectWriter::of_type("message").str("role", name);
        let message = match parts.as_slice() {
            [] => return,
            // The form that every server takes.
            [Content::Text(text)] => message.str("content", text),
            _ => {
                let list = parts.into_iter().map(|part| match part {
                    Content::Text(text) => {
                        let part = ObjectWriter::of_type(kind).str("text", text);
                        if role == Role::Assistant { part.json("annotations", "[]") } else { part }
                    }
                    Content::Json(part) => part,
                });
                message.array("content", list.collect())
            }
        };
        self.items.push(message);
    }

    fn result(&mut self, result: &'a ToolResult) {
        let is_custom = result.is_custom || self.customs.contains(result.id.as_str());
        let mut parts: Vec<Content<'a>> = Vec::new();
        for part in &result.content {
            match &part.kind {
                PartKind::Text(text) | PartKind::Refusal(text) => parts.push(Content::Text(text)),
                PartKind::Media(media) => parts.extend(self.media(media)),
                PartKind::Foreign(kind) => self.refuse_foreign(kind),
                PartKind::Reasoning { .. } | PartKind::ToolCall(_) | PartKind::ToolResult(_) => {}
            }
        }
        // There is no field for a failure, and it must not get lost.
        let says_so =
            |text: &str| text.trim_start().get(..5).is_some_and(|word| word.eq_ignore_ascii_case("error"));
        let says_so = parts.iter().any(|part| matches!(part, Content::Text(text) if says_so(text)));
        let prefix = if result.is_error && !says_so { "Error: " } else { "" };
        let kind = if is_custom { "custom_tool_call_output" } else { "function_call_output" };
        let item = ObjectWriter::of_type(kind).str("call_id", &fit(&result.id, RESPONSES_CALL_ID));
        self.items.push(match parts.as_slice() {
            [] => item.str("output", prefix.trim_end()),
            [Content::Text(text)] => item.str("output", &format!("{prefix}{text}")),
            _ => {
                let mut list = ArrayWriter::new();
                if !prefix.is_empty() {
                    list.push(ObjectWriter::of_type("input_text").str("text", prefix));
                }
                for part in parts {
                    list.push(match part {
                        Content::Text(text) => ObjectWriter::of_type("input_text").str("text", text),
                        Content::Json(part) => part,
                    });
                }
                item.array("output", list)
            }
        });
    }

    fn media(&mut self, media: &'a Media) -> Option<Content<'a>> {
        match (media.kind, &media.source) {
            (_, MediaSource::FileId(_)) => {
                self.losses.refuse("file_id", "names a file that another provider keeps");
                None
            }
            (MediaKind::Audio, _) => self.refuse("audio"),
            (MediaKind::Video, _) => self.refuse("video"),
            (MediaKind::Image, _) if !self.target.abilities().images => {
                self.losses.refuse("image", format!("cannot be seen by {}", self.target.model));
                None
            }
            (MediaKind::Image, MediaSource::Base64 { media_type, data }) => {
                Some(image(&format!("data:{media_type};base64,{data}"), media))
            }
            (MediaKind::Image, MediaSource::Url(url)) => Some(image(url, media)),
            (_, MediaSource::Text(text)) => {
                self.losses.drop_if(media.name.is_some(), "title");
                Some(Content::Text(text))
            }
            (_, MediaSource::Url(url)) => {
                let file = ObjectWriter::of_type("input_file").str("file_url", url);
                Some(Content::Json(
                    file.maybe(media.name.as_deref(), |file, name| file.str("filename", name)),
                ))
            }
            (kind, MediaSource::Base64 { media_type, data }) => {
                let unnamed = match kind {
                    MediaKind::Pdf => "document.pdf",
                    MediaKind::Text => "document.txt",
                    _ => "document",
                };
                let file = ObjectWriter::of_type("input_file")
                    .str("filename", media.name.as_deref().unwrap_or(unnamed))
                    .str("file_data", &format!("data:{media_type};base64,{data}"));
                Some(Content::Json(file))
            }
        }
    }

    fn refuse(&mut self, field: &str) -> Option<Content<'a>> {
        self.losses.refuse(field, NO_COUNTERPART);
        None
    }
}

fn image<'a>(url: &str, media: &Media) -> Content<'a> {
    let detail = media.detail.as_deref().unwrap_or("auto");
    Content::Json(ObjectWriter::of_type("input_image").str("detail", detail).str("image_url", url))
}

fn call(call: &ToolCall) -> ObjectWriter {
    let (kind, field, input) = match &call.input {
        // No arguments at all are an empty object.
        ToolInput::Json(json) if json.is_empty() => ("function_call", "arguments", "{}"),
        ToolInput::Json(json) => ("function_call", "arguments", json.as_str()),
        ToolInput::Text(text) => ("custom_tool_call", "input", text.as_str()),
    };
    ObjectWriter::of_type(kind)
        .str("call_id", &fit(&call.id, RESPONSES_CALL_ID))
        .str("name", &fit(&call.name, OPENAI_TOOL_NAME))
        .maybe(call.namespace.as_deref(), |item, namespace| item.str("namespace", namespace))
        .str(field, input)
}

/// An item as the model made it; `None`: it cannot be given back.
fn reasoning(text: &str, opaque: &Opaque, is_official: bool) -> Option<ObjectWriter> {
    let item = ObjectWriter::of_type("reasoning");
    let item = item.maybe(opaque.id.as_deref(), |item, id| item.str("id", id));
    let one =
        |kind: &str| [ObjectWriter::of_type(kind).str("text", text)].into_iter().collect::<ArrayWriter>();
    let summary = if text.is_empty() { ArrayWriter::new() } else { one("summary_text") };
    match opaque.kind {
        OpaqueKind::Encrypted => Some(item.array("summary", summary).str("encrypted_content", &opaque.data)),
        // OpenAI would look for it in its store, where it is not.
        OpaqueKind::PlainText if is_official => None,
        OpaqueKind::PlainText => Some(item.json("summary", "[]").array("content", one("reasoning_text"))),
        _ => None,
    }
}
