//! Requests that keep the order rules of the common form: a user speaks first, all calls of a turn are answered right
//! behind it, in their order, and system text in the middle precedes an answer.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::select;
use serde_json::value::RawValue;

use crate::form::{
    CacheTtl, Effort, Format, Media, MediaKind, MediaSource, Message, Part, PartKind, Reasoning, Request,
    Role, Sampling, Tool, ToolCall, ToolChoice, ToolInput, ToolKind, ToolResult,
};
use crate::json::raw_of;

/// Text with all that must be escaped, or that looks like something else. Never blank: formats leave that out.
pub(super) fn text() -> impl Strategy<Value = String> {
    const ODD: [&str; 14] = [
        "\"",
        "\\",
        "\n",
        "\r\n",
        "\t",
        "\u{0}",
        "\u{1f600}",
        "e\u{301}",
        "\u{2028}",
        "data: ",
        "{\"a\":",
        "[DONE]",
        " ",
        "Error: ",
    ];
    let piece = prop_oneof![select(&ODD[..]).prop_map(str::to_owned), any::<char>().prop_map(String::from)];
    (vec(piece, 0..5), "[a-z]{1,8}", any::<bool>()).prop_map(|(odd, plain, first)| {
        let odd = odd.concat();
        if first { plain + &odd } else { odd + &plain }
    })
}

/// A word that all formats take as a name.
pub(super) fn name() -> impl Strategy<Value = String> {
    "[a-z][a-zA-Z0-9_-]{0,20}"
}

/// A JSON value as text, with blanks where JSON allows them.
pub(super) fn json_value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        select(&["null", "true", "0", "-1.50", "1e3", "12345678901234567890", "\"\\u00e9\\n\"", "\"\""][..])
            .prop_map(str::to_owned),
        text().prop_map(|text| serde_json::to_string(&text).unwrap()),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(|items| format!("[{}]", items.join(" ,"))),
            vec(inner, 0..3).prop_map(|values| object_of(&values)),
        ]
    })
}

/// A JSON object as text.
pub(super) fn json_object() -> impl Strategy<Value = String> {
    vec(json_value(), 0..4).prop_map(|values| object_of(&values))
}

fn object_of(values: &[String]) -> String {
    let fields: Vec<String> =
        values.iter().enumerate().map(|(at, value)| format!("\"k{at}\" : {value}")).collect();
    format!("{{{}}}", fields.join(", "))
}

/// A schema that every format keeps as it is, strictly if asked.
fn schema() -> impl Strategy<Value = Box<RawValue>> {
    vec(name(), 1..3).prop_map(|mut names| {
        names.dedup();
        let properties: Vec<String> =
            names.iter().map(|name| format!("\"{name}\": {{\"type\":\"string\"}}")).collect();
        let required = serde_json::to_string(&names).unwrap();
        raw_of(&format!(
            "{{\"type\":\"object\", \"properties\":{{{}}},\"required\":{required},\"additionalProperties\":false}}",
            properties.join(",")
        ))
        .unwrap()
    })
}

fn cache() -> impl Strategy<Value = Option<CacheTtl>> {
    option::weighted(0.1, select(&[CacheTtl::Default, CacheTtl::Minutes5, CacheTtl::Hour1][..]))
}

fn media() -> impl Strategy<Value = Media> {
    let data = |media_type: &str| MediaSource::Base64 {
        media_type: media_type.to_owned(),
        data: "iVBORw0K".to_owned(),
    };
    let of = |kind, source, name: Option<&str>| Media {
        kind,
        source,
        name: name.map(str::to_owned),
        detail: None,
    };
    let png = of(MediaKind::Image, data("image/png"), None);
    let detailed = Media { detail: Some("high".to_owned()), ..png.clone() };
    let text = text().prop_map(move |text| of(MediaKind::Text, MediaSource::Text(text), Some("notes")));
    prop_oneof![
        Just(png),
        Just(detailed),
        Just(of(MediaKind::Image, MediaSource::Url("https://example.com/a.png".to_owned()), None)),
        Just(of(MediaKind::Pdf, data("application/pdf"), Some("a.pdf"))),
        Just(of(MediaKind::Audio, data("audio/wav"), None)),
        text,
    ]
}

fn user_part() -> impl Strategy<Value = Part> {
    let kind = prop_oneof![3 => text().prop_map(PartKind::Text), 1 => media().prop_map(PartKind::Media)];
    (kind, cache()).prop_map(|(kind, cache)| Part { kind, cache })
}

/// Calls by the place of their tool in the list, and their answers.
#[derive(Debug, Clone)]
struct Call {
    tool: proptest::sample::Index,
    arguments: String,
    result: Vec<Part>,
    is_error: bool,
}

fn call() -> impl Strategy<Value = Call> {
    let picture = || {
        media().prop_filter("a result has images alone", |media| {
            media.kind == MediaKind::Image && matches!(media.source, MediaSource::Base64 { .. })
        })
    };
    let result = (vec(text(), 1..3), option::weighted(0.2, picture())).prop_map(|(texts, picture)| {
        let parts = texts.into_iter().map(Part::text);
        parts.chain(picture.map(|picture| Part::new(PartKind::Media(picture)))).collect::<Vec<_>>()
    });
    (any::<proptest::sample::Index>(), json_object(), result, any::<bool>())
        .prop_map(|(tool, arguments, result, is_error)| Call { tool, arguments, result, is_error })
}

/// What is said from one user's turn to the next.
#[derive(Debug, Clone)]
struct Exchange {
    user: Vec<Part>,
    system: Option<String>,
    assistant_parts: Vec<Part>,
    calls: Vec<Call>,
}

fn exchange() -> impl Strategy<Value = Exchange> {
    let said = prop_oneof![4 => text().prop_map(PartKind::Text), 1 => text().prop_map(PartKind::Refusal)];
    (
        vec(user_part(), 1..4),
        option::weighted(0.2, text()),
        vec(said.prop_map(Part::new), 1..3),
        vec(call(), 0..3),
    )
        .prop_map(|(user, system, answer, calls)| Exchange {
            user,
            system,
            assistant_parts: answer,
            calls,
        })
}

fn tools() -> impl Strategy<Value = Vec<Tool>> {
    let tool =
        (name(), option::of(text()), option::weighted(0.8, schema()), option::of(any::<bool>()), cache());
    vec(tool, 1..3).prop_map(|tools| {
        let numbered = |(at, (name, description, parameters, strict, cache))| Tool {
            // Its number makes each name the only one.
            kind: ToolKind::Function {
                name: format!("{name}{at}"),
                namespace: None,
                description,
                parameters,
                strict,
            },
            cache,
        };
        tools.into_iter().enumerate().map(numbered).collect()
    })
}

fn name_of(tool: &Tool) -> String {
    match &tool.kind {
        ToolKind::Function { name, .. } | ToolKind::Custom { name, .. } | ToolKind::Hosted { name } => {
            name.clone()
        }
    }
}

fn turns(exchanges: Vec<Exchange>, tools: &[Tool], ends_with_user: bool) -> Vec<Message> {
    let mut turns = Vec::new();
    let mut count = 0;
    let turn = |role, parts| Message { role, parts };
    let last = exchanges.len() - 1;
    for (at, exchange) in exchanges.into_iter().enumerate() {
        turns.push(turn(Role::User, exchange.user));
        if at == last && (ends_with_user || exchange.calls.is_empty()) {
            break;
        }
        turns.extend(exchange.system.map(|text| turn(Role::System, vec![Part::text(text)])));
        let mut parts = exchange.assistant_parts;
        let mut results = Vec::new();
        for call in exchange.calls {
            count += 1;
            let id = format!("call_{count}");
            let name = name_of(call.tool.get(tools));
            let input = ToolInput::Json(call.arguments);
            parts.push(Part::new(PartKind::ToolCall(ToolCall {
                id: id.clone(),
                name,
                namespace: None,
                input,
            })));
            results.push(Part::new(PartKind::ToolResult(ToolResult {
                id,
                name: None,
                is_error: call.is_error,
                is_custom: false,
                content: call.result,
                json: None,
            })));
        }
        turns.push(turn(Role::Assistant, parts));
        if !results.is_empty() {
            turns.push(turn(Role::User, results));
        }
    }
    turns
}

fn sampling() -> impl Strategy<Value = Sampling> {
    let share = || option::of((0_u8..=8).prop_map(|eighths| f64::from(eighths) / 8.0));
    let seed = option::of(any::<i32>().prop_map(i64::from));
    (share(), share(), option::of(1_u64..100), seed, share(), share()).prop_map(
        |(temperature, top_p, top_k, seed, frequency_penalty, presence_penalty)| Sampling {
            temperature,
            top_p,
            top_k,
            seed,
            frequency_penalty,
            presence_penalty,
        },
    )
}

fn format() -> impl Strategy<Value = Format> {
    prop_oneof![
        Just(Format::JsonObject),
        (option::of(name()), option::of(text()), schema(), option::of(any::<bool>())).prop_map(
            |(name, description, schema, strict)| Format::JsonSchema { name, description, schema, strict }
        ),
    ]
}

fn choice() -> impl Strategy<Value = ToolChoice> {
    select(vec![ToolChoice::Auto, ToolChoice::None, ToolChoice::Required, ToolChoice::Named(String::new())])
}

/// The settings besides the conversation.
fn settings() -> impl Strategy<Value = Request> {
    let words = (
        option::of(name()),
        option::of(name()),
        option::of(select(&["auto", "flex"][..])),
        option::of(select(&["low", "high"][..])),
        any::<bool>(),
        option::of(text()),
    );
    let effort = select(&[Effort::Minimal, Effort::Low, Effort::Medium, Effort::High][..]);
    (
        option::of(16_u64..100_000),
        sampling(),
        vec(text(), 0..4),
        option::weighted(0.3, format()),
        words,
        option::of(any::<bool>()),
        option::of(choice()),
        option::weighted(0.3, effort),
    )
        .prop_map(
            |(max_tokens, sampling, stop, format, words, parallel_tool_calls, tool_choice, effort)| {
                let (cache_key, user, service_tier, verbosity, stream, pair) = words;
                Request {
                    max_tokens,
                    sampling,
                    stop,
                    format,
                    parallel_tool_calls,
                    tool_choice,
                    cache_key,
                    user,
                    service_tier: service_tier.map(str::to_owned),
                    verbosity: verbosity.map(str::to_owned),
                    stream,
                    metadata: pair.and_then(|text| raw_of(&serde_json::json!({ "k": text }).to_string())),
                    reasoning: Reasoning { effort, ..Reasoning::default() },
                    ..Request::default()
                }
            },
        )
}

pub(super) fn request() -> impl Strategy<Value = Request> {
    let system = vec((text(), cache()).prop_map(|(text, cache)| Part { cache, ..Part::text(text) }), 0..3);
    (settings(), system, vec(exchange(), 1..4), tools(), any::<bool>(), any::<proptest::sample::Index>())
        .prop_map(|(settings, system, exchanges, tools, ends_with_user, chosen)| {
            let tool_choice = settings.tool_choice.clone().map(|choice| match choice {
                ToolChoice::Named(_) => ToolChoice::Named(name_of(chosen.get(&tools))),
                choice => choice,
            });
            Request {
                system,
                turns: turns(exchanges, &tools, ends_with_user),
                tools,
                tool_choice,
                ..settings
            }
        })
}
