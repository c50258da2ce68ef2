use serde_json::{Value, json};

use super::{translate, translate_event};
use crate::dialect::Dialect;
use crate::error_body::ErrorCategory;
use crate::events::{EventClass, classify_event};
use crate::response_meta::ResponseMeta;
use crate::sse::Decoder;

const TO: [Dialect; 3] = [Dialect::OpenAiChat, Dialect::Anthropic, Dialect::Gemini];

/// The names that the callers of chat, Anthropic and Gemini see: type and code, type, status word.
fn names(from: Dialect, status: u16, body: &Value) -> [String; 3] {
    TO.map(|to| {
        let translated = translate(from, to, status, body.to_string().as_bytes(), Some("r1"));
        let error = &serde_json::from_slice::<Value>(&translated).unwrap()["error"];
        match to {
            Dialect::OpenAiChat => {
                format!("{} {}", error["type"].as_str().unwrap(), error["code"].as_str().unwrap_or("-"))
            }
            Dialect::Gemini => {
                assert_eq!(error["code"], status);
                error["status"].as_str().unwrap().to_owned()
            }
            _ => error["type"].as_str().unwrap().to_owned(),
        }
    })
}

fn openai(kind: &str, code: impl Into<Value>, message: &str) -> Value {
    json!({"error": {"message": message, "type": kind, "param": null, "code": code.into()}})
}

fn anthropic(kind: &str, message: &str) -> Value {
    json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"})
}

fn google(code: u16, status: &str, message: &str) -> Value {
    json!({"error": {"code": code, "message": message, "status": status}})
}

#[test]
fn names_by_status_and_category() {
    let other = |from: Dialect| if from == Dialect::OpenAiChat { Dialect::OpenAiResponses } else { from };
    let key = json!({"error": {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT",
        "details": [{"reason": "API_KEY_INVALID"}]}});
    for (from, status, body, chat, messages, gemini) in [
        (
            Dialect::Anthropic,
            400,
            anthropic("invalid_request_error", "prompt is too long: 2 tokens > 1 maximum"),
            "invalid_request_error context_length_exceeded",
            "",
            "INVALID_ARGUMENT",
        ),
        (
            Dialect::OpenAiChat,
            400,
            json!({"object": "error", "message": "maximum context length", "type": "BadRequestError", "code": 400}),
            "BadRequestError context_length_exceeded",
            "invalid_request_error",
            "INVALID_ARGUMENT",
        ),
        (
            Dialect::OpenAiChat,
            429,
            openai("insufficient_quota", "insufficient_quota", "x"),
            "insufficient_quota insufficient_quota",
            "billing_error",
            "RESOURCE_EXHAUSTED",
        ),
        (
            Dialect::OpenAiChat,
            429,
            openai("requests", "rate_limit_exceeded", "x"),
            "requests rate_limit_exceeded",
            "rate_limit_error",
            "RESOURCE_EXHAUSTED",
        ),
        (
            Dialect::OpenAiChat,
            429,
            json!({"error": {"code": "RateLimitReached", "message": "x"}}),
            "rate_limit_error rate_limit_exceeded",
            "rate_limit_error",
            "RESOURCE_EXHAUSTED",
        ),
        (
            Dialect::Anthropic,
            429,
            anthropic("rate_limit_error", "x"),
            "rate_limit_error rate_limit_exceeded",
            "",
            "RESOURCE_EXHAUSTED",
        ),
        (
            Dialect::Anthropic,
            529,
            anthropic("overloaded_error", "x"),
            "server_error server_is_overloaded",
            "",
            "UNAVAILABLE",
        ),
        (
            Dialect::Gemini,
            503,
            google(503, "UNAVAILABLE", "x"),
            "server_error server_is_overloaded",
            "overloaded_error",
            "",
        ),
        (Dialect::Gemini, 500, google(500, "INTERNAL", "x"), "server_error -", "api_error", ""),
        (
            Dialect::Gemini,
            404,
            google(404, "NOT_FOUND", "x"),
            "invalid_request_error -",
            "not_found_error",
            "",
        ),
        (Dialect::Gemini, 400, key, "authentication_error invalid_api_key", "authentication_error", ""),
        (
            Dialect::OpenAiChat,
            404,
            openai("invalid_request_error", "model_not_found", "x"),
            "invalid_request_error model_not_found",
            "not_found_error",
            "NOT_FOUND",
        ),
        (
            Dialect::OpenAiChat,
            402,
            json!({"error": {"code": 402, "message": "x"}}),
            "insufficient_quota insufficient_quota",
            "billing_error",
            "RESOURCE_EXHAUSTED",
        ),
        (
            Dialect::OpenAiChat,
            400,
            openai("invalid_request_error", "content_filter", "x"),
            "invalid_request_error content_filter",
            "invalid_request_error",
            "INVALID_ARGUMENT",
        ),
        (
            Dialect::OpenAiChat,
            504,
            json!({"detail": "x"}),
            "server_error -",
            "timeout_error",
            "DEADLINE_EXCEEDED",
        ),
    ] {
        let seen = names(other(from), status, &body);
        for (seen, expected, to) in
            [(&seen[0], chat, TO[0]), (&seen[1], messages, TO[1]), (&seen[2], gemini, TO[2])]
        {
            if to != from || from == Dialect::OpenAiChat {
                assert_eq!(seen, expected, "{from} to {to}: {body}");
            }
        }
    }
}

fn words(from: Dialect, to: Dialect, status: u16, body: &str) -> String {
    let translated = translate(from, to, status, body.as_bytes(), None);
    let translated: Value = serde_json::from_slice(&translated).unwrap();
    translated["error"]["message"].as_str().unwrap().to_owned()
}

#[test]
fn the_words_stay() {
    let odd = "say \"é\"\n  twice ";
    for from in Dialect::ALL {
        for to in Dialect::ALL {
            let body = json!({"error": {"message": odd}}).to_string();
            assert_eq!(words(from, to, 400, &body), odd, "{from} to {to}");
        }
    }
    for (body, expected) in [
        (r#"{"code":"invalid-argument","error":"Incorrect"}"#, "Incorrect"),
        (r#"{"detail":"Could not parse"}"#, "Could not parse"),
        (r#"{"detail":[{"loc":["body"],"msg":"m"}]}"#, r#"[{"loc":["body"],"msg":"m"}]"#),
        (r#"[{"error":{"code":400,"message":"in a list"}}]"#, "in a list"),
        (r#"{"message":"at the top"}"#, "at the top"),
        ("<html>", "the provider answered with HTTP 502"),
        ("", "the provider answered with HTTP 502"),
        (r#"{"error":{"message":""}}"#, "the provider answered with HTTP 502"),
    ] {
        assert_eq!(words(Dialect::OpenAiChat, Dialect::Anthropic, 502, body), expected, "{body}");
    }
}

#[test]
fn claude_code_shortens_its_conversation_on_the_words() {
    let google =
        google(400, "INVALID_ARGUMENT", "The input token count exceeds the maximum number of tokens allowed");
    let seen = words(Dialect::Gemini, Dialect::Anthropic, 400, &google.to_string());
    assert_eq!(
        seen,
        "prompt is too long: The input token count exceeds the maximum number of tokens allowed"
    );
    let own = anthropic("invalid_request_error", "prompt is too long: 2 tokens > 1 maximum").to_string();
    let seen = words(Dialect::OpenAiChat, Dialect::Anthropic, 400, &own);
    assert_eq!(seen, "prompt is too long: 2 tokens > 1 maximum");
}

/// The words by which agents shorten their conversation, with each vendor's own words for it.
#[test]
fn agents_understand_that_the_prompt_does_not_fit_whoever_says_it() {
    let mut rows = 0;
    for wording in crate::error::wordings().filter(|row| row.meaning == ErrorCategory::ContextTooLong) {
        let (status, body) = wording.sample("m");
        if status == 200 {
            continue;
        }
        let from = if body.contains("INVALID_ARGUMENT") { Dialect::Gemini } else { Dialect::OpenAiChat };
        let own: Value = serde_json::from_str(&body).unwrap();
        let own = crate::error_body::message(&own).unwrap();
        rows += 1;
        for to in Dialect::ALL.into_iter().filter(|to| *to != from) {
            let translated = translate(from, to, status, body.as_bytes(), None);
            let translated: Value = serde_json::from_slice(&translated).unwrap();
            let error = &translated["error"];
            let said = error["message"].as_str().unwrap();
            assert!(said.ends_with(&*own), "{}: the words stay: {said}", wording.vendor);
            let is_understood = match to {
                Dialect::BedrockConverse => panic!("no caller has it"),
                // Claude Code, opencode.
                Dialect::Anthropic => said.starts_with("prompt is too long"),
                Dialect::Gemini => {
                    let rest = said.split_once("input token count").map(|(_, rest)| rest);
                    rest.is_some_and(|rest| rest.contains("exceeds the maximum"))
                }
                // Codex, opencode.
                Dialect::OpenAiChat | Dialect::OpenAiResponses => error["code"] == "context_length_exceeded",
            };
            assert!(is_understood, "{} to {to}: {translated}", wording.vendor);
        }
    }
    assert!(rows > 20, "{rows}");
}

#[test]
fn the_same_format_changes_nothing() {
    for body in ["<html>", "{\"error\" : 1}"] {
        assert_eq!(translate(Dialect::Gemini, Dialect::Gemini, 500, body.as_bytes(), Some("r")), body);
    }
}

#[test]
fn the_request_id_is_anthropics() {
    let body = translate(Dialect::Gemini, Dialect::Anthropic, 500, b"", Some("r1"));
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["request_id"], "r1");
}

#[test]
fn an_event_in_each_format() {
    let body =
        json!({"type": "error", "error": {"message": "two\nlines", "type": "x", "code": "y"}}).to_string();
    for from in Dialect::ALL {
        for to in Dialect::ALL {
            let mut decoder = Decoder::default();
            decoder.push(translate_event(from, to, 503, body.as_bytes()));
            let frame = decoder.next_frame().unwrap().unwrap();
            let class = classify_event(to, &frame, &mut ResponseMeta::default());
            assert!(matches!(class, EventClass::Error(_)), "{from} to {to}: {class:?}");
        }
    }
}
