//! Reads `generationConfig`.

use super::fields::{Fields, camel_case};
use super::schema;
use super::tools_reader::note;
use crate::form::{Effort, Format, Reasoning, Request, Sampling, Unmapped};
use crate::json::own;

/// Fields that are read.
const KNOWN: [&str; 17] = [
    "temperature",
    "topP",
    "topK",
    "seed",
    "presencePenalty",
    "frequencyPenalty",
    "candidateCount",
    "maxOutputTokens",
    "stopSequences",
    "responseMimeType",
    "responseSchema",
    "responseJsonSchema",
    "_responseJsonSchema",
    "responseModalities",
    "responseLogprobs",
    "logprobs",
    "thinkingConfig",
];

pub(super) fn read(config: &Fields<'_>, request: &mut Request) {
    request.max_tokens = config.u64("maxOutputTokens");
    request.sampling = Sampling {
        temperature: config.f64("temperature"),
        top_p: config.f64("topP"),
        top_k: config.f64("topK").and_then(whole),
        seed: config.i64("seed"),
        frequency_penalty: config.f64("frequencyPenalty"),
        presence_penalty: config.f64("presencePenalty"),
    };
    request.stop = config.strings("stopSequences");
    if config.bool("responseLogprobs") == Some(true) {
        request.logprobs = Some(config.u64("logprobs").unwrap_or(0));
    }
    request.format = read_format(config, &mut request.unmapped);
    if let Some(thinking) = config.object("thinkingConfig") {
        request.reasoning = read_thinking(&thinking);
    }
    if config.u64("candidateCount").is_some_and(|count| count > 1) {
        note(&mut request.unmapped, "candidateCount", true);
    }
    if config.strings("responseModalities").iter().any(|modality| !modality.eq_ignore_ascii_case("text")) {
        note(&mut request.unmapped, "responseModalities", true);
    }
    for (name, _) in config.iter() {
        let name = camel_case(name);
        if !KNOWN.contains(&name.as_ref()) {
            note(&mut request.unmapped, name, false);
        }
    }
}

/// `topK` is a float on the wire.
fn whole(number: f64) -> Option<u64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked: whole and in range"
    )]
    (number.fract() == 0.0 && (0.0..1e9).contains(&number)).then_some(number as u64)
}

fn read_format(config: &Fields<'_>, unmapped: &mut Vec<Unmapped>) -> Option<Format> {
    let schema = match config.raw("responseJsonSchema").or_else(|| config.raw("_responseJsonSchema")) {
        Some(schema) => Some(own(schema)),
        None => config.raw("responseSchema").map(schema::to_json_schema),
    };
    let is_json = match config.str("responseMimeType").as_deref() {
        None => schema.is_some(),
        Some("application/json") => true,
        Some("text/plain" | "") => false,
        Some(_) => {
            note(unmapped, "responseMimeType", true);
            false
        }
    };
    if !is_json {
        return None;
    }
    match schema.filter(|schema| schema.get().starts_with('{')) {
        Some(schema) => Some(Format::JsonSchema { name: None, description: None, schema, strict: None }),
        None => Some(Format::JsonObject),
    }
}

fn read_thinking(config: &Fields<'_>) -> Reasoning {
    let budget = config.i64("thinkingBudget");
    let level = config.str("thinkingLevel");
    Reasoning {
        effort: level.and_then(|word| Effort::parse(&word)),
        budget: budget.and_then(|tokens| u64::try_from(tokens).ok()),
        enabled: budget.map(|tokens| tokens != 0),
        show: config.bool("includeThoughts"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Fields, read};
    use crate::form::{Effort, Format, Request};

    fn request(config: &str) -> Request {
        let mut request = Request::default();
        read(&Fields::parse(config.as_bytes()).unwrap(), &mut request);
        request
    }

    #[test]
    fn what_the_form_lacks_is_named() {
        let request = request(
            r#"{"candidateCount":2,"responseModalities":["TEXT","IMAGE"],"media_resolution":"MEDIA_RESOLUTION_LOW","topK":64,"responseMimeType":"text/x.enum"}"#,
        );
        let named: Vec<_> = request.unmapped.iter().map(|one| (one.field.as_str(), one.required)).collect();
        let expected = [
            ("responseMimeType", true),
            ("candidateCount", true),
            ("responseModalities", true),
            ("mediaResolution", false),
        ];
        assert_eq!(named, expected);
        assert_eq!(request.sampling.top_k, Some(64));
    }

    #[test]
    fn formats() {
        assert!(matches!(
            request(r#"{"responseMimeType":"application/json"}"#).format,
            Some(Format::JsonObject)
        ));
        assert!(request(r#"{"responseMimeType":"text/plain"}"#).format.is_none());
        let schema =
            request(r#"{"responseMimeType":"application/json","response_schema":{"type":"STRING"}}"#);
        assert!(
            matches!(schema.format, Some(Format::JsonSchema { schema, .. }) if schema.get() == r#"{"type":"string"}"#)
        );
    }

    #[test]
    fn thinking() {
        let reasoning = |config: &str| {
            let read = request(&format!(r#"{{"thinkingConfig":{config}}}"#)).reasoning;
            (read.effort, read.budget, read.enabled, read.show)
        };
        assert_eq!(
            reasoning(r#"{"thinkingBudget":-1,"includeThoughts":true}"#),
            (None, None, Some(true), Some(true))
        );
        assert_eq!(reasoning(r#"{"thinking_budget":0}"#), (None, Some(0), Some(false), None));
        assert_eq!(reasoning(r#"{"thinkingLevel":"HIGH"}"#), (Some(Effort::High), None, None, None));
    }
}
