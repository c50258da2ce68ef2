//! Bodies of errors: what they mean, and the same error for a caller of another format.

use dialects::error::{
    ErrorBody, body_of_event, is_foreign_reasoning, provider_error_event, provider_message, translate,
    translate_event,
};
use http::HeaderMap;

use super::{
    streams::{check_event, frames},
    translations::{DIALECTS, PROVIDERS, select, with_selector},
};
use crate::{
    features::Features,
    json_law::assert_json,
    recordings::{ResponseBody, recordings},
};

/// Statuses that decide differently.
const STATUSES: [u16; 12] = [400, 401, 402, 403, 404, 408, 413, 422, 429, 500, 503, 529];

const BODIES: [&str; 12] = [
    r#"{"error":{"message":"This model's maximum context length is 8192 tokens","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#,
    r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_1"}"#,
    r#"{"error":{"code":429,"message":"Quota exceeded. Please retry in 12.5s.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"12s"},{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"PerDay"}]}]}}"#,
    r#"[{"error":{"code":400,"message":"API key not valid","status":"INVALID_ARGUMENT"}}]"#,
    r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#,
    r#"{"detail":[{"loc":["body","model"],"msg":"field required"}]}"#,
    r#"{"message":"The model `x` does not exist","code":404,"resets_at":1751371230}"#,
    r#"{"error":"model 'x' not found, try pulling it first"}"#,
    r#"{"error":{"type":"usage_limit_reached","message":"m","resets_in_seconds":90}}"#,
    r#"{"id":"c","choices":[{"index":0,"error":{"code":502,"message":"Upstream error","metadata":{"raw":"{}"}}}]}"#,
    "<html><body>502 Bad Gateway</body></html>",
    r#"{"error":{"message":"messages.1.content.0: Invalid `signature` in `thinking` block","type":"invalid_request_error"}}"#,
];

pub(super) fn run(input: &[u8], features: &mut Features) {
    let Some((provider, body)) = select(input) else { return };
    let status = STATUSES[usize::from(input[0]) / PROVIDERS.len() % STATUSES.len()];
    let error = ErrorBody::from_body(status, "model", body);
    features.add_variant("status", &error.category);
    features.add((
        error.error_type.is_some(),
        error.error_code.is_some(),
        error.status,
        error.retry_after.is_some(),
    ));
    features.add_variant("ok", &ErrorBody::from_ok_body(body).category);
    features.add((provider_message(body).is_some(), is_foreign_reasoning(body)));
    let class = providers::fuzzing::classify(status, HeaderMap::new(), body, "model");
    features.add_variant("class", &class.class);
    for caller in DIALECTS {
        let translated = translate(provider, caller, status, body, Some("req_1"));
        if caller != provider {
            assert_json(caller.label(), &translated, features);
        }
        for event in
            [translate_event(provider, caller, status, body), provider_error_event(caller, status, body)]
        {
            assert!(event.ends_with(b"\n\n"), "an event ends: {}", event.escape_ascii());
            check_event(caller, &event, features);
            for frame in frames(&event) {
                let data = frame.data().unwrap_or_default().into_owned();
                assert_json("body", &body_of_event(caller, data.into()), features);
            }
        }
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let recorded = recordings().into_iter().filter(|recording| recording.is_error);
    let recorded = recorded.filter_map(|recording| match recording.response {
        ResponseBody::Whole(body) => Some(with_selector(recording.dialect, &body)),
        ResponseBody::Stream(_) | ResponseBody::Messages(_) => None,
    });
    let written =
        BODIES.iter().flat_map(|body| PROVIDERS.map(|dialect| with_selector(dialect, body.as_bytes())));
    let mut seeds: Vec<_> = recorded.chain(written).collect();
    // The rest of the first byte selects the status.
    for (index, seed) in (0_u8..).zip(&mut seeds) {
        seed[0] = seed[0] % 5 + (index % 12) * 5;
    }
    seeds
}
