//! What a format cannot say of a request: all that the laws of identity leave out.

use dialects::Dialect::{self, Anthropic, BedrockConverse, Gemini, OpenAiChat, OpenAiResponses};

use crate::form::{
    CacheTtl, Format, Media, MediaKind, MediaSource, Message, Part, PartKind, Reasoning, Request, Role,
    Sampling, ToolChoice, ToolKind, ToolResult,
};
use crate::json::raw_of;

/// Takes out what a format refuses, so that the rest can be tried.
pub(super) fn without_refused(dialect: Dialect, request: &mut Request) {
    match dialect {
        // Results have text alone; other media follow in a message of the user's.
        OpenAiChat => each_result(request, |result| {
            result.content.retain(|part| matches!(part.kind, PartKind::Text(_)));
        }),
        OpenAiResponses => {
            request.stop.clear();
            retain_media(request, |media| media.kind != MediaKind::Audio);
        }
        Anthropic => {
            // A JSON mode becomes a sentence of the system prompt.
            request.format =
                request.format.take().filter(|format| matches!(format, Format::JsonSchema { .. }));
            // Thinking excludes sampling and forced tools.
            request.reasoning = Reasoning::default();
            retain_media(request, |media| media.kind != MediaKind::Audio);
            if marks(request) > 3 {
                each_part(request, |part| part.cache = None);
                request.tools.iter_mut().for_each(|tool| tool.cache = None);
            }
        }
        Gemini => retain_media(request, |media| !matches!(media.source, MediaSource::Url(_))),
        BedrockConverse => {
            retain_media(request, |media| {
                !matches!(media.source, MediaSource::Url(_)) && media.kind != MediaKind::Audio
            });
            // A document has a text beside it.
            for turn in request.turns.iter_mut().filter(|turn| turn.role == Role::User) {
                if turn.parts.iter().any(|part| matches!(part.kind, PartKind::Media(_))) {
                    turn.parts.push(Part::text("look"));
                }
            }
        }
    }
}

/// The request as a format says it: what is dropped, and what is said in another way.
pub(super) fn as_said_in(dialect: Dialect, mut request: Request) -> Request {
    if dialect != Anthropic {
        request.cache = None;
        each_part(&mut request, |part| part.cache = None);
        request.tools.iter_mut().for_each(|tool| tool.cache = None);
        each_part(&mut request, text_document);
    }
    match dialect {
        OpenAiChat => chat(&mut request),
        OpenAiResponses => responses(&mut request),
        Anthropic => messages(&mut request),
        Gemini => gemini(&mut request),
        BedrockConverse => panic!("nothing reads its requests"),
    }
    canonical(request)
}

/// One way to say what may be said in several: neighbours of a role are one turn; a result's name is that of its call;
/// who made reasoning is known to the envelope alone; a stream's usage is always told.
pub(super) fn canonical(mut request: Request) -> Request {
    request.include_usage = false;
    each_result(&mut request, |result| (result.name, result.json) = (None, None));
    each_part(&mut request, |part| {
        if let PartKind::Reasoning { opaque: Some(opaque), .. } = &mut part.kind {
            opaque.owner = None;
        }
    });
    let mut joined: Vec<Message> = Vec::new();
    for turn in request.turns.drain(..).filter(|turn| !turn.parts.is_empty()) {
        match joined.last_mut() {
            Some(last) if last.role == turn.role => last.parts.extend(turn.parts),
            _ => joined.push(turn),
        }
    }
    Request { turns: joined, ..request }
}

fn chat(request: &mut Request) {
    for turn in request.turns.iter_mut().filter(|turn| turn.role == Role::Assistant) {
        // A message has its texts, one refusal and its calls, in this order.
        let mut refusal = String::new();
        turn.parts.retain(|part| match &part.kind {
            PartKind::Refusal(text) => {
                refusal.push_str(text);
                false
            }
            _ => true,
        });
        let (mut parts, calls): (Vec<_>, Vec<_>) =
            turn.parts.drain(..).partition(|part| !matches!(part.kind, PartKind::ToolCall(_)));
        parts.extend((!refusal.is_empty()).then(|| Part::new(PartKind::Refusal(refusal))));
        parts.extend(calls);
        turn.parts = parts;
    }
    each_result(request, error_in_words);
    each_media(request, named_pdf);
    request.sampling.top_k = None;
    request.metadata = None;
    named_format(request);
}

fn responses(request: &mut Request) {
    // `instructions` is one text. They do not count where JSON is asked for, so there they stand in a message.
    if !matches!(request.format, Some(Format::JsonObject)) {
        let text =
            |part: &Part| if let PartKind::Text(text) = &part.kind { text.clone() } else { String::new() };
        let system: Vec<String> = request.system.iter().map(text).collect();
        request.system = (!system.is_empty()).then(|| Part::text(system.join("\n\n"))).into_iter().collect();
    }
    each_result(request, |result| {
        let texts = result
            .content
            .iter()
            .filter(|part| matches!(&part.kind, PartKind::Text(text) if begins_with_error(text)));
        if texts.count() > 0 {
            result.is_error = false;
        } else if result.content.len() > 1 && std::mem::take(&mut result.is_error) {
            result.content.insert(0, Part::text("Error: "));
        }
        error_in_words(result);
    });
    each_media(request, |media| {
        named_pdf(media);
        if media.kind == MediaKind::Image {
            media.detail.get_or_insert_with(|| "auto".to_owned());
        }
    });
    let Sampling { temperature, top_p, .. } = request.sampling;
    request.sampling = Sampling { temperature, top_p, ..Sampling::default() };
    for tool in &mut request.tools {
        if let ToolKind::Function { strict, parameters, .. } = &mut tool.kind {
            // Said always, since its absence would mean something else.
            *strict = Some(*strict == Some(true));
            let none = r#"{"type":"object","properties":{},"additionalProperties":false}"#;
            parameters.get_or_insert_with(|| raw_of(none).unwrap());
        }
    }
    named_format(request);
    if let Some(Format::JsonSchema { strict, .. }) = &mut request.format {
        *strict = Some(strict.unwrap_or(true));
    }
}

fn messages(request: &mut Request) {
    each_part(request, refusal_as_text);
    each_media(request, |media| {
        media.detail = None;
        if media.kind == MediaKind::Image {
            media.name = None;
        }
    });
    for tool in &mut request.tools {
        if let ToolKind::Function { strict, parameters, .. } = &mut tool.kind {
            *strict = strict.filter(|strict| *strict && parameters.is_some());
            parameters.get_or_insert_with(|| raw_of(r#"{"type":"object","properties":{}}"#).unwrap());
        }
    }
    bare_format(request);
    // The format must say a limit.
    request.max_tokens.get_or_insert(32_000);
    let Sampling { temperature, top_p, top_k, .. } = request.sampling;
    request.sampling = Sampling { temperature, top_p, top_k, ..Sampling::default() };
    // Who names a cache wants one.
    request.cache = request.cache.or(request.cache_key.take().map(|_| CacheTtl::Default));
    request.metadata = None;
    request.verbosity = None;
    request.service_tier = request.service_tier.take().filter(|tier| tier == "auto");
    request.parallel_tool_calls = request
        .parallel_tool_calls
        .filter(|parallel| !parallel && request.tool_choice != Some(ToolChoice::None));
    if request.parallel_tool_calls == Some(false) {
        request.tool_choice.get_or_insert(ToolChoice::Auto);
    }
}

fn gemini(request: &mut Request) {
    each_part(request, refusal_as_text);
    each_media(request, |media| (media.detail, media.name) = (None, None));
    for turn in request.turns.iter_mut().filter(|turn| turn.role == Role::System) {
        turn.role = Role::User;
        for part in &mut turn.parts {
            if let PartKind::Text(text) = &mut part.kind {
                *text = format!("<system-reminder>\n{text}\n</system-reminder>");
            }
        }
    }
    each_result(request, |result| {
        let (texts, media): (Vec<_>, Vec<_>) =
            result.content.drain(..).partition(|part| matches!(part.kind, PartKind::Text(_)));
        let texts: Vec<String> = texts
            .into_iter()
            .filter_map(|part| if let PartKind::Text(text) = part.kind { Some(text) } else { None })
            .collect();
        result.content.push(Part::text(texts.join("\n")));
        result.content.extend(media);
    });
    let Sampling { temperature, top_p, top_k, seed, .. } = request.sampling;
    request.sampling = Sampling { temperature, top_p, top_k, seed, ..Sampling::default() };
    bare_format(request);
    let mut is_strict = false;
    for tool in &mut request.tools {
        if let ToolKind::Function { strict, parameters, .. } = &mut tool.kind {
            is_strict |= strict.take() == Some(true);
            // No parameters are not said.
            *parameters = parameters.take().filter(|schema| !schema.get().contains(r#""properties":{}"#));
        }
    }
    // Strictness is a mode of the choice here.
    if is_strict {
        request.tool_choice.get_or_insert(ToolChoice::Auto);
    }
    (request.cache_key, request.user, request.metadata) = (None, None, None);
    (request.service_tier, request.verbosity, request.parallel_tool_calls) = (None, None, None);
    // It is said in the path.
    request.stream = false;
}

fn named_format(request: &mut Request) {
    if let Some(Format::JsonSchema { name, .. }) = &mut request.format {
        name.get_or_insert_with(|| "response".to_owned());
    }
}

fn bare_format(request: &mut Request) {
    if let Some(Format::JsonSchema { name, description, strict, .. }) = &mut request.format {
        (*name, *description, *strict) = (None, None, None);
    }
}

fn refusal_as_text(part: &mut Part) {
    if let PartKind::Refusal(text) = &mut part.kind {
        part.kind = PartKind::Text(std::mem::take(text));
    }
}

/// A document's words are as good as the document.
fn text_document(part: &mut Part) {
    if let PartKind::Media(Media { source: MediaSource::Text(text), .. }) = &mut part.kind {
        part.kind = PartKind::Text(std::mem::take(text));
    }
}

fn named_pdf(media: &mut Media) {
    if media.kind == MediaKind::Pdf {
        media.name.get_or_insert_with(|| "document.pdf".to_owned());
    }
}

/// A failure is a word of the text, unless the text begins with it anyway.
fn error_in_words(result: &mut ToolResult) {
    let is_error = std::mem::take(&mut result.is_error);
    if let (true, Some(Part { kind: PartKind::Text(text), .. })) = (is_error, result.content.first_mut())
        && !begins_with_error(text)
    {
        text.insert_str(0, "Error: ");
    }
}

fn begins_with_error(text: &str) -> bool {
    text.to_ascii_lowercase().trim_start().starts_with("error")
}

fn marks(request: &mut Request) -> usize {
    let mut marks = request.tools.iter().filter(|tool| tool.cache.is_some()).count();
    each_part(request, |part| marks += usize::from(part.cache.is_some()));
    marks
}

fn retain_media(request: &mut Request, keep: impl Fn(&Media) -> bool) {
    for turn in &mut request.turns {
        turn.parts.retain(|part| if let PartKind::Media(media) = &part.kind { keep(media) } else { true });
        if turn.parts.is_empty() {
            turn.parts.push(Part::text("look"));
        }
    }
}

/// The parts of the system prompt and of turns, and those within results.
pub(super) fn each_part(request: &mut Request, mut change: impl FnMut(&mut Part)) {
    request.system.iter_mut().for_each(&mut change);
    for part in request.turns.iter_mut().flat_map(|turn| &mut turn.parts) {
        change(part);
        if let PartKind::ToolResult(result) = &mut part.kind {
            result.content.iter_mut().for_each(&mut change);
        }
    }
}

fn each_media(request: &mut Request, change: impl Fn(&mut Media)) {
    each_part(request, |part| {
        if let PartKind::Media(media) = &mut part.kind {
            change(media);
        }
    });
}

fn each_result(request: &mut Request, change: impl Fn(&mut ToolResult)) {
    each_part(request, |part| {
        if let PartKind::ToolResult(result) = &mut part.kind {
            change(result);
        }
    });
}
