//! A provider's error inside its answer, in the many shapes that it comes in.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::form::StreamError;
use crate::json::{Object, ObjectWriter, as_str, as_u64};

/// Reads the error in a chunk or answer; `None`: there is none.
pub(super) fn read(body: &Object<'_>) -> Option<StreamError> {
    let raw = body.error()?;
    match Object::of(raw) {
        Some(error) => Some(of_object(&error, body)),
        None => Some(of_text(text_of(raw), body)),
    }
}

/// Reads an event that is an error as a whole.
pub(super) fn read_whole(body: &Object<'_>) -> StreamError {
    read(body).unwrap_or_else(|| of_object(body, &Object::default()))
}

fn of_object(error: &Object<'_>, around: &Object<'_>) -> StreamError {
    let message = ["message", "Message", "msg", "detail"].iter().find_map(|name| error.raw(name));
    let message = message.or_else(|| around.raw("message")).map(text_of).unwrap_or_default();
    let error_type = error.string("type").or_else(|| error.string("status"));
    let code = error.raw("code").map(text_of);
    let status = ["status_code", "status", "code"]
        .iter()
        .find_map(|name| status_in(error.raw(name)))
        .or_else(|| status_in(around.raw("code")))
        .or_else(|| status_in(around.raw("status")))
        .unwrap_or_else(|| status_for(error_type.as_deref(), code.as_deref()));
    StreamError { status, error_type, code, message }
}

fn of_text(message: String, around: &Object<'_>) -> StreamError {
    let (error_type, code) = (around.string("type"), around.raw("code").map(text_of));
    let status = status_in(around.raw("code")).or_else(|| status_in(around.raw("status")));
    let status = status.unwrap_or_else(|| status_for(error_type.as_deref(), code.as_deref()));
    StreamError { status, error_type, code, message }
}

/// The provider's words; what is no string stays JSON.
fn text_of(raw: &RawValue) -> String {
    as_str(raw).map_or_else(|| raw.get().to_owned(), Cow::into_owned)
}

fn status_in(raw: Option<&RawValue>) -> Option<u16> {
    let raw = raw?;
    let number = as_u64(raw).or_else(|| as_str(raw)?.parse().ok())?;
    u16::try_from(number).ok().filter(|status| (400..600).contains(status))
}

/// The status that an error's type or code stands for.
fn status_for(error_type: Option<&str>, code: Option<&str>) -> u16 {
    const WORDS: [(&str, u16); 13] = [
        ("rate_limit", 429),
        ("too_many_requests", 429),
        ("quota", 429),
        ("content_filter", 400),
        ("context_length", 400),
        ("authentication", 401),
        ("invalid_api_key", 401),
        ("permission", 403),
        ("not_found", 404),
        ("overloaded", 503),
        ("unavailable", 503),
        ("timeout", 504),
        ("invalid", 400),
    ];
    let said =
        format!("{} {}", code.unwrap_or_default(), error_type.unwrap_or_default()).to_ascii_lowercase();
    WORDS.iter().find(|(word, _)| said.contains(word)).map_or(500, |(_, status)| *status)
}

/// Writes an error as the official SDKs read it.
pub(super) fn write(error: &StreamError) -> String {
    let kind = error.error_type.as_deref().unwrap_or(match error.status {
        429 => "rate_limit_error",
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        400..500 => "invalid_request_error",
        _ => "server_error",
    });
    // Without any words the SDKs would say nothing at all.
    let message = if error.message.is_empty() { "the provider reported an error" } else { &error.message };
    let inner = ObjectWriter::new().str("message", message).str("type", kind).null("param");
    let inner = match &error.code {
        Some(code) => inner.str("code", code),
        None => inner.null("code"),
    };
    ObjectWriter::new().object("error", inner).finish()
}

#[cfg(test)]
mod tests {
    use super::{read, write};
    use crate::json::Object;

    #[test]
    fn every_shape_is_read() {
        let table = [
            (
                r#"{"error":{"message":"a","type":"invalid_request_error","code":"tool_use_failed","status_code":400}}"#,
                400,
                "a",
            ),
            (r#"{"error":{"code":502,"message":"b"}}"#, 502, "b"),
            (r#"{"error":"c","code":"429"}"#, 429, "c"),
            (r#"{"error":{"message":"d","type":"rate_limit_exceeded"}}"#, 429, "d"),
            (r#"{"error":{"message":{"x":1}}}"#, 500, r#"{"x":1}"#),
        ];
        for (json, status, message) in table {
            let error = read(&Object::parse(json.as_bytes()).unwrap()).unwrap();
            assert_eq!((error.status, error.message.as_str()), (status, message), "{json}");
        }
        assert!(read(&Object::parse(br#"{"error":null,"choices":[]}"#).unwrap()).is_none());
    }

    #[test]
    fn it_is_written_on_one_level() {
        let error = read(&Object::parse(br#"{"error":{"code":502,"message":"b"}}"#).unwrap()).unwrap();
        assert_eq!(
            write(&error),
            r#"{"error":{"message":"b","type":"server_error","param":null,"code":"502"}}"#
        );
    }
}
