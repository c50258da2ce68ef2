//! What does no harm is left out and named; it never makes a request unanswerable (T3).

use proptest::prelude::{prop_assert, proptest};
use proptest::sample::subsequence;

use dialects::Dialect::{self, Anthropic, BedrockConverse, Gemini, OpenAiChat, OpenAiResponses};

use super::cases;
use super::formats::{ALL, TARGETS, target, through, write};
use super::request_losses::without_refused;
use super::requests::request;
use crate::bridge::write_request;
use crate::form::{Request, ToolChoice};
use crate::{CallerOptions, CallerRequest};

/// Fields of each format that nothing else knows, and that nobody needs for the answer.
const fn harmless(dialect: Dialect) -> &'static [&'static str] {
    match dialect {
        OpenAiChat => {
            &["min_p", "repetition_penalty", "prediction", "prompt_cache_retention", "provider", "store"]
        }
        OpenAiResponses => &["truncation", "max_tool_calls", "prompt_cache_retention", "store", "include"],
        Anthropic => &["context_management", "safeguards", "speed"],
        Gemini => &["safetySettings", "labels"],
        // No caller has it.
        BedrockConverse => &[],
    }
}

fn value(field: &str) -> &'static str {
    match field {
        "store" => "true",
        "include" => r#"["file_search_call.results"]"#,
        "truncation" => r#""auto""#,
        "safetySettings" | "safeguards" => "[{}]",
        "labels" | "provider" | "prediction" | "context_management" => r#"{"a":"b"}"#,
        _ => "5",
    }
}

/// Settings that some formats lack: the name they are known by, and whether a request has one.
fn settings(request: &Request) -> [(&'static str, bool); 11] {
    let said = |penalty: Option<f64>| penalty.is_some_and(|penalty| penalty != 0.0);
    let marks = {
        let mut request = request.clone();
        let mut marked = request.cache.is_some() || request.tools.iter().any(|tool| tool.cache.is_some());
        super::request_losses::each_part(&mut request, |part| marked |= part.cache.is_some());
        marked
    };
    [
        ("top_k", request.sampling.top_k.is_some()),
        ("seed", request.sampling.seed.is_some()),
        ("frequency_penalty", said(request.sampling.frequency_penalty)),
        ("presence_penalty", said(request.sampling.presence_penalty)),
        ("metadata", request.metadata.is_some()),
        ("verbosity", request.verbosity.is_some()),
        // `auto` is what happens anyway.
        ("service_tier", request.service_tier.as_deref().is_some_and(|tier| tier != "auto")),
        // Where no tool may be called, it says nothing.
        (
            "parallel_tool_calls",
            request.parallel_tool_calls == Some(false) && request.tool_choice != Some(ToolChoice::None),
        ),
        ("user", request.user.is_some()),
        ("prompt_cache_key", request.cache_key.is_some() && request.cache.is_none()),
        ("cache_control", marks),
    ]
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn fields_without_a_counterpart_are_named(
        request in request(),
        chat in subsequence(harmless(OpenAiChat), 0..=6),
        responses in subsequence(harmless(OpenAiResponses), 0..=5),
        messages in subsequence(harmless(Anthropic), 0..=3),
        gemini in subsequence(harmless(Gemini), 0..=2),
    ) {
        for (caller, extra) in ALL.into_iter().zip([chat, responses, messages, gemini]) {
            for format in TARGETS.into_iter().filter(|format| *format != caller) {
                let mut request = request.clone();
                without_refused(caller, &mut request);
                without_refused(format, &mut request);
                let mut body: serde_json::Map<_, _> = serde_json::from_str(&write(caller, &request)).unwrap();
                for field in &extra {
                    body.insert((*field).to_owned(), serde_json::from_str(value(field)).unwrap());
                }
                let body = serde_json::to_vec(&body).unwrap();
                let read = CallerRequest::read(caller, &body).unwrap();
                let translated = read.translate(&target(format), CallerOptions::default());
                let dropped = translated.map(|translated| translated.dropped);
                let named = |field: &&str| dropped.as_ref().is_ok_and(|dropped| dropped.iter().any(|name| name == field));
                prop_assert!(extra.iter().all(named), "{:?} to {:?}: {:?} of {:?}", caller, format, dropped, extra);
            }
        }
    }

    #[test]
    fn settings_that_do_not_arrive_are_named(request in request()) {
        for format in ALL {
            let mut request = request.clone();
            without_refused(format, &mut request);
            let dropped = write_request(&request, &target(format)).unwrap().dropped;
            let arrived = settings(&through(format, &request));
            for ((name, asked), (_, arrived)) in settings(&request).into_iter().zip(arrived) {
                // Anthropic's own names for these.
                let is_other = format == Anthropic && matches!(name, "prompt_cache_key");
                let is_named = dropped.iter().any(|dropped| dropped == name);
                prop_assert!(!asked || arrived || is_other || is_named, "{:?} loses {}", format, name);
            }
        }
        // Nothing reads Converse's requests, and a model that nobody knows gets none of these.
        let mut request = request;
        without_refused(BedrockConverse, &mut request);
        let dropped = write_request(&request, &target(BedrockConverse)).unwrap().dropped;
        for (name, _) in settings(&request).into_iter().filter(|(_, asked)| *asked) {
            prop_assert!(dropped.iter().any(|dropped| dropped == name), "Converse loses {}", name);
        }
    }
}
