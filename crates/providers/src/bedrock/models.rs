//! Which API a model has, and where.

use dialects::{Dialect, Endpoint};

/// The APIs of models by what their ids contain, the first that fits. All others have Converse.
///
/// <https://docs.aws.amazon.com/bedrock/latest/userguide/models-supported.html>: the maker stands before the first point, behind
/// the region of a cross-region inference profile (`us.anthropic.…`); an ARN ends with the same id. An application inference
/// profile has an id that names no maker.
const APIS: [(&str, Dialect); 2] = [
    // InvokeModel, whose body is that of Anthropic's Messages.
    ("anthropic.", Dialect::Anthropic),
    // <https://docs.aws.amazon.com/bedrock/latest/userguide/inference-chat-completions.html>
    ("openai.", Dialect::OpenAiChat),
];

/// Regions of cross-region inference profiles. CountTokens knows the model itself alone ("The provided model doesn't support
/// counting tokens").
///
/// <https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html>
const PROFILE_REGIONS: [&str; 8] = ["us.", "eu.", "apac.", "jp.", "au.", "ca.", "us-gov.", "global."];

/// The API format of a model.
pub(crate) fn dialect(model: &str) -> Dialect {
    // What stands before the last slash of an ARN says nothing of the model.
    let id = model.rsplit('/').next().unwrap_or(model);
    let is_maker = |start: usize| start == 0 || id.as_bytes()[start - 1] == b'.';
    let names = |maker: &str| id.find(maker).is_some_and(is_maker);
    let api = APIS.iter().find(|(maker, _)| names(maker));
    api.map_or(Dialect::BedrockConverse, |(_, dialect)| *dialect)
}

/// The path of an endpoint after the base URL, unescaped; `None`: there is none for this model.
pub(crate) fn path_segments(endpoint: Endpoint, model: &str, stream: bool) -> Option<Vec<&str>> {
    // As a path these would mean another one.
    if matches!(model, "." | "..") {
        return None;
    }
    let operation = match endpoint {
        Endpoint::ChatCompletions => return Some(vec!["openai", "v1", "chat", "completions"]),
        Endpoint::Messages if stream => "invoke-with-response-stream",
        Endpoint::Messages => "invoke",
        Endpoint::Converse if stream => "converse-stream",
        Endpoint::Converse => "converse",
        Endpoint::CountTokens | Endpoint::ConverseCountTokens => {
            return Some(vec!["model", base_model(model), "count-tokens"]);
        }
        _ => return None,
    };
    Some(vec!["model", model, operation])
}

/// The model itself, of a cross-region inference profile.
fn base_model(model: &str) -> &str {
    PROFILE_REGIONS.iter().find_map(|region| model.strip_prefix(region)).unwrap_or(model)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_api_a_model_has() {
        for (model, expected) in [
            ("anthropic.claude-sonnet-4-5-20250929-v1:0", Dialect::Anthropic),
            ("us.anthropic.claude-haiku-4-5-20251001-v1:0", Dialect::Anthropic),
            ("global.anthropic.claude-opus-5-5", Dialect::Anthropic),
            (
                "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-5",
                Dialect::Anthropic,
            ),
            ("arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-sonnet-5", Dialect::Anthropic),
            ("openai.gpt-oss-120b-1:0", Dialect::OpenAiChat),
            ("us.openai.gpt-oss-20b-1:0", Dialect::OpenAiChat),
            ("amazon.nova-pro-v1:0", Dialect::BedrockConverse),
            ("us.meta.llama4-scout-17b-instruct-v1:0", Dialect::BedrockConverse),
            (
                "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123",
                Dialect::BedrockConverse,
            ),
            ("arn:aws:bedrock:us-east-1:1:custom-model/anthropic.x/y", Dialect::BedrockConverse),
            ("notanthropic.x", Dialect::BedrockConverse),
        ] {
            assert_eq!(dialect(model), expected, "{model}");
        }
    }

    #[test]
    fn tokens_are_counted_by_the_model_itself() {
        let path = |model| path_segments(Endpoint::CountTokens, model, false).unwrap()[1];
        assert_eq!(path("us.anthropic.claude-sonnet-5"), "anthropic.claude-sonnet-5");
        assert_eq!(path("anthropic.claude-sonnet-5"), "anthropic.claude-sonnet-5");
        assert_eq!(path_segments(Endpoint::Messages, "..", false), None);
    }
}
