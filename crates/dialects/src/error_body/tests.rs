use serde_json::{Value, json};

use std::time::Duration;

use super::{ErrorBody, ErrorCategory};

fn read(status: impl Into<Option<u16>>, body: &Value) -> ErrorBody {
    let body = body.to_string();
    match status.into() {
        Some(status) => ErrorBody::from_body(status, "Org/a-1", body.as_bytes()),
        None => ErrorBody::from_ok_body(body.as_bytes()),
    }
}

fn openai(kind: &str, code: &str, message: &str) -> Value {
    json!({"error": {"message": message, "type": kind, "param": null, "code": code}})
}

fn anthropic(kind: &str, message: &str) -> Value {
    json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"})
}

#[test]
fn categories_of_errors() {
    let spend_limit = json!({"type": "error", "error": {"type": "rate_limit_error", "message": "x",
        "details": {"error_code": "enforced_spend_limit_reached"}}});
    let moderated = json!({"error": {"code": 403, "message": "x", "metadata": {"flagged_input": "…"}}});
    for (status, body, category) in [
        (400, openai("invalid_request_error", "context_length_exceeded", "x"), ErrorCategory::ContextTooLong),
        (
            400,
            anthropic("invalid_request_error", "prompt is too long: 2 > 1 maximum"),
            ErrorCategory::ContextTooLong,
        ),
        (
            400,
            json!({"object": "error", "message": "This model's maximum context length is 8 tokens.",
            "type": "BadRequestError", "code": 400}),
            ErrorCategory::ContextTooLong,
        ),
        (400, openai("exceed_context_size_error", "", "x"), ErrorCategory::ContextTooLong),
        (400, openai("too_many_prompt_tokens", "", "x"), ErrorCategory::ContextTooLong),
        (
            429,
            openai(
                "tokens",
                "rate_limit_exceeded",
                "Request too large for gpt-4o in organization org-1 on tokens per min (TPM): Limit 30000, \
                 Requested 44021. The input or output tokens must be reduced in order to run successfully.",
            ),
            ErrorCategory::RequestTooLarge,
        ),
        (
            413,
            openai(
                "tokens",
                "rate_limit_exceeded",
                "Request too large for model `m` in organization `org_1` service tier `on_demand` on tokens per \
                 minute (TPM): Limit 6000, Requested 7102, please reduce your message size and try again.",
            ),
            ErrorCategory::RequestTooLarge,
        ),
        (
            429,
            openai(
                "tokens",
                "rate_limit_exceeded",
                "Rate limit reached for gpt-4o in organization org-1 on tokens per min (TPM): Limit 30000, \
                 Used 29000, Requested 2000. Please try again in 2s.",
            ),
            ErrorCategory::Other,
        ),
        (
            400,
            json!({"code": "invalid-argument", "error": "Incorrect API key provided."}),
            ErrorCategory::InvalidKey,
        ),
        (
            400,
            openai("invalid_request_error", "invalid_prompt", "flagged as violating our usage policy"),
            ErrorCategory::ContentPolicy,
        ),
        (400, anthropic("invalid_request_error", "max_tokens: field required"), ErrorCategory::Other),
        (404, openai("invalid_request_error", "model_not_found", "x"), ErrorCategory::UnknownModel),
        (403, openai("invalid_request_error", "model_not_found", "x"), ErrorCategory::UnknownModel),
        (429, openai("insufficient_quota", "insufficient_quota", "x"), ErrorCategory::QuotaExhausted),
        (429, openai("insufficient_quota", "credit_balance_exhausted", "x"), ErrorCategory::QuotaExhausted),
        (429, openai("requests", "rate_limit_exceeded", "x"), ErrorCategory::Other),
        (429, spend_limit, ErrorCategory::QuotaExhausted),
        (402, anthropic("billing_error", "x"), ErrorCategory::QuotaExhausted),
        (402, json!({}), ErrorCategory::QuotaExhausted),
        (
            400,
            anthropic("invalid_request_error", "Your credit balance is too low to access it."),
            ErrorCategory::QuotaExhausted,
        ),
        (400, openai("invalid_request_error", "content_policy_violation", "x"), ErrorCategory::ContentPolicy),
        (
            400,
            anthropic("invalid_request_error", "Output blocked by content filtering policy"),
            ErrorCategory::ContentPolicy,
        ),
        (
            429,
            json!({"error": {"message": "The project's spending cap is reached."}}),
            ErrorCategory::QuotaExhausted,
        ),
        (400, openai("", "content_filter", "x"), ErrorCategory::ContentPolicy),
        (403, moderated, ErrorCategory::ContentPolicy),
        (500, openai("server_error", "", "the prompt is too long"), ErrorCategory::Other),
    ] {
        assert_eq!(read(status, &body).category, category, "{status} {body}");
    }
}

#[test]
fn every_wording_means_what_its_row_says() {
    let model = "Org/a-1";
    for wording in super::wordings() {
        let (status, body) = wording.sample(model);
        serde_json::from_str::<Value>(&body).unwrap_or_else(|error| panic!("{body}: {error}"));
        let error = match status {
            200 => ErrorBody::from_ok_body(body.as_bytes()),
            status => ErrorBody::from_body(status, model, body.as_bytes()),
        };
        assert_eq!(error.category, wording.meaning, "{} {status} {body}", wording.vendor);
        assert!(error.status.is_some(), "{body}");
        assert!(!wording.source.is_empty() && !wording.vendor.is_empty());
        assert_eq!(wording.words.to_lowercase(), wording.words, "words are compared in lower case");
        assert!(
            !(wording.names.is_empty() && wording.words.is_empty()) || wording.statuses == [402],
            "{} has nothing to go by",
            wording.vendor
        );
    }
}

/// A rest of a model is for everybody, so words that a caller could bring about must not lead to one.
#[test]
fn the_words_of_a_rest_begin_the_message_or_come_with_a_code() {
    for wording in super::wordings() {
        let rests = matches!(wording.meaning, ErrorCategory::UnknownModel | ErrorCategory::QuotaExhausted);
        let anywhere = wording.words.starts_with('…') && wording.names.is_empty();
        assert!(!rests || !anywhere || wording.statuses == [429], "{}: {}", wording.vendor, wording.words);
    }
}

#[test]
fn what_a_prompt_says_means_nothing() {
    let quoted = json!({"detail": [{"type": "extra_forbidden", "loc": ["body", "x"], "msg": "Extra inputs are not permitted",
        "input": "Insufficient balance; the prompt is too long; content exists risk; api key not valid"}]});
    let validator = openai(
        "BadRequestError",
        "",
        "[{'type': 'missing', 'msg': 'Field required', 'input': {'content': 'the prompt is too long'}}]",
    );
    let file = openai("invalid_request_error", "", "File 'insufficient balance.pdf' not found");
    for (status, body) in [(422, &quoted), (400, &validator), (400, &file), (404, &file)] {
        assert_eq!(read(status, body).category, ErrorCategory::Other, "{body}");
    }
}

#[test]
fn a_403_is_about_the_key_only_if_it_says_so() {
    for body in [
        google(
            403,
            "PERMISSION_DENIED",
            "You do not have permission to access the File x or it may not exist.",
            &json!([]),
        ),
        openai(
            "request_forbidden",
            "unsupported_country_region_territory",
            "Country, region, or territory not supported",
        ),
        json!({"error": {"code": "forbidden", "message": "Forbidden", "type": "invalid_request_error"}}),
        json!({"error": {"code": "AccessDenied", "message": "Access denied due to Virtual Network/Firewall rules."}}),
        json!(null),
    ] {
        assert_eq!(read(403, &body).category, ErrorCategory::Other, "{body}");
    }
}

#[test]
fn a_routers_upstream_is_asked_about_the_request_alone() {
    let routed = |raw: &Value| json!({"error": {"message": "Provider returned error", "code": 429, "metadata": {"raw": raw.to_string()}}});
    let spent = json!({"error": {"message": "suspended", "type": "exceeded_current_quota_error"}});
    assert_eq!(read(429, &routed(&spent)).category, ErrorCategory::Other);
    let refused = openai("", "content_filter", "x");
    assert_eq!(read(400, &routed(&refused)).category, ErrorCategory::ContentPolicy);
    assert_eq!(read(400, &routed(&json!("upstream is down"))).category, ErrorCategory::Other);
}

#[test]
fn waits_in_bodies() {
    let seconds = |number| Some(Duration::from_secs(number));
    let words =
        openai("requests", "rate_limit_exceeded", "Rate limit reached for m. Please try again in 20s.");
    assert_eq!(read(429, &words).retry_after, seconds(20));
    assert_eq!(read(400, &words).retry_after, None, "only a 429 says when to come again");
    let in_a_list = json!([google(429, "RESOURCE_EXHAUSTED", "x", &json!([{"retryDelay": "21s"}]))]);
    assert_eq!(read(429, &in_a_list).retry_after, seconds(21));
    assert_eq!(read(None, &in_a_list).retry_after, seconds(21));
    let copied = json!({"error": {"message": "Rate limit exceeded", "code": 429, "metadata": {"headers":
        {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1741305600000"}}}});
    assert_eq!(read(429, &copied).resets_at_ms, Some(1_741_305_600_000));
}

#[test]
fn only_the_requested_model_is_unknown() {
    let vllm = |message: &str| json!({"error": {"message": message, "type": "NotFoundError", "code": 404}});
    for body in [
        openai("invalid_request_error", "model_not_found", "x"),
        anthropic("not_found_error", "model: Org/a-1"),
        vllm("The model `Org/a-1` does not exist."),
        json!({"error": "model \"org/a-1\" not found, try pulling it first"}),
        json!({"error": {"message": "model 'org/a-1:latest' not found", "code": null}}),
    ] {
        assert_eq!(read(404, &body).category, ErrorCategory::UnknownModel, "{body}");
    }
    for body in [
        anthropic("not_found_error", "Not Found"),
        anthropic("not_found_error", "model: a-1"),
        anthropic("not_found_error", "model: Org/a-1-fast"),
        anthropic("not_found_error", "File not found: model Org/a-1.pdf"),
        vllm("The model `draft` does not exist."),
        vllm("The tool `model of Org/a-1` was not found."),
        json!({"error": "model_card.pdf not found"}),
    ] {
        assert_eq!(read(404, &body).category, ErrorCategory::Other, "{body}");
    }
    let error = ErrorBody::from_codes(404, Some("not_found_error"), None);
    assert_eq!(error.category, ErrorCategory::Other, "anything may be not found");
}

/// Bodies that are close to a row and mean something else.
#[test]
fn what_only_looks_like_a_wording_means_nothing() {
    let cloudflare =
        |code: u16, message: &str| json!({"errors": [{"message": message, "code": code}], "success": false});
    for (status, body) in [
        (
            404,
            json!({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "Endpoint with name 'other' does not exist."}),
        ),
        (
            400,
            json!({"error": {"message": "400: {'error': '/responses: Invalid model name passed in model=other.'}"}}),
        ),
        (400, cloudflare(5004, "AiError: No such model")),
        (429, cloudflare(3040, "AiError: No more data centers to forward the request to")),
        (400, cloudflare(5006, "required properties at '/' are 'messages'")),
        // A list of details beside the error itself.
        (400, json!({"message": "Bad Request", "errors": [{"message": "your credit balance is too low"}]})),
        (
            400,
            json!({"error": {"message": "max_tokens (10000) cannot exceed 8192", "code": "InvalidParameter"}}),
        ),
        (400, json!({"errors": ["prompt is too long"]})),
    ] {
        assert_eq!(read(status, &body).category, ErrorCategory::Other, "{body}");
    }
}

#[test]
fn an_error_inside_a_200_names_or_implies_its_status() {
    for (body, status) in [
        (json!({"error": {"code": 502, "message": "x"}}), Some(502)),
        (json!({"error": {"code": "429", "message": "x"}}), Some(429)),
        (anthropic("overloaded_error", "x"), Some(529)),
        (openai("server_error", "", "x"), Some(500)),
        (openai("requests", "rate_limit_exceeded", "x"), Some(429)),
        (json!({"error": {"code": 7, "message": "x"}}), None),
        (json!({"error": "x"}), None),
    ] {
        assert_eq!(read(None, &body).status, status, "{body}");
    }
    assert_eq!(read(503, &anthropic("overloaded_error", "x")).status, Some(503), "the real one counts");
}

#[test]
fn only_names_are_kept() {
    let error = read(500, &openai("you said: my secret", "server_error", "my secret"));
    assert_eq!((error.error_type, error.error_code.as_deref()), (None, Some("server_error")));
    assert_eq!(read(500, &openai("x", &"x".repeat(65), "")).error_code, None);
}

#[test]
fn a_page_of_html_is_an_error_too() {
    let error = ErrorBody::from_body(502, "a", b"<html>Bad Gateway</html>");
    let expected = ErrorBody {
        error_type: None,
        error_code: None,
        status: Some(502),
        category: ErrorCategory::Other,
        retry_after: None,
        resets_at_ms: None,
    };
    assert_eq!(error, expected);
}

fn google(code: u16, status: &str, message: &str, details: &Value) -> Value {
    json!({"error": {"code": code, "message": message, "status": status, "details": details}})
}

#[test]
fn googles_errors() {
    let info =
        |reason: &str| json!([{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}]);
    let quota = |id: &str| json!([{"violations": [{"quotaId": id}]}, {"retryDelay": "33.5s"}]);
    let too_long = "The input token count (1250074) exceeds the maximum number of tokens allowed (1048576).";
    for (body, category, code) in [
        (google(400, "INVALID_ARGUMENT", too_long, &json!([])), ErrorCategory::ContextTooLong, Some("400")),
        (
            google(400, "INVALID_ARGUMENT", "API key not valid.", &info("API_KEY_INVALID")),
            ErrorCategory::InvalidKey,
            Some("API_KEY_INVALID"),
        ),
        (
            google(404, "NOT_FOUND", "models/org/a-1 is not found for API version v1beta", &json!(null)),
            ErrorCategory::UnknownModel,
            Some("404"),
        ),
        (
            google(404, "NOT_FOUND", "Publisher Model `projects/p/models/org/a-1` not found.", &json!([])),
            ErrorCategory::UnknownModel,
            Some("404"),
        ),
        (
            google(429, "RESOURCE_EXHAUSTED", "x", &quota("RequestsPerMinute")),
            ErrorCategory::Other,
            Some("429"),
        ),
        (
            google(429, "RESOURCE_EXHAUSTED", "x", &quota("GenerateRequestsPerDayPerProject")),
            ErrorCategory::QuotaExhausted,
            Some("429"),
        ),
    ] {
        let status = body["error"]["code"].as_u64().and_then(|code| u16::try_from(code).ok());
        let error = read(status, &body);
        assert_eq!((error.category, error.error_code.as_deref()), (category, code), "{body}");
        let error = read(None, &body);
        assert_eq!((error.status, error.error_type.as_deref()), (status, body["error"]["status"].as_str()));
    }
    let word_alone = json!({"error": {"message": "x", "status": "UNAVAILABLE"}});
    assert_eq!(read(None, &word_alone).status, Some(503));
    let in_a_list = json!([google(403, "PERMISSION_DENIED", "x", &info("BILLING_DISABLED"))]);
    assert_eq!(read(403, &in_a_list).category, ErrorCategory::QuotaExhausted);
}

#[test]
fn googles_delay() {
    for (delay, expected) in [
        (json!("33.5s"), Some(Duration::from_millis(33_500))),
        (json!("7s"), Some(Duration::from_secs(7))),
        (json!("0s"), None),
        (json!("-1s"), None),
        (json!("NaNs"), None),
        (json!("1e300s"), None),
        (json!(7), None),
    ] {
        let body = google(429, "RESOURCE_EXHAUSTED", "x", &json!([{"reason": "x"}, {"retryDelay": delay}]));
        assert_eq!(read(429, &body).retry_after, expected, "{body}");
    }
}

#[test]
fn errors_in_streams_of_responses() {
    for body in [
        json!({"type": "error", "code": "server_error", "message": "x", "param": null, "sequence_number": 2}),
        json!({"type": "error", "sequence_number": 2, "error": {"code": "server_error", "message": "x"}}),
        json!({"type": "response.failed", "response": {"error": {"code": "server_error", "message": "x"}}}),
    ] {
        let error = read(None, &body);
        assert_eq!((error.status, error.error_code.as_deref()), (Some(500), Some("server_error")), "{body}");
        assert_eq!(error.error_type, None, "{body}");
    }
}

#[test]
fn exceptions_of_a_stream_imply_the_status_of_their_type() {
    for (name, message, status, category) in [
        ("throttlingException", "Too many requests", 429, ErrorCategory::Other),
        ("throttlingException", "Too many tokens per day, please wait", 429, ErrorCategory::QuotaExhausted),
        ("modelStreamErrorException", "x", 424, ErrorCategory::Other),
        ("modelTimeoutException", "x", 408, ErrorCategory::Other),
        ("serviceUnavailableException", "x", 503, ErrorCategory::Other),
        ("internalServerException", "x", 500, ErrorCategory::Other),
        ("validationException", "Input is too long for requested model.", 400, ErrorCategory::ContextTooLong),
    ] {
        let read = read(None, &json!({ name: {"message": message} }));
        assert_eq!(
            (read.error_type.as_deref(), read.status, read.category),
            (Some(name), Some(status), category)
        );
    }
    // The type is in a header or in the body.
    let not_ready = json!({"type": "ModelNotReadyException", "message": "The model is not ready."});
    assert_eq!(read(429, &not_ready).category, ErrorCategory::Other);
    let expired = json!({"__type": "com.amazon.coral.service#ExpiredTokenException", "message": "x"});
    assert_eq!(read(403, &expired).category, ErrorCategory::InvalidKey);
}
