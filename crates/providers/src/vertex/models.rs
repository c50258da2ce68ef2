//! Which API a model has, and where.

use dialects::{Dialect, Endpoint};

/// The publisher of models whose names have none, by how they begin; all others are Google's own.
const BARE_NAMES: [(&str, &str); 1] = [("claude-", "anthropic")];

/// Publishers whose models have an API of their own. All others have OpenAI's.
///
/// <https://cloud.google.com/vertex-ai/generative-ai/docs/partner-models/use-partner-models>,
/// <https://cloud.google.com/vertex-ai/generative-ai/docs/migrate/openai/overview>
const APIS: [(&str, Dialect); 2] = [("google", Dialect::Gemini), ("anthropic", Dialect::Anthropic)];

/// The model whose place is taken where Claude's tokens are counted: the body names the model.
///
/// <https://cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude/count-tokens>
const COUNT_TOKENS: &str = "count-tokens";

/// The ways to name a model, as Google's SDK has them.
enum Name<'a> {
    /// Of a publisher: `gemini-2.5-pro`, `meta/llama-4`, `publishers/anthropic/models/claude-sonnet-5`.
    Published { publisher: &'a str, model: &'a str },
    /// A path of one's own: `projects/p/locations/l/endpoints/123`, a tuned model.
    Path(&'a str),
}

impl<'a> Name<'a> {
    fn of(model: &'a str) -> Self {
        let model = model.strip_prefix("models/").unwrap_or(model);
        if model.starts_with("projects/") {
            return Self::Path(model);
        }
        let full = model.strip_prefix("publishers/").and_then(|rest| rest.split_once("/models/"));
        if let Some((publisher, model)) = full.or_else(|| model.split_once('/')) {
            return Self::Published { publisher, model };
        }
        let maker = BARE_NAMES.iter().find(|(beginning, _)| model.starts_with(beginning));
        Self::Published { publisher: maker.map_or("google", |(_, publisher)| publisher), model }
    }

    fn publisher(&self) -> &'a str {
        match self {
            Self::Published { publisher, .. } => publisher,
            Self::Path(path) => {
                let named = path.split_once("/publishers/").and_then(|(_, rest)| rest.split('/').next());
                named.unwrap_or("google")
            }
        }
    }
}

/// The API format of a model.
pub(crate) fn dialect(model: &str) -> Dialect {
    let publisher = Name::of(model).publisher();
    let api = APIS.iter().find(|(name, _)| *name == publisher);
    api.map_or(Dialect::OpenAiChat, |(_, dialect)| *dialect)
}

/// The model's own name, as its errors and Claude's counts have it.
pub(crate) fn bare_name(model: &str) -> &str {
    model.rsplit('/').next().unwrap_or(model)
}

/// The path of an endpoint behind the API's version; `None`: there is none for this model. `project`: `None` with an API key
/// that stands for one.
pub(crate) fn path_segments(
    endpoint: Endpoint,
    model: &str,
    stream: bool,
    project: Option<&str>,
    location: &str,
) -> Option<Vec<String>> {
    let method = match endpoint {
        Endpoint::GenerateContent if stream => "streamGenerateContent",
        Endpoint::GenerateContent => "generateContent",
        Endpoint::GeminiCountTokens => "countTokens",
        Endpoint::Messages if stream => "streamRawPredict",
        Endpoint::Messages | Endpoint::CountTokens => "rawPredict",
        Endpoint::ChatCompletions => {
            let mut path = place(Some(project?), location);
            path.extend(["endpoints", "openapi", "chat", "completions"].map(str::to_owned));
            return Some(path);
        }
        _ => return None,
    };
    let mut path = match Name::of(model) {
        Name::Path(path) => {
            let mut path: Vec<_> = path.split('/').map(str::to_owned).collect();
            if endpoint == Endpoint::CountTokens {
                COUNT_TOKENS.clone_into(path.last_mut()?);
            }
            path
        }
        Name::Published { publisher, model } => {
            let model = if endpoint == Endpoint::CountTokens { COUNT_TOKENS } else { model };
            let mut path = place(project, location);
            path.extend(["publishers", publisher, "models", model].map(str::to_owned));
            path
        }
    };
    // As a part of a path these would mean another one.
    if path.iter().any(|segment| matches!(segment.as_str(), "" | "." | "..") || segment.contains('/')) {
        return None;
    }
    let last = path.last_mut()?;
    last.push(':');
    last.push_str(method);
    Some(path)
}

fn place(project: Option<&str>, location: &str) -> Vec<String> {
    let place = project.map(|project| ["projects", project, "locations", location].map(str::to_owned));
    place.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_api_a_model_has() {
        for (model, expected) in [
            ("gemini-2.5-pro", Dialect::Gemini),
            ("models/gemini-2.5-pro", Dialect::Gemini),
            ("google/gemini-2.5-pro", Dialect::Gemini),
            ("claude-sonnet-4-5@20250929", Dialect::Anthropic),
            ("anthropic/claude-sonnet-5", Dialect::Anthropic),
            ("publishers/anthropic/models/claude-sonnet-5", Dialect::Anthropic),
            ("projects/p/locations/l/publishers/anthropic/models/claude-sonnet-5", Dialect::Anthropic),
            ("projects/p/locations/l/endpoints/123", Dialect::Gemini),
            ("meta/llama-4-maverick-17b-128e-instruct-maas", Dialect::OpenAiChat),
        ] {
            assert_eq!(dialect(model), expected, "{model}");
        }
    }

    #[test]
    fn where_a_model_is() {
        use Endpoint::{ChatCompletions, CountTokens, GeminiCountTokens, GenerateContent, Messages};
        const PLACE: &str = "projects/p/locations/us-east5";
        for (endpoint, model, stream, expected) in [
            (GenerateContent, "gemini-3-pro", false, "publishers/google/models/gemini-3-pro:generateContent"),
            (
                GenerateContent,
                "gemini-3-pro",
                true,
                "publishers/google/models/gemini-3-pro:streamGenerateContent",
            ),
            (GeminiCountTokens, "google/g", false, "publishers/google/models/g:countTokens"),
            (Messages, "claude-4@2", false, "publishers/anthropic/models/claude-4@2:rawPredict"),
            (Messages, "anthropic/claude-4", true, "publishers/anthropic/models/claude-4:streamRawPredict"),
            (CountTokens, "claude-4", false, "publishers/anthropic/models/count-tokens:rawPredict"),
            (ChatCompletions, "meta/llama-4", true, "endpoints/openapi/chat/completions"),
        ] {
            let path = path_segments(endpoint, model, stream, Some("p"), "us-east5").unwrap();
            assert_eq!(path.join("/"), format!("{PLACE}/{expected}"));
        }
        let own = "projects/1/locations/l/publishers/anthropic/models/claude-4";
        let path = path_segments(CountTokens, own, false, Some("p"), "us-east5").unwrap();
        assert_eq!(
            path.join("/"),
            "projects/1/locations/l/publishers/anthropic/models/count-tokens:rawPredict"
        );
        let tuned = "projects/1/locations/l/endpoints/2";
        let path = path_segments(GenerateContent, tuned, false, Some("p"), "us-east5").unwrap();
        assert_eq!(path.join("/"), "projects/1/locations/l/endpoints/2:generateContent");
        let express = path_segments(GenerateContent, "gemini-3-pro", false, None, "global").unwrap();
        assert_eq!(express.join("/"), "publishers/google/models/gemini-3-pro:generateContent");
        assert_eq!(path_segments(ChatCompletions, "meta/llama-4", true, None, "global"), None);
    }

    #[test]
    fn a_name_is_no_way_out_of_the_path() {
        for model in
            ["..", ".", "", "a/..", "google/", "publishers/a/../models/x", "projects/p/../x", "a/b/c"]
        {
            let path = path_segments(Endpoint::GenerateContent, model, false, Some("p"), "l");
            assert_eq!(path, None, "{model}");
        }
    }
}
