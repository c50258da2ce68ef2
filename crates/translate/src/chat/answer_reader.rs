//! Reads what plain answers and chunks of a stream have in common.

use serde_json::value::RawValue;

use super::assembler::Assembler;
use super::calls::CallPiece;
use super::reasoning::{self, Form};
use super::{content, failure, usage};
use crate::form::{Citation, Event, MediaSource};
use crate::json::{Object, as_str, items};

/// Reads the head of an answer or chunk.
pub(super) fn read_head(body: &Object<'_>, assembler: &mut Assembler) {
    assembler.head(body);
    let groq = body.object("x_groq").and_then(|groq| groq.object("usage"));
    if let Some(told) = body.object("usage").or(groq) {
        assembler.usage(usage::read(&told));
    }
}

/// Reads a choice: its message or delta, and why it ended. `whole`: calls come whole, not in pieces.
pub(super) fn read_choice(
    body: &Object<'_>,
    choice: &Object<'_>,
    whole: bool,
    assembler: &mut Assembler,
    out: &mut Vec<Event>,
) {
    let (message, whole) = message_of(choice, whole, assembler);
    match message {
        Some(message) => read_message(&message, whole, assembler, out),
        None => assembler.text(&choice.str("text").unwrap_or_default(), out),
    }
    if let Some(reason) = choice.string("finish_reason").filter(|reason| !reason.is_empty()) {
        assembler.sources(sources(body));
        // vLLM names the stop sequence that was met; a number is a token's.
        assembler.finish_reason(reason, choice.string("stop_reason"));
    }
    if let Some(error) = failure::read(choice) {
        assembler.error(error, out);
    }
}

/// The delta, or the message. In a stream a message repeats all that was said, unless nothing was.
fn message_of<'a>(choice: &Object<'a>, whole: bool, assembler: &Assembler) -> (Option<Object<'a>>, bool) {
    let (delta, message) = (choice.object("delta"), choice.object("message"));
    if whole {
        return (message.or(delta), true);
    }
    match (delta, message) {
        (Some(delta), _) => (Some(delta), false),
        (None, Some(message)) if assembler.is_empty() => (Some(message), true),
        (None, Some(_)) => (Some(Object::default()), false),
        (None, None) if choice.has("delta") => (Some(Object::default()), false),
        (None, None) => (None, false),
    }
}

fn read_message(message: &Object<'_>, whole: bool, assembler: &mut Assembler, out: &mut Vec<Event>) {
    read_reasoning(message, assembler, out);
    if let Some(signature) = reasoning::thought_signature(message) {
        assembler.signature(signature, out);
    }
    if let Some(content) = message.raw("content") {
        read_content(content, assembler, out);
    }
    // Before anything else begins: they are of the text.
    for annotation in message.objects("annotations") {
        if let Some(citation) = read_annotation(&annotation) {
            assembler.citation(citation);
        }
    }
    if let Some(refusal) = message.str("refusal") {
        assembler.refusal(&refusal, out);
    }
    for call in message.objects("tool_calls") {
        let piece = read_call(&call);
        if whole {
            assembler.whole_call(piece, out);
        } else {
            assembler.call(piece, out);
        }
    }
    if let Some(call) = message.object("function_call") {
        let piece = CallPiece {
            // It is the only one: its pieces all go to it.
            index: Some(u64::MAX),
            name: call.string("name").unwrap_or_default(),
            arguments: call.raw("arguments").map(text_or_json).unwrap_or_default(),
            ..CallPiece::default()
        };
        assembler.call(piece, out);
    }
    for image in message.objects("images") {
        read_image(&image, assembler, out);
    }
}

fn read_reasoning(message: &Object<'_>, assembler: &mut Assembler, out: &mut Vec<Event>) {
    let details: Vec<_> =
        message.objects("reasoning_details").into_iter().filter(reasoning::says_something).collect();
    let text = |name| message.string(name).filter(|text| !text.is_empty());
    let named = text("reasoning_content").map(|text| (text, Form::Content));
    let named = named.or_else(|| text("reasoning").map(|text| (text, Form::Reasoning)));
    let (text, form) = named.unwrap_or_else(|| {
        // Details that come behind the text, as this gateway's own do, say it once more.
        let is_said = assembler.is_in_reasoning_content();
        let texts = details.iter().filter(|_| !is_said).filter_map(reasoning::detail_text);
        (texts.collect(), Form::Reasoning)
    });
    assembler.reasoning(&text, &form, &details, out);
}

/// A string; a list of parts, as Mistral has it; or the very object that was asked for, as Cloudflare gives it.
fn read_content(raw: &RawValue, assembler: &mut Assembler, out: &mut Vec<Event>) {
    if let Some(text) = as_str(raw) {
        assembler.text(&text, out);
    } else if let Some(parts) = items(raw) {
        for part in parts {
            match (as_str(part), Object::of(part)) {
                (Some(text), _) => assembler.text(&text, out),
                (None, Some(part)) => read_part(&part, assembler, out),
                (None, None) => {}
            }
        }
    } else if raw.get().starts_with('{') {
        let value = serde_json::from_str::<serde_json::Value>(raw.get());
        assembler.text(&value.map_or_else(|_| raw.get().to_owned(), |value| value.to_string()), out);
    }
}

fn read_part(part: &Object<'_>, assembler: &mut Assembler, out: &mut Vec<Event>) {
    match part.str("type").as_deref() {
        Some("text" | "output_text") => assembler.text(&part.str("text").unwrap_or_default(), out),
        Some("thinking") => assembler.reasoning(&reasoning::thinking_text(part), &Form::Parts, &[], out),
        Some("refusal") => assembler.refusal(&part.str("refusal").unwrap_or_default(), out),
        Some("image_url" | "output_image") => read_image(part, assembler, out),
        _ => {}
    }
}

fn read_image(image: &Object<'_>, assembler: &mut Assembler, out: &mut Vec<Event>) {
    let url =
        image.object("image_url").and_then(|inner| inner.string("url")).or_else(|| image.string("image_url"));
    if let Some(MediaSource::Base64 { media_type, data }) = url.map(content::source_of_url) {
        assembler.media(&media_type, &data, out);
    }
}

fn read_call(call: &Object<'_>) -> CallPiece {
    let custom = call.object("custom");
    let inner = custom.clone().or_else(|| call.object("function")).unwrap_or_default();
    let input = if custom.is_some() { inner.raw("input") } else { inner.raw("arguments") };
    CallPiece {
        index: call.u64("index"),
        id: call.string("id").unwrap_or_default(),
        name: inner.string("name").unwrap_or_default(),
        arguments: input.map(text_or_json).unwrap_or_default(),
        custom: custom.is_some(),
        signature: reasoning::thought_signature(call),
    }
}

/// Arguments are JSON text; some servers give the object itself.
fn text_or_json(raw: &RawValue) -> String {
    as_str(raw).map_or_else(|| raw.get().to_owned(), std::borrow::Cow::into_owned)
}

fn read_annotation(annotation: &Object<'_>) -> Option<Citation> {
    let citation = annotation.object("url_citation").unwrap_or_else(|| annotation.clone());
    let span = citation.u64("start_index").zip(citation.u64("end_index"));
    Some(Citation {
        url: citation.string("url").filter(|url| !url.is_empty())?,
        title: citation.string("title").filter(|title| !title.is_empty()),
        cited_text: citation.string("content").filter(|text| !text.is_empty()),
        // Some servers give zeros for want of knowledge.
        span: span.filter(|(start, end)| start < end),
    })
}

/// The sources that Perplexity lists beside the answer.
fn sources(body: &Object<'_>) -> Vec<Citation> {
    let source = |url, title| Citation { url, title, cited_text: None, span: None };
    let results = body.objects("search_results");
    if results.is_empty() {
        let urls = body.array("citations").into_iter().filter_map(as_str);
        return urls.map(|url| source(url.into_owned(), None)).collect();
    }
    results.iter().filter_map(|result| Some(source(result.string("url")?, result.string("title")))).collect()
}
