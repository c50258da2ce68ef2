//! Plain responses of providers: checked, and translated to every other format.

use dialects::{
    ResponseMeta,
    response::{self, InvalidBody},
};

use super::translations::{DIALECTS, select, ways_back, with_selector};
use crate::{
    features::Features,
    json_law::assert_json,
    recordings::{ResponseBody, recordings},
};

/// Responses of which no recording has the like: calls, thinking, sources, a refusal.
const MORE: [&str; 4] = [
    r#"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"a","reasoning_content":"r","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}],"annotations":[{"type":"url_citation","url_citation":{"url":"u","title":"t","start_index":0,"end_index":1}}]},"logprobs":null,"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}"#,
    r#"{"id":"r","object":"response","status":"completed","model":"m","output":[{"type":"reasoning","id":"rs","summary":[{"type":"summary_text","text":"s"}],"encrypted_content":"e"},{"type":"message","id":"m","role":"assistant","status":"completed","content":[{"type":"output_text","text":"a","annotations":[]},{"type":"refusal","refusal":"no"}]},{"type":"function_call","id":"f","call_id":"c","name":"f","arguments":"{}"}],"usage":{"input_tokens":1,"output_tokens":2,"total_tokens":3}}"#,
    r#"{"id":"m","type":"message","role":"assistant","model":"m","content":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"redacted_thinking","data":"d"},{"type":"text","text":"a"},{"type":"tool_use","id":"t","name":"f","input":{"a":[1]}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":2,"cache_read_input_tokens":3}}"#,
    r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"t","thought":true},{"text":"a","thoughtSignature":"AA=="},{"functionCall":{"name":"f","args":{}}}]},"finishReason":"STOP","groundingMetadata":{"groundingChunks":[{"web":{"uri":"u","title":"t"}}],"groundingSupports":[{"segment":{"startIndex":0,"endIndex":1,"text":"a"},"groundingChunkIndices":[0]}]}}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":2,"thoughtsTokenCount":3,"totalTokenCount":6},"modelVersion":"m","responseId":"r"}"#,
];

pub(super) fn run(input: &[u8], features: &mut Features) {
    let Some((provider, body)) = select(input) else { return };
    let mut meta = ResponseMeta::default();
    let checked = response::check(provider, body, Some(&mut meta));
    assert_eq!(response::check(provider, body, None), checked);
    match &checked {
        Ok(usage) => {
            features.add((provider.label(), format!("{usage:?}").len(), format!("{meta:?}").len()));
        }
        Err(error) => features.add_variant(provider.label(), error),
    }
    features.add(response::check_count(body).is_ok());
    for translation in ways_back(provider) {
        let caller = translation.caller();
        let Some(written) = translation.response(body) else {
            features.add((provider.label(), caller.label(), "none"));
            continue;
        };
        assert_json(caller.label(), &written, features);
        if checked.is_ok() {
            let again = response::check(caller, &written, None);
            // An error in a choice: a caller of the same format sees it there, others by an error of their own format.
            let is_error = matches!(again, Err(InvalidBody::ErrorObject(_))) && has_failed_choice(body);
            assert!(
                again.is_ok() || is_error,
                "{} for {}: {again:?}: {}",
                provider.label(),
                caller.label(),
                written.escape_ascii()
            );
        }
    }
}

fn has_failed_choice(body: &[u8]) -> bool {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    body["choices"].as_array().is_some_and(|choices| choices.iter().any(|choice| !choice["error"].is_null()))
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let recorded = recordings().into_iter().filter_map(|recording| match recording.response {
        ResponseBody::Whole(body) => Some(with_selector(recording.dialect, &body)),
        ResponseBody::Stream(_) | ResponseBody::Messages(_) => None,
    });
    let more = DIALECTS.into_iter().zip(MORE).map(|(dialect, body)| with_selector(dialect, body.as_bytes()));
    recorded.chain(more).collect()
}
