//! Writes `contents`.
//!
//! What Gemini asks for: roles alternate; the results of a turn's calls stand together, in the calls' order, right
//! behind it and as many as they; a signature stands on its own part. Reasoning without an owned signature stays out.

use super::media;
use super::signature::{self, SKIP_VALIDATOR, SignaturePlace};
use super::tools_writer::{arguments, is_object, name_for};
use crate::abilities::Thinking;
use crate::form::{
    Media, MediaKind, MediaSource, Message, Opaque, OpaqueKind, PartKind, Role, ToolCall, ToolInput,
    ToolResult,
};
use crate::json::{ArrayWriter, ObjectWriter};
use crate::names::{ClientName, ToolNames};
use crate::target::{Losses, Target};

pub(super) struct Conversation<'a> {
    target: &'a Target<'a>,
    names: &'a mut ToolNames,
    losses: &'a mut Losses,
    contents: Vec<Content>,
}

#[derive(Default)]
struct Content {
    is_model: bool,
    parts: Vec<Written>,
    /// Signatures whose calls are still to come in this content, by the calls' ids.
    call_signatures: Vec<(String, String)>,
    /// The signature of the part that comes next.
    next_signature: Option<String>,
}

enum Written {
    Part(ObjectWriter),
    Call { id: String, name: String, part: ObjectWriter, signature: Option<String> },
    Result { id: String, name: Option<String>, response: String, media: Vec<ObjectWriter> },
}

impl<'a> Conversation<'a> {
    pub(super) const fn new(
        target: &'a Target<'a>,
        names: &'a mut ToolNames,
        losses: &'a mut Losses,
    ) -> Self {
        Self { target, names, losses, contents: Vec::new() }
    }

    pub(super) fn write(mut self, turns: &[Message]) -> ArrayWriter {
        for turn in turns {
            self.push_turn(turn);
        }
        for content in &mut self.contents {
            content.flush_signature();
        }
        self.contents.retain(|content| !content.parts.is_empty());
        self.join_neighbours();
        self.check_ends();
        self.finish()
    }

    /// The content that parts of a role go to.
    fn content(&mut self, is_model: bool) -> Option<&mut Content> {
        if self.contents.last().is_none_or(|last| last.is_model != is_model) {
            self.contents.push(Content { is_model, ..Content::default() });
        }
        self.contents.last_mut()
    }

    fn push_turn(&mut self, turn: &Message) {
        for part in &turn.parts {
            self.losses.drop_if(part.cache.is_some(), "cache_control");
            let is_model = match &part.kind {
                PartKind::ToolCall(_) => true,
                PartKind::ToolResult(_) => false,
                _ => turn.role == Role::Assistant,
            };
            let written = match &part.kind {
                // There is no system text but at the beginning, and moving it there would change all that follows.
                PartKind::Text(text) if turn.role == Role::System && !text.is_empty() => {
                    let text = format!("<system-reminder>\n{text}\n</system-reminder>");
                    Some(Written::Part(ObjectWriter::new().str("text", &text)))
                }
                PartKind::Reasoning { text, opaque } => {
                    self.reasoning(text, opaque.as_ref());
                    None
                }
                PartKind::Foreign(name) if turn.role == Role::User => {
                    self.refuse_foreign(name);
                    None
                }
                kind => self.part(kind),
            };
            if let (Some(written), Some(content)) = (written, self.content(is_model)) {
                content.push(written);
            }
        }
    }

    fn part(&mut self, kind: &PartKind) -> Option<Written> {
        match kind {
            PartKind::Text(text) | PartKind::Refusal(text) => {
                (!text.is_empty()).then(|| Written::Part(ObjectWriter::new().str("text", text)))
            }
            PartKind::Media(media) => {
                if media.kind == MediaKind::Image && !self.target.abilities().images {
                    self.losses.refuse("image", "cannot be seen by this model");
                    return None;
                }
                media::write(media, self.losses).map(Written::Part)
            }
            PartKind::ToolCall(call) => Some(self.call(call)),
            PartKind::ToolResult(result) => Some(self.result(result)),
            // What a provider's own tool did: the answer that it led to stays.
            PartKind::Foreign(name) => {
                self.losses.drop(name);
                None
            }
            PartKind::Reasoning { .. } => None,
        }
    }

    fn refuse_foreign(&mut self, name: &str) {
        self.losses.refuse(name, "has no counterpart in Gemini");
    }

    fn reasoning(&mut self, text: &str, opaque: Option<&Opaque>) {
        let owned =
            opaque.filter(|opaque| opaque.kind == OpaqueKind::ThoughtSignature && self.target.owns(opaque));
        let Some(opaque) = owned else { return };
        let Some(content) = self.content(true) else { return };
        match signature::split(&opaque.data) {
            (SignaturePlace::Call(id), value) => {
                content.call_signatures.push((id.to_owned(), value.to_owned()));
            }
            (SignaturePlace::Thought, value) => {
                let part = ObjectWriter::new()
                    .str("text", text)
                    .bool("thought", true)
                    .str("thoughtSignature", value);
                content.push(Written::Part(part));
            }
            (SignaturePlace::Next, value) => {
                content.flush_signature();
                content.next_signature = Some(value.to_owned());
            }
        }
    }

    fn call(&mut self, call: &ToolCall) -> Written {
        let name = name_for(call.namespace.as_deref(), &call.name);
        let custom = matches!(call.input, ToolInput::Text(_));
        let client = ClientName { name: call.name.clone(), namespace: call.namespace.clone(), custom };
        self.names.note(&name, client);
        let args = match &call.input {
            ToolInput::Text(text) => ObjectWriter::new().str("input", text).finish(),
            ToolInput::Json(json) => arguments(json),
        };
        let out = ObjectWriter::new();
        let out = if call.id.is_empty() { out } else { out.str("id", &call.id) };
        let part = ObjectWriter::new().object("functionCall", out.str("name", &name).json("args", &args));
        Written::Call { id: call.id.clone(), name, part, signature: None }
    }

    fn result(&mut self, result: &ToolResult) -> Written {
        let mut texts = Vec::new();
        let mut media = Vec::new();
        for part in &result.content {
            match &part.kind {
                PartKind::Text(text) | PartKind::Media(Media { source: MediaSource::Text(text), .. }) => {
                    texts.push(text.as_str());
                }
                kind @ PartKind::Media(_) => {
                    if let Some(Written::Part(part)) = self.part(kind) {
                        media.push(part);
                    }
                }
                PartKind::Foreign(name) => self.refuse_foreign(name),
                _ => {}
            }
        }
        let key = if result.is_error { "error" } else { "output" };
        let text = texts.join("\n");
        let response = match &result.json {
            Some(json) if json.get().starts_with('{') => json.get().to_owned(),
            _ if is_object(&text) && result.is_error => ObjectWriter::new().json(key, text.trim()).finish(),
            _ if is_object(&text) => text.trim().to_owned(),
            _ => ObjectWriter::new().str(key, &text).finish(),
        };
        Written::Result { id: result.id.clone(), name: result.name.clone(), response, media }
    }

    /// What was left out may have stood between contents of one role.
    fn join_neighbours(&mut self) {
        let mut joined: Vec<Content> = Vec::with_capacity(self.contents.len());
        for content in self.contents.drain(..) {
            match joined.last_mut() {
                Some(last) if last.is_model == content.is_model => last.parts.extend(content.parts),
                _ => joined.push(content),
            }
        }
        self.contents = joined;
    }

    fn check_ends(&mut self) {
        let Some(last) = self.contents.last() else {
            self.losses.refuse("messages", "has nothing that Gemini could answer");
            return;
        };
        let has_calls =
            |content: &Content| content.parts.iter().any(|part| matches!(part, Written::Call { .. }));
        if last.is_model && !has_calls(last) && !self.target.abilities().prefill {
            self.losses
                .refuse("messages", "ends with the model's own turn, which Gemini does not go on with");
        }
        // A call must follow a user's turn, which a history that was cut may lack.
        if self.contents.first().is_some_and(|first| first.is_model && has_calls(first)) {
            let blank = Written::Part(ObjectWriter::new().str("text", " "));
            self.contents.insert(0, Content { parts: vec![blank], ..Content::default() });
        }
    }

    fn finish(self) -> ArrayWriter {
        let needs_signature = self.target.abilities().thinking == Thinking::GeminiLevel;
        // Earlier models see images beside the results, later ones in them.
        let media_inside = self.target.abilities().thinking != Thinking::GeminiBudget;
        let mut calls = Vec::new();
        let mut out = ArrayWriter::new();
        for content in self.contents {
            let role = if content.is_model { "model" } else { "user" };
            let mut parts = ArrayWriter::new();
            if content.is_model {
                unanswered(&calls, self.losses);
                calls = content.model_parts(needs_signature, &mut parts);
            } else {
                content.user_parts(std::mem::take(&mut calls), media_inside, &mut parts, self.losses);
            }
            out.push(ObjectWriter::new().str("role", role).array("parts", parts));
        }
        unanswered(&calls, self.losses);
        out
    }
}

impl Content {
    fn push(&mut self, mut written: Written) {
        match &mut written {
            Written::Part(part) => {
                if let Some(value) = self.next_signature.take() {
                    *part = part.clone().str("thoughtSignature", &value);
                }
            }
            Written::Call { id, signature, .. } => {
                self.flush_signature();
                if let Some(at) = self.call_signatures.iter().position(|(call, _)| call == id) {
                    *signature = Some(self.call_signatures.remove(at).1);
                }
            }
            Written::Result { .. } => {}
        }
        self.parts.push(written);
    }

    /// A signature that nothing followed stood on an empty text.
    fn flush_signature(&mut self) {
        if let Some(value) = self.next_signature.take() {
            let part = ObjectWriter::new().str("text", "").str("thoughtSignature", &value);
            self.parts.push(Written::Part(part));
        }
    }

    /// Writes a model's parts, and says its calls: ids and names.
    fn model_parts(self, needs_signature: bool, out: &mut ArrayWriter) -> Vec<(String, String)> {
        let mut calls = Vec::new();
        for part in self.parts {
            match part {
                Written::Part(part) => out.push(part),
                Written::Call { id, name, part, signature } => {
                    // The first call of a turn must have one. So must only those since the user's last words, but what
                    // has been said stays the same on every turn (T4).
                    let skip = (needs_signature && calls.is_empty()).then(|| SKIP_VALIDATOR.to_owned());
                    out.push(
                        part.maybe(signature.or(skip), |part, value| part.str("thoughtSignature", &value)),
                    );
                    calls.push((id, name));
                }
                Written::Result { .. } => {}
            }
        }
        calls
    }

    /// Writes a user's parts: first the results, in the order of the calls.
    fn user_parts(
        self,
        calls: Vec<(String, String)>,
        media_inside: bool,
        out: &mut ArrayWriter,
        losses: &mut Losses,
    ) {
        let (mut results, others): (Vec<Written>, Vec<Written>) =
            self.parts.into_iter().partition(|part| matches!(part, Written::Result { .. }));
        let mut beside = Vec::new();
        let mut missing = Vec::new();
        for (id, name) in calls {
            let Some(at) =
                results.iter().position(|part| matches!(part, Written::Result { id: of, .. } if *of == id))
            else {
                missing.push((id, name));
                continue;
            };
            if let Written::Result { response, media, .. } = results.remove(at) {
                let inside = if media_inside {
                    media
                } else {
                    beside.extend(media);
                    Vec::new()
                };
                out.push(function_response(&id, &name, &response, inside));
            }
        }
        unanswered(&missing, losses);
        for result in results {
            if let Written::Result { id, name, .. } = result {
                let name = name.map(|name| format!(" of `{name}`")).unwrap_or_default();
                losses.refuse(
                    "messages",
                    format!("has a tool result{name} with the id `{id}`, which answers no call"),
                );
            }
        }
        for part in beside {
            out.push(part);
        }
        for other in others {
            if let Written::Part(part) = other {
                out.push(part);
            }
        }
    }
}

fn function_response(id: &str, name: &str, response: &str, media: Vec<ObjectWriter>) -> ObjectWriter {
    let out = ObjectWriter::new();
    let out = if id.is_empty() { out } else { out.str("id", id) };
    let out = out.str("name", name).json("response", response);
    let out = if media.is_empty() { out } else { out.array("parts", media.into_iter().collect()) };
    ObjectWriter::new().object("functionResponse", out)
}

fn unanswered(calls: &[(String, String)], losses: &mut Losses) {
    for (id, name) in calls {
        losses.refuse("messages", format!("has a call of `{name}` with the id `{id}`, but no result of it"));
    }
}

#[cfg(test)]
mod tests;
