//! Reads a request.

use super::fields::{Fields, camel_case};
use super::tools_reader::note;
use super::{config_reader, contents_reader, tools_reader};
use crate::RequestError;
use crate::form::Request;
use crate::json::Object;

/// Fields that are read, or say nothing: the model is in the path, and `store` is about Google's own records.
const KNOWN: [&str; 8] = [
    "contents",
    "systemInstruction",
    "tools",
    "toolConfig",
    "generationConfig",
    "cachedContent",
    "model",
    "store",
];

pub(crate) fn read(body: &Object<'_>) -> Result<Request, RequestError> {
    let body = Fields::new(body.clone());
    // A request to be counted may stand as a whole in another.
    let body = body.object("generateContentRequest").unwrap_or(body);
    let Some(contents) = body.raw("contents").filter(|raw| raw.get().starts_with(['[', '{', '"'])) else {
        return Err(RequestError::field("contents", "must be an array"));
    };
    let mut request = Request { turns: contents_reader::read(contents), ..Request::default() };
    request.system = body.raw("systemInstruction").map(contents_reader::read_system).unwrap_or_default();
    if let Some(config) = body.object("generationConfig") {
        config_reader::read(&config, &mut request);
    }
    request.tools = tools_reader::read_tools(&body, &mut request.unmapped);
    request.tool_choice = tools_reader::read_choice(&body, &mut request.unmapped);
    if body.filled("cachedContent").is_some() {
        note(&mut request.unmapped, "cachedContent", true);
    }
    for (name, _) in body.iter() {
        let name = camel_case(name);
        if !KNOWN.contains(&name.as_ref()) {
            note(&mut request.unmapped, name, false);
        }
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::json::Object;

    #[test]
    fn a_whole_request() {
        let body = br#"{"model":"m","contents":[{"role":"user","parts":[{"text":"hi"}]}],"system_instruction":"be brief","safetySettings":[],"labels":{"a":"b"},"cached_content":"cachedContents/1","generationConfig":{"maxOutputTokens":9}}"#;
        let request = read(&Object::parse(body).unwrap()).unwrap();
        assert_eq!((request.system.len(), request.turns.len(), request.max_tokens), (1, 1, Some(9)));
        let named: Vec<_> = request.unmapped.iter().map(|one| (one.field.as_str(), one.required)).collect();
        assert_eq!(named, [("cachedContent", true), ("safetySettings", false), ("labels", false)]);
    }

    #[test]
    fn a_request_to_be_counted_may_stand_in_another() {
        let body = br#"{"generateContentRequest":{"model":"models/m","contents":[{"parts":[{"text":"hi"}]}],"systemInstruction":"x"}}"#;
        let request = read(&Object::parse(body).unwrap()).unwrap();
        assert_eq!((request.system.len(), request.turns.len(), request.unmapped.len()), (1, 1, 0));
    }

    #[test]
    fn contents_must_be_there() {
        for body in ["{}", r#"{"contents":null}"#, r#"{"contents":5}"#] {
            assert!(read(&Object::parse(body.as_bytes()).unwrap()).is_err());
        }
    }
}
