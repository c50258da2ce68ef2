use proptest::prelude::{any, prop_assert_eq, proptest};
use serde_json::json;

use super::{Bytes, Endpoint, MAX_DEPTH, OpenAiCall, Request, RequestError, StoredReference};

fn parse(body: &'static str) -> Result<Request, RequestError> {
    Request::parse(Endpoint::ChatCompletions, Bytes::from_static(body.as_bytes()))
}

#[test]
fn model_and_stream_are_found_wherever_they_stand() {
    let request = parse(r#"{"messages":[{"model":"not this"}],"stream":true, "model" : "gpt-5" }"#).unwrap();
    assert_eq!((request.model(), request.stream()), ("gpt-5", true));
    let request = parse(r#"{"mod\u0065l":"a\u0062c","stream":null}"#).unwrap();
    assert_eq!((request.model(), request.stream()), ("abc", false));
}

#[test]
fn bodies_that_are_no_request() {
    for (body, expected) in [
        ("", RequestError::NotJson { line: 1, column: 0 }),
        ("{\n\"model\": oops}", RequestError::NotJson { line: 2, column: 10 }),
        (r#"{"model":"a"} trailing"#, RequestError::NotJson { line: 1, column: 15 }),
        (r#"{"model":"a""#, RequestError::NotJson { line: 1, column: 12 }),
        (r#"["model","a"]"#, RequestError::NotAnObject),
        ("null", RequestError::NotAnObject),
        ("{}", RequestError::MissingModel),
        (r#"{"model":null}"#, RequestError::ModelNotAString),
        (r#"{"model":7}"#, RequestError::ModelNotAString),
        (r#"{"model":""}"#, RequestError::ModelNotAString),
        (r#"{"model":"a","model":"b"}"#, RequestError::DuplicateField("model")),
        (r#"{"model":"a","mod\u0065l":"b"}"#, RequestError::DuplicateField("model")),
        (r#"{"model":"a","stream":true,"stream":false}"#, RequestError::DuplicateField("stream")),
        (r#"{"model":"a","stream":"yes"}"#, RequestError::StreamNotABoolean),
    ] {
        assert_eq!(parse(body).unwrap_err(), expected, "{body}");
    }
}

#[test]
fn an_error_and_debug_quote_nothing_of_the_prompt() {
    let error = parse(r#"{"model":"a","messages":"my secret" oops"#).unwrap_err();
    assert!(!error.to_string().contains("secret"));
    let request = parse(r#"{"model":"a","messages":"my secret"}"#).unwrap();
    assert!(!format!("{request:?}").contains("secret"));
}

#[test]
fn only_the_models_bytes_change() {
    let request = parse("{ \"x\":1.0e0 ,\"model\":\t\"a\", \"z\":\"\\u00e9\", \"z\":2}").unwrap();
    assert_eq!(
        request.with_model("openai/\"b\""),
        "{ \"x\":1.0e0 ,\"model\":\t\"openai/\\\"b\\\"\", \"z\":\"\\u00e9\", \"z\":2}"
    );
}

#[test]
fn the_same_name_copies_nothing() {
    let request = parse(r#"{"model":"a"}"#).unwrap();
    assert_eq!(request.with_model("a").as_ptr(), request.body().as_ptr());
}

fn stored(endpoint: Endpoint, fields: &str) -> Option<StoredReference> {
    let body = format!(r#"{{"model":"a",{fields}}}"#);
    Request::parse(endpoint, body.into()).unwrap().stored_reference().cloned()
}

#[test]
fn what_only_its_owner_can_answer() {
    let (message, output) =
        (r#""type":"message","role":"user""#, r#""type":"function_call_output","call_id":"c""#);
    for (fields, expected) in [
        (
            r#""previous_response_id":"resp_1","conversation":"conv_1""#.to_owned(),
            "previous_response_id resp_1",
        ),
        (r#""previous_response_id":null,"conversation":{"id":"conv_1"}"#.to_owned(), "conversation conv_1"),
        (r#""input":[{"type":"item_reference","id":"msg_1"}],"background":true"#.to_owned(), "input msg_1"),
        (r#""input":["x",7,{"id":"msg_1"}]"#.to_owned(), "input msg_1"),
        (r#""input":[{"id":"msg_2","type":null},{"id":"msg_1"}]"#.to_owned(), "input msg_2"),
        (r#""prompt":{"id":"pmpt_1","variables":{}}"#.to_owned(), "prompt pmpt_1"),
        (r#""background":true"#.to_owned(), "background -"),
        (
            format!(r#""input":[{{{message},"content":[{{"type":"input_file","file_id":"file-1"}}]}}]"#),
            "file_id file-1",
        ),
        (
            format!(r#""input":[{{{output},"output":[{{"type":"input_image","file_id":"file-1"}}]}}]"#),
            "file_id file-1",
        ),
        (format!(r#""input":[{{{message},"content":"file_id","id":"msg_1"}}],"background":false"#), "-"),
        (format!(r#""input":[{{{message},"content":[{{"type":"input_image","file_id":null}}]}}]"#), "-"),
        (r#""input":[{"role":"user","content":"x","id":"msg_1"}]"#.to_owned(), "-"),
        (r#""input":[{"type":"reasoning","id":"rs_1","summary":[]}]"#.to_owned(), "-"),
        (
            r#""input":"item_reference","prompt":"x","conversation":"","previous_response_id":7"#.to_owned(),
            "-",
        ),
    ] {
        for endpoint in [Endpoint::Responses, Endpoint::ResponsesInputTokens, Endpoint::ResponsesCompact] {
            let seen = stored(endpoint, &fields);
            let seen = seen.map_or_else(
                || "-".to_owned(),
                |reference| format!("{} {}", reference.field(), reference.id().unwrap_or("-")),
            );
            assert_eq!(seen, expected, "{fields}");
        }
        assert_eq!(stored(Endpoint::ChatCompletions, &fields), None, "{fields}");
        assert_eq!(stored(Endpoint::Messages, &fields), None, "{fields}");
    }
}

#[test]
fn a_doubled_reference_is_ambiguous() {
    let body = r#"{"model":"a","previous_response_id":"a","previous_response_id":"b"}"#;
    let error = Request::parse(Endpoint::Responses, Bytes::from_static(body.as_bytes())).unwrap_err();
    assert_eq!(error, RequestError::DuplicateField("previous_response_id"));
    assert!(Request::parse(Endpoint::ChatCompletions, Bytes::from_static(body.as_bytes())).is_ok());
    let body = r#"{"model":"a","input":[{"id":"x","id":{}}] oops"#;
    let error = Request::parse(Endpoint::Responses, Bytes::from_static(body.as_bytes())).unwrap_err();
    assert_eq!(error, RequestError::NotJson { line: 1, column: 43 });
}

#[test]
fn whether_usage_is_asked_for() {
    for (fields, endpoint, is_open) in [
        (r#""stream":true"#, Endpoint::ChatCompletions, true),
        (r#""stream":true,"metadata":{"stream_options":1}"#, Endpoint::ChatCompletions, true),
        (r#""stream":true"#, Endpoint::Responses, false),
        (r#""stream":false"#, Endpoint::ChatCompletions, false),
        (r#""stream":true,"stream_options":null"#, Endpoint::ChatCompletions, false),
        (r#""stream":true,"stream_options":{}"#, Endpoint::ChatCompletions, false),
        (r#""stream":true,"stream\u005foptions":7"#, Endpoint::ChatCompletions, false),
        (r#""stream":true,"stream_options":{"include_usage":true}"#, Endpoint::ChatCompletions, false),
        (r#""stream":true,"stream_options":{"include_usage":false}"#, Endpoint::ChatCompletions, false),
    ] {
        let body = format!(r#"{{{fields},"model":"a"}}"#);
        let request = Request::parse(endpoint, body.into()).unwrap();
        assert_eq!(request.leaves_usage_open(), is_open, "{fields}");
    }
}

#[test]
fn usage_is_asked_for_behind_the_model() {
    let request = parse(r#"{ "model" : "a" , "stream":true}"#).unwrap();
    for model in ["a", "b\"c"] {
        let name = serde_json::Value::from(model);
        let expected =
            format!(r#"{{ "model" : {name},"stream_options":{{"include_usage":true}} , "stream":true}}"#);
        assert_eq!(request.with_model_and_usage(model), expected);
    }
}

#[test]
fn the_path_names_the_model() {
    let parse = |body: &'static str, model: &str| {
        let body = Bytes::from_static(body.as_bytes());
        Request::with_path_model(Endpoint::GenerateContent, body, model.to_owned(), true, true)
    };
    let request =
        parse(r#"{"model":7,"stream":"x","contents":[],"cachedContent":"cachedContents/1"}"#, "m").unwrap();
    assert_eq!((request.model(), request.stream(), request.json_array()), ("m", true, true));
    assert_eq!(request.with_model("other").as_ptr(), request.body().as_ptr());
    assert_eq!(request.stored_reference(), Some(&StoredReference::CachedContent("cachedContents/1".into())));
    assert_eq!(parse("{}", "").unwrap_err(), RequestError::MissingPathModel);
    assert_eq!(parse("[]", "m").unwrap_err(), RequestError::NotAnObject);
    assert_eq!(parse("{", "m").unwrap_err(), RequestError::NotJson { line: 1, column: 1 });
}

proptest! {
    #[test]
    fn any_names_survive(old in ".+", new in ".+", prompt in any::<String>(), first in any::<bool>()) {
        let body = |model: &str| if first {
            json!({"model": model, "prompt": prompt}).to_string()
        } else {
            json!({"prompt": prompt, "model": model}).to_string()
        };
        let request = Request::parse(Endpoint::Messages, Bytes::from(body(&old))).unwrap();
        prop_assert_eq!(request.model(), &old);
        prop_assert_eq!(request.with_model(&new), body(&new));
    }
}

fn nested(levels: usize) -> Bytes {
    let (open, close) = ("[".repeat(levels - 1), "]".repeat(levels - 1));
    format!(r#"{{"model":"a","x":{open}{close}}}"#).into()
}

#[test]
fn what_no_provider_can_read_is_refused() {
    for endpoint in [Endpoint::ChatCompletions, Endpoint::Responses, Endpoint::Messages] {
        assert!(Request::parse(endpoint, nested(MAX_DEPTH)).is_ok());
        for levels in [MAX_DEPTH + 1, 100_000] {
            assert_eq!(Request::parse(endpoint, nested(levels)).unwrap_err(), RequestError::TooDeep);
        }
        let body = b"{\"model\":\"a\",\"x\":\"\xff\"}";
        let error = Request::parse(endpoint, Bytes::from_static(body)).unwrap_err();
        assert_eq!(error, RequestError::NotUtf8 { position: 18 });
    }
    let parse = |body| {
        Request::with_path_model(Endpoint::GenerateContent, body, "m".to_owned(), false, false).unwrap_err()
    };
    assert_eq!(parse(nested(100_000)), RequestError::TooDeep);
    assert_eq!(parse(Bytes::from_static(b"{\"x\":\"\xc3\"}")), RequestError::NotUtf8 { position: 6 });
}

#[test]
fn brackets_in_strings_are_text() {
    let text = r#"[{\"[{\\"#.repeat(MAX_DEPTH);
    let body = format!(r#"{{"model":"a","x":"{text}","y":[1,"]"]}}"#);
    assert!(Request::parse(Endpoint::Messages, body.into()).is_ok());
}

#[test]
fn the_model_of_a_form_is_replaced_and_nothing_is_copied() {
    let file = "Content-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\nRIFF\r\n--b";
    let model = "Content-Disposition: form-data; name=\"model\"\r\n\r\n";
    let stream = "Content-Disposition: form-data; name=\"stream\"\r\n\r\nTrue";
    let form = |name: &str| format!("--X\r\n{file}\r\n--X\r\n{stream}\r\n--X\r\n{model}{name}\r\n--X--\r\n");
    let endpoint = Endpoint::OpenAi(OpenAiCall::Transcriptions);
    let parse = |body: String| Request::parse_form(endpoint, "multipart/form-data; boundary=X", body.into());
    let request = parse(form("whisper-1")).unwrap();
    assert_eq!((request.model(), request.stream()), ("whisper-1", true));
    assert_eq!(request.with_model("other"), form("other"));
    let pieces = request.pieces_with_model("other");
    assert_eq!(pieces.concat(), form("other").as_bytes());
    assert_eq!(pieces[0].as_ptr(), request.body().as_ptr(), "no copy");
    assert_eq!(request.pieces_with_model("whisper-1")[0].as_ptr(), request.body().as_ptr());
    assert_eq!(parse(form("")).unwrap_err(), RequestError::ModelNotAString);
    assert_eq!(parse("--X--".to_owned()).unwrap_err(), RequestError::MissingModel);
    let chat =
        Request::parse_form(Endpoint::ChatCompletions, "multipart/form-data; boundary=X", Bytes::new());
    assert_eq!(chat.unwrap_err(), RequestError::NoFormHere("/v1/chat/completions"));
}

#[test]
fn only_moderations_have_a_model_of_their_own() {
    for call in OpenAiCall::ALL {
        let body = Bytes::from_static(br#" {"input":"a"}"#);
        let request = Request::parse(Endpoint::OpenAi(call), body);
        if call != OpenAiCall::Moderations {
            assert_eq!(request.unwrap_err(), RequestError::MissingModel, "{call:?}");
            continue;
        }
        let request = request.unwrap();
        assert_eq!(request.model(), "omni-moderation-latest");
        assert_eq!(request.with_model("omni-moderation-latest"), request.body());
        assert_eq!(request.with_model("m"), r#" {"model":"m","input":"a"}"#);
    }
    let empty =
        Request::parse(Endpoint::OpenAi(OpenAiCall::Moderations), Bytes::from_static(b"{ }")).unwrap();
    assert_eq!(empty.with_model("m"), r#"{"model":"m" }"#);
}

#[test]
fn what_is_streamed_depends_on_the_call() {
    for (call, body, expected) in [
        (OpenAiCall::Completions, r#"{"model":"m","stream":true}"#, true),
        (OpenAiCall::ImageGenerations, r#"{"model":"m","stream":true}"#, true),
        (OpenAiCall::ImageGenerations, r#"{"model":"m"}"#, false),
        (OpenAiCall::Embeddings, r#"{"model":"m","stream":"odd"}"#, false),
        (OpenAiCall::Speech, r#"{"model":"m"}"#, true),
    ] {
        let request = Request::parse(Endpoint::OpenAi(call), Bytes::from_static(body.as_bytes())).unwrap();
        assert_eq!(request.stream(), expected, "{body}");
    }
}
