//! Requests of callers: read, with another model's name, without reasoning, and translated to every other format.

use bytes::Bytes;
use dialects::{Dialect, Endpoint, Request, RequestError};
use translate::{CallerOptions, CallerRequest, Translation, restore_envelopes, strip_reasoning};

use super::translations::{PROVIDERS, target};
use crate::{features::Features, json_law::assert_json, recordings::recordings};

/// An envelope as the gateway hands them out with reasoning (T5), so that edits of it are found.
const ENVELOPED: [(Dialect, &str); 3] = [
    (
        Dialect::Anthropic,
        r#"{"model":"m","max_tokens":9,"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"c3dpdGNoYm9hcmQ6djE6AAAA"},{"type":"redacted_thinking","data":"d"},{"type":"tool_use","id":"t1","name":"f","input":{"a":1}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA=="}}],"is_error":true}]}],"tools":[{"name":"f","input_schema":{"type":"object","properties":{"a":{"type":"integer"}}}}],"thinking":{"type":"enabled","budget_tokens":1024}}"#,
    ),
    (
        Dialect::OpenAiChat,
        r##"{"model":"m","n":2,"messages":[{"role":"developer","content":"d"},{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}},{"type":"file","file":{"file_data":"data:application/pdf;base64,AA==","filename":"f"}}]},{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]},{"role":"tool","tool_call_id":"c","content":"r"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"},"strict":true}}],"response_format":{"type":"json_schema","json_schema":{"name":"s","schema":{"$ref":"#/$defs/a","$defs":{"a":{"type":["string","null"]}}}}},"stop":["x"],"reasoning_effort":"low"}"##,
    ),
    (
        Dialect::Gemini,
        r#"{"systemInstruction":{"parts":[{"text":"s"}]},"contents":[{"role":"user","parts":[{"text":"a"},{"inlineData":{"mimeType":"image/png","data":"AA=="}},{"fileData":{"fileUri":"https://x/y"}}]},{"role":"model","parts":[{"text":"t","thought":true,"thoughtSignature":"AA=="},{"functionCall":{"name":"f","args":{"a":1}}}]},{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"r":1}}}]}],"tools":[{"functionDeclarations":[{"name":"f","parametersJsonSchema":{"type":"object"}}]}],"generationConfig":{"stopSequences":["x"],"responseSchema":{"type":"OBJECT"},"thinkingConfig":{"thinkingBudget":1}}}"#,
    ),
];

pub(super) fn chat(input: &[u8], features: &mut Features) {
    request(Endpoint::ChatCompletions, input, features);
}

pub(super) fn responses(input: &[u8], features: &mut Features) {
    request(Endpoint::Responses, input, features);
}

pub(super) fn messages(input: &[u8], features: &mut Features) {
    request(Endpoint::Messages, input, features);
}

pub(super) fn gemini(input: &[u8], features: &mut Features) {
    request(Endpoint::GenerateContent, input, features);
}

pub(super) fn seeds(dialect: Dialect) -> Vec<Vec<u8>> {
    let recorded = recordings().into_iter().filter(|recording| recording.dialect == dialect);
    let enveloped =
        ENVELOPED.iter().filter(|(other, _)| *other == dialect).map(|(_, body)| body.as_bytes().to_vec());
    recorded.map(|recording| recording.request).chain(enveloped).collect()
}

fn parse(endpoint: Endpoint, body: Bytes) -> Result<Request, RequestError> {
    match endpoint {
        Endpoint::GenerateContent => Request::with_path_model(endpoint, body, "m".to_owned(), true, false),
        _ => Request::parse(endpoint, body),
    }
}

fn request(endpoint: Endpoint, input: &[u8], features: &mut Features) {
    let request = match parse(endpoint, Bytes::copy_from_slice(input)) {
        Ok(request) => request,
        Err(error) => return features.add_variant("parse", &error),
    };
    features.add((request.stream(), request.leaves_usage_open(), request.stored_reference().is_some()));
    rename(endpoint, &request, features);
    edit(endpoint.dialect(), input, features);
    match CallerRequest::read(endpoint.dialect(), input) {
        Ok(read) => translate(&read, endpoint.dialect(), input, features),
        Err(error) => features.add_variant("read", &error),
    }
}

/// Another model's name changes that alone.
fn rename(endpoint: Endpoint, request: &Request, features: &mut Features) {
    let renamed = request.with_model("other \"model\"");
    assert_json("renamed", &renamed, features);
    if endpoint != Endpoint::GenerateContent {
        let again = parse(endpoint, renamed);
        let model = again.as_ref().map(Request::model);
        assert_eq!(model, Ok("other \"model\""), "the model's name after a change");
        assert_eq!(again.map(|again| again.stream()), Ok(request.stream()));
    }
}

fn edit(dialect: Dialect, input: &[u8], features: &mut Features) {
    let target = target(dialect, false);
    for (label, edited) in [
        ("restored", restore_envelopes(dialect, input, &target)),
        ("stripped", strip_reasoning(dialect, input)),
    ] {
        if let Some(edited) = edited {
            assert_json(label, &edited, features);
        }
    }
}

fn translate(read: &CallerRequest, caller: Dialect, input: &[u8], features: &mut Features) {
    let is_official = input.len().is_multiple_of(2);
    for provider in PROVIDERS.into_iter().filter(|provider| *provider != caller) {
        let target = target(provider, is_official);
        let options =
            CallerOptions { stream: true, request_id: "req_1".to_owned(), ..CallerOptions::default() };
        check_written(
            provider.label(),
            read.translate(&target, options),
            Endpoint::generation(provider),
            features,
        );
        if let Some(endpoint) = Endpoint::count(provider) {
            check_written("count", read.translate_count(&target), endpoint, features);
        }
    }
}

/// What is written for a provider is a request of its format.
fn check_written(
    label: &str,
    written: Result<Translation, Vec<translate::CannotCarry>>,
    endpoint: Endpoint,
    features: &mut Features,
) {
    let translation = match written {
        Ok(translation) => translation,
        Err(reasons) => return reasons.iter().for_each(|reason| features.add((label, &reason.field))),
    };
    for dropped in &translation.dropped {
        features.add((label, "dropped", dropped));
    }
    assert_json(label, &translation.body, features);
    let again = match endpoint.dialect() {
        // Their paths name the model.
        Dialect::Gemini | Dialect::BedrockConverse => {
            Request::with_path_model(endpoint, translation.body.clone(), "m".to_owned(), true, false)
        }
        _ => Request::parse(endpoint, translation.body.clone()),
    };
    let is_request = matches!(again, Ok(_) | Err(RequestError::TooDeep));
    assert!(is_request, "{label}: {again:?}: {}", translation.body.escape_ascii());
}
