//! What a response repeats of its request.

use crate::json::{self, ArrayWriter, Object, ObjectWriter};

/// The fields in their order, with the value that stands for one that the request does not have. Storage is not among
/// them, since a translated answer is never stored.
const FIELDS: [(&str, &str); 17] = [
    ("instructions", "null"),
    ("max_output_tokens", "null"),
    ("max_tool_calls", "null"),
    ("parallel_tool_calls", "true"),
    ("prompt_cache_key", "null"),
    ("reasoning", r#"{"effort":null,"summary":null}"#),
    ("safety_identifier", "null"),
    ("service_tier", r#""default""#),
    ("temperature", "null"),
    ("text", r#"{"format":{"type":"text"}}"#),
    ("tool_choice", r#""auto""#),
    ("tools", "[]"),
    ("top_logprobs", "0"),
    ("top_p", "null"),
    ("truncation", r#""disabled""#),
    ("user", "null"),
    ("metadata", "{}"),
];

/// As JSON fields without the braces.
pub(crate) fn echo(body: &Object<'_>) -> String {
    let mut object = ObjectWriter::new();
    for (field, default) in FIELDS {
        object = match (field, body.raw(field)) {
            // Which tier it was, nobody tells.
            (_, None) | ("service_tier", _) => object.json(field, default),
            ("tools", Some(_)) => object.array(field, tools(body)),
            (_, Some(value)) => object.raw(field, value),
        };
    }
    let text = object.finish();
    text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or_default().to_owned()
}

/// The tools, with what the API fills in.
fn tools(body: &Object<'_>) -> ArrayWriter {
    let mut out = ArrayWriter::new();
    for raw in body.array("tools") {
        match Object::of(raw).filter(|tool| tool.str("type").as_deref() == Some("function")) {
            Some(tool) if !tool.has("strict") || !tool.has("parameters") => {
                let mut object = ObjectWriter::new();
                for (field, value) in tool.iter() {
                    object = object.raw(field, value);
                }
                for field in ["parameters", "strict"] {
                    object = if tool.has(field) { object } else { object.null(field) };
                }
                out.push(object);
            }
            _ => out.push_json(json::own(raw).get()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::echo;
    use crate::json::Object;

    #[test]
    fn what_the_sdk_requires_is_always_there() {
        let body =
            Object::parse(br#"{"temperature":0.5,"tools":[{"type":"function","name":"f"}],"input":"x"}"#)
                .unwrap();
        let echo = format!("{{{}}}", echo(&body));
        let echo = Object::parse(echo.as_bytes()).unwrap();
        assert_eq!(echo.f64("temperature"), Some(0.5));
        assert_eq!(
            echo.raw("tools").unwrap().get(),
            r#"[{"type":"function","name":"f","parameters":null,"strict":null}]"#
        );
        assert_eq!(
            (echo.bool("parallel_tool_calls"), echo.str("tool_choice").as_deref()),
            (Some(true), Some("auto"))
        );
        assert!(!echo.has("input"));
    }
}
