//! Writes the messages of a request.
//!
//! The results of an assistant's calls stand directly behind it, in the order of the calls. Their images follow in a
//! user's message behind them all, since the format has text alone in results.

use super::content::{self, Style};
use super::reasoning::{self, Form, Restored};
use super::results::{Results, call_id, mark_error};
use super::tools;
use crate::form::{
    CacheTtl, MediaSource, Message, OpaqueKind, Part, PartKind, Request, Role, ToolCall, ToolInput,
    ToolResult,
};
use crate::json::{ArrayWriter, ObjectWriter};
use crate::names::ToolNames;
use crate::target::{Losses, Target};

pub(super) fn write(
    request: &Request,
    target: &Target<'_>,
    names: &mut ToolNames,
    losses: &mut Losses,
) -> ArrayWriter {
    let mut writer = Writer {
        target,
        style: Style::of(target),
        names,
        losses,
        out: ArrayWriter::new(),
        results: Results::of(&request.turns),
    };
    if !request.system.is_empty() {
        let parts: Vec<&Part> = request.system.iter().collect();
        writer.system(&parts);
    }
    let mut rest = request.turns.as_slice();
    let mut place = 0;
    while let Some(turn) = rest.first() {
        // Neighbours make one message: their calls are answered together.
        let alike = |other: &&Message| turn.role == Role::Assistant && other.role == Role::Assistant;
        let count = rest.iter().take_while(alike).count().max(1);
        let (turns, after) = rest.split_at(count);
        match turn.role {
            Role::Assistant => writer.assistant(turns, place + count),
            Role::System => writer.system(&turn.parts.iter().collect::<Vec<_>>()),
            Role::User => writer.user(turn, place),
        }
        rest = after;
        place += count;
    }
    if request.turns.last().is_some_and(|turn| turn.role == Role::Assistant) {
        writer.refuse_prefill();
    }
    writer.out
}

struct Writer<'a> {
    target: &'a Target<'a>,
    style: Style,
    names: &'a mut ToolNames,
    losses: &'a mut Losses,
    out: ArrayWriter,
    results: Results<'a>,
}

impl Writer<'_> {
    fn system(&mut self, parts: &[&Part]) {
        let role = if self.target.is_official { "developer" } else { "system" };
        let mut texts = Vec::new();
        for part in parts {
            match &part.kind {
                PartKind::Text(text) => texts.push((text.as_str(), part.cache)),
                _ => self.losses.refuse("system", "has a part that is no text"),
            }
        }
        texts.retain(|(text, _)| !text.is_empty());
        if let Some(content) = self.texts(&texts) {
            self.out.push(ObjectWriter::new().str("role", role).json("content", &content));
        }
    }

    /// Texts as a content: a string, or parts where each must keep its mark or its place.
    fn texts(&mut self, texts: &[(&str, Option<CacheTtl>)]) -> Option<String> {
        let said: Vec<_> = texts.iter().filter(|(text, _)| !text.is_empty()).copied().collect();
        let marked = self.style.breakpoints && said.iter().any(|(_, cache)| cache.is_some());
        if self.style.parts && (said.len() > 1 || marked) {
            let mut parts = ArrayWriter::new();
            for (text, cache) in said {
                parts.push(content::write_cache(content::text_part(text), cache, self.style, self.losses));
            }
            return Some(parts.finish());
        }
        self.losses.drop_if(said.iter().any(|(_, cache)| cache.is_some()), "cache_control");
        let lines: Vec<&str> = said.iter().map(|(text, _)| *text).collect();
        (!texts.is_empty()).then(|| quoted(&lines.join("\n")))
    }

    fn user(&mut self, turn: &Message, place: usize) {
        let mut parts = Vec::new();
        for part in &turn.parts {
            match &part.kind {
                PartKind::ToolResult(result) if self.results.is_left(result, place) => {
                    self.losses.refuse("tool_call_id", format!("{} answers no call before it", result.id));
                }
                PartKind::Text(_) | PartKind::Refusal(_) | PartKind::Media(_) => parts.push(part),
                PartKind::Foreign(name) => self.refuse_foreign(name),
                PartKind::ToolResult(_) | PartKind::Reasoning { .. } | PartKind::ToolCall(_) => {}
            }
        }
        let only_results = parts.is_empty() && !turn.parts.is_empty();
        if !only_results {
            self.user_message(&parts);
        }
    }

    fn user_message(&mut self, parts: &[&Part]) {
        let text_of = |part: &&Part| match &part.kind {
            PartKind::Text(text) | PartKind::Refusal(text) => Some((text.clone(), part.cache)),
            _ => None,
        };
        let texts: Vec<_> = parts.iter().filter_map(text_of).collect();
        let content = if texts.len() == parts.len() {
            let texts: Vec<_> = texts.iter().map(|(text, cache)| (text.as_str(), *cache)).collect();
            self.texts(&texts).unwrap_or_else(|| quoted(""))
        } else {
            self.parts(parts)
        };
        self.out.push(ObjectWriter::new().str("role", "user").json("content", &content));
    }

    fn parts(&mut self, parts: &[&Part]) -> String {
        let mut written = ArrayWriter::new();
        for part in parts {
            let object = match &part.kind {
                PartKind::Text(text) | PartKind::Refusal(text) if !text.is_empty() => {
                    Some(content::text_part(text))
                }
                PartKind::Media(media) => content::write_media(media, self.target, self.losses),
                _ => None,
            };
            if let Some(object) = object {
                written.push(content::write_cache(object, part.cache, self.style, self.losses));
            }
        }
        written.finish()
    }

    fn refuse_foreign(&mut self, name: &str) {
        self.losses.refuse(name, "has no counterpart in OpenAI Chat Completions");
    }

    fn refuse_prefill(&mut self) {
        if self.target.is_official || !self.target.abilities().prefill {
            self.losses.refuse(
                "messages",
                "ends with a beginning of the answer, which this model does not go on with",
            );
        }
    }

    /// `after`: the place of the turn that follows.
    fn assistant(&mut self, turns: &[Message], after: usize) {
        let mut message = Assistant::default();
        for turn in turns {
            message.begin_turn();
            for part in &turn.parts {
                self.assistant_part(part, &mut message);
            }
        }
        self.assistant_message(&message);
        self.answers(&message.calls, after);
    }

    fn assistant_part<'p>(&mut self, part: &'p Part, message: &mut Assistant<'p>) {
        self.losses.drop_if(part.cache.is_some() && !self.style.breakpoints, "cache_control");
        match &part.kind {
            PartKind::Text(text) if !text.is_empty() => message.text(text, part.cache),
            PartKind::Refusal(text) => message.refusal.push_str(text),
            PartKind::Reasoning { text, opaque: Some(opaque) } if self.target.owns(opaque) => {
                match opaque.kind {
                    OpaqueKind::PlainText => message.reasoning.push(text, &Form::of_data(&opaque.data)),
                    OpaqueKind::ThoughtSignature => message.signature = Some(&opaque.data),
                    // No field of this format takes them.
                    OpaqueKind::Signature | OpaqueKind::Redacted | OpaqueKind::Encrypted => {}
                }
            }
            PartKind::ToolCall(call) => {
                let signature = message.signature.take();
                message.calls.push((call, signature));
            }
            PartKind::Media(media) => match &media.source {
                MediaSource::Text(text) => message.text(text, part.cache),
                _ => {
                    self.losses.refuse("image", "in an answer has no counterpart in OpenAI Chat Completions");
                }
            },
            // What a provider's own tool did: the answer that it led to stays.
            PartKind::Foreign(name) => self.losses.drop(name.as_str()),
            PartKind::Text(_) | PartKind::Reasoning { .. } | PartKind::ToolResult(_) => {}
        }
    }

    fn assistant_message(&mut self, message: &Assistant<'_>) {
        let nothing = message.texts.is_empty() && message.refusal.is_empty() && message.calls.is_empty();
        if nothing && message.reasoning.is_empty() && message.signature.is_none() {
            return;
        }
        let mut written = ObjectWriter::new().str("role", "assistant");
        written = match self.assistant_content(message) {
            Some(content) => written.json("content", &content),
            None if message.calls.is_empty() => written.str("content", ""),
            None => written.null("content"),
        };
        if self.target.is_official && !message.refusal.is_empty() {
            written = written.str("refusal", &message.refusal);
        }
        written = message.reasoning.write(written);
        if let Some(signature) = message.signature {
            written = written.json("extra_content", &reasoning::extra_content(signature));
        }
        if !message.calls.is_empty() {
            let calls = message.calls.iter().map(|(call, signature)| self.call(call, *signature)).collect();
            written = written.array("tool_calls", calls);
        }
        self.out.push(written);
    }

    fn assistant_content(&mut self, message: &Assistant<'_>) -> Option<String> {
        if self.style.parts && message.texts.len() > 1 {
            let mut parts = ArrayWriter::new();
            for (text, cache, _) in &message.texts {
                parts.push(content::write_cache(content::text_part(text), *cache, self.style, self.losses));
            }
            return Some(parts.finish());
        }
        let mut text = message.joined();
        if !self.target.is_official {
            // Compatible servers know no field for it; the words are the model's own.
            text.push_str(&message.refusal);
        }
        if message.reasoning.parts.is_empty() {
            return (!text.is_empty()).then(|| quoted(&text));
        }
        let mut parts = ArrayWriter::new();
        message.reasoning.parts.iter().for_each(|part| parts.push_json(part));
        if !text.is_empty() {
            parts.push(content::text_part(&text));
        }
        Some(parts.finish())
    }

    fn call(&mut self, call: &ToolCall, signature: Option<&str>) -> ObjectWriter {
        let custom = matches!(call.input, ToolInput::Text(_));
        let name = tools::sent_name(call.namespace.as_deref(), &call.name, custom, self.names);
        let arguments = match &call.input {
            ToolInput::Json(arguments) if arguments.trim().is_empty() => "{}".to_owned(),
            ToolInput::Json(arguments) => arguments.clone(),
            ToolInput::Text(text) => ObjectWriter::new().str("input", text).finish(),
        };
        let function = ObjectWriter::new().str("name", &name).str("arguments", &arguments);
        ObjectWriter::new()
            .str("id", &call_id(&call.id, self.target))
            .str("type", "function")
            .object("function", function)
            .maybe(signature, |call, signature| {
                call.json("extra_content", &reasoning::extra_content(signature))
            })
    }

    /// The results of the calls, then what the format does not take in results.
    fn answers(&mut self, calls: &[(&ToolCall, Option<&str>)], after: usize) {
        let mut aside = ArrayWriter::new();
        for (call, _) in calls {
            if let Some((part, result)) = self.results.take(&call.id, after) {
                self.losses.drop_if(part.cache.is_some() && !self.style.breakpoints, "cache_control");
                self.push_result(call, result, &mut aside);
            }
        }
        if !aside.is_empty() {
            self.out.push(ObjectWriter::new().str("role", "user").array("content", aside));
        }
    }

    fn push_result(&mut self, call: &ToolCall, result: &ToolResult, aside: &mut ArrayWriter) {
        let id = call_id(&call.id, self.target);
        let mut texts = Vec::new();
        let mut media = 0;
        for part in &result.content {
            match &part.kind {
                PartKind::Text(text) => texts.push(text.clone()),
                PartKind::Media(file) => {
                    if let Some(object) = content::write_media(file, self.target, self.losses) {
                        if media == 0 {
                            aside.push(content::text_part(&format!("From the result of tool call {id}:")));
                        }
                        aside.push(object);
                        media += 1;
                    }
                }
                PartKind::Foreign(name) => self.refuse_foreign(name),
                _ => {}
            }
        }
        if media > 0 {
            texts.push("(What the tool returned besides text is in the next user message.)".to_owned());
        }
        if result.is_error {
            mark_error(&mut texts);
        }
        let texts: Vec<_> = texts.iter().map(|text| (text.as_str(), None)).collect();
        let content = self.texts(&texts).unwrap_or_else(|| quoted(""));
        let message =
            ObjectWriter::new().str("role", "tool").str("tool_call_id", &id).json("content", &content);
        self.out.push(message);
    }
}

/// An assistant's message in the making.
#[derive(Default)]
struct Assistant<'p> {
    /// Each text with its mark, and whether it begins another turn.
    texts: Vec<(&'p str, Option<CacheTtl>, bool)>,
    refusal: String,
    reasoning: Restored,
    /// A Gemini thought signature for the next call.
    signature: Option<&'p str>,
    calls: Vec<(&'p ToolCall, Option<&'p str>)>,
    begins: bool,
}

impl<'p> Assistant<'p> {
    fn begin_turn(&mut self) {
        self.begins = !self.texts.is_empty();
    }

    fn text(&mut self, text: &'p str, cache: Option<CacheTtl>) {
        self.texts.push((text, cache, self.begins));
        self.begins = false;
    }

    /// Blocks of one turn go on with each other, as where a citation splits a sentence; turns do not.
    fn joined(&self) -> String {
        let mut joined = String::new();
        for (text, _, begins) in &self.texts {
            if *begins {
                joined.push_str("\n\n");
            }
            joined.push_str(text);
        }
        joined
    }
}

fn quoted(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    crate::json::push_str(&mut json, text);
    json
}

#[cfg(test)]
mod tests;
