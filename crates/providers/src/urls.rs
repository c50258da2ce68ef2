//! Where a provider serves what.

use dialects::{Dialect, Endpoint, OpenAiCall};
use http::Uri;
use percent_encoding::utf8_percent_encode;
use url::{Position, Url};

use crate::aws::ENCODED;
use crate::bedrock;
use crate::kind::ProviderKind;
use crate::vertex;

/// The URLs of one provider. Those without a model in them are made once.
#[derive(Debug)]
pub(crate) struct Urls {
    base: Url,
    form: UriForm,
    fixed: Vec<FixedUrl>,
    /// Azure's version of its API, where each model has paths of its own.
    api_version: Option<String>,
}

/// A URL that names no model.
#[derive(Debug)]
struct FixedUrl {
    endpoint: Endpoint,
    uri: Uri,
    /// The same with `?beta=true`, where Anthropic has that.
    beta: Option<Uri>,
}

/// How a request names its URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UriForm {
    /// By path and query.
    Path,
    /// As a whole, for a proxy that passes requests on.
    Absolute,
}

/// The endpoints whose URL names no model, and their paths after the base URL.
const FIXED: [(Endpoint, &[&str]); 6] = [
    (Endpoint::ChatCompletions, &["chat", "completions"]),
    (Endpoint::Responses, &["responses"]),
    (Endpoint::ResponsesInputTokens, &["responses", "input_tokens"]),
    (Endpoint::ResponsesCompact, &["responses", "compact"]),
    (Endpoint::Messages, &["v1", "messages"]),
    (Endpoint::CountTokens, &["v1", "messages", "count_tokens"]),
];

impl Urls {
    /// `None`: nothing can be appended to this URL. `has_openai_calls`: whether there are OpenAI's calls that are no
    /// conversation.
    pub(crate) fn new(
        base: &Url,
        dialects: &[Dialect],
        has_openai_calls: bool,
        form: UriForm,
    ) -> Option<Self> {
        let of_dialects = FIXED.iter().filter(|(endpoint, _)| dialects.contains(&endpoint.dialect()));
        let of_dialects = of_dialects.map(|(endpoint, path)| (*endpoint, path.to_vec()));
        let calls = OpenAiCall::ALL.into_iter().filter(|_| has_openai_calls);
        let calls = calls.map(|call| (Endpoint::OpenAi(call), call.path_segments()));
        let fixed = of_dialects.chain(calls).map(|(endpoint, path)| {
            let mut url = append(base, &path)?;
            let uri = form.uri(&url)?;
            url.query_pairs_mut().append_pair("beta", "true");
            let beta = (endpoint.dialect() == Dialect::Anthropic).then(|| form.uri(&url)).flatten();
            Some(FixedUrl { endpoint, uri, beta })
        });
        Some(Self { fixed: fixed.collect::<Option<_>>()?, base: base.clone(), form, api_version: None })
    }

    /// The same with the paths of Azure's deployments, if there is a version.
    pub(crate) fn with_deployments(self, api_version: Option<String>) -> Self {
        Self { api_version, ..self }
    }

    /// The host and port.
    pub(crate) fn address(&self) -> Option<(&str, Option<u16>)> {
        Some((self.base.host_str()?, self.base.port_or_known_default()))
    }

    /// The same of Bedrock. Models' names are escaped as AWS' own clients do it.
    pub(crate) fn bedrock(&self, endpoint: Endpoint, model: &str, stream: bool) -> Option<Uri> {
        let segments = bedrock::path_segments(endpoint, model, stream)?;
        let mut path = self.base.path().trim_end_matches('/').to_owned();
        for segment in segments {
            path.push('/');
            path.extend(utf8_percent_encode(segment, &ENCODED));
        }
        let mut url = self.base.clone();
        url.set_path(&path);
        self.form.uri(&url)
    }

    /// The same of Vertex AI; `project`: `None` with an API key that stands for one.
    pub(crate) fn vertex(
        &self,
        endpoint: Endpoint,
        model: &str,
        stream: bool,
        project: Option<&str>,
        location: &str,
    ) -> Option<Uri> {
        let path = vertex::path_segments(endpoint, model, stream, project, location)?;
        let mut url = self.base.clone();
        let last =
            url.path_segments().and_then(|segments| segments.rev().find(|segment| !segment.is_empty()));
        let has_version = last.is_some_and(|last| matches!(last, "v1" | "v1beta1"));
        let version = (!has_version).then_some("v1");
        url.path_segments_mut().ok()?.pop_if_empty().extend(version).extend(&path);
        if stream && endpoint == Endpoint::GenerateContent {
            url.set_query(Some("alt=sse"));
        }
        self.form.uri(&url)
    }

    /// Where an endpoint is for a model; `None`: the provider does not have it. `beta`: with `?beta=true`, where there is that.
    pub(crate) fn endpoint(&self, endpoint: Endpoint, model: &str, stream: bool, beta: bool) -> Option<Uri> {
        let method = match endpoint {
            Endpoint::GenerateContent if stream => "streamGenerateContent",
            Endpoint::GenerateContent => "generateContent",
            Endpoint::GeminiCountTokens => "countTokens",
            _ => {
                let fixed = self.fixed.iter().find(|fixed| fixed.endpoint == endpoint)?;
                if let Some(version) = &self.api_version {
                    return self.deployment(endpoint, model, version);
                }
                let beta_uri = fixed.beta.as_ref().filter(|_| beta);
                return Some(beta_uri.unwrap_or(&fixed.uri).clone());
            }
        };
        let model = model.strip_prefix("models/").unwrap_or(model);
        let mut url = append(&self.base, &["v1beta", "models", &format!("{model}:{method}")])?;
        if stream {
            url.set_query(Some("alt=sse"));
        }
        self.form.uri(&url)
    }

    /// An endpoint of one of Azure's deployments, which is named in the path.
    fn deployment(&self, endpoint: Endpoint, model: &str, version: &str) -> Option<Uri> {
        let path = match endpoint {
            Endpoint::OpenAi(call) => call.path_segments(),
            _ => FIXED.iter().find(|(fixed, _)| *fixed == endpoint)?.1.to_vec(),
        };
        let path: Vec<_> = ["deployments", model].into_iter().chain(path).collect();
        self.versioned(append(&self.base, &path)?, version)
    }

    fn versioned(&self, mut url: Url, version: &str) -> Option<Uri> {
        url.query_pairs_mut().append_pair("api-version", version);
        self.form.uri(&url)
    }

    /// What is at a path after the base URL.
    pub(crate) fn at(&self, path: &str) -> Option<Uri> {
        let url = append(&self.base, &path.split('/').collect::<Vec<_>>())?;
        match &self.api_version {
            Some(version) => self.versioned(url, version),
            None => self.form.uri(&url),
        }
    }

    /// The list of the models, which costs no tokens.
    pub(crate) fn models(&self, kind: ProviderKind) -> Option<Uri> {
        self.at(match kind {
            ProviderKind::OpenAi | ProviderKind::Azure | ProviderKind::Bedrock | ProviderKind::Vertex => {
                "models"
            }
            ProviderKind::Anthropic => "v1/models",
            ProviderKind::GoogleGenAi => "v1beta/models",
        })
    }

    /// A response that OpenAI's responses API has stored, or what belongs to it: `path` begins with its id.
    pub(crate) fn stored_response(&self, path: &[&str], query: Option<&str>) -> Option<Uri> {
        let path: Vec<_> = std::iter::once("responses").chain(path.iter().copied()).collect();
        let mut url = append(&self.base, &path)?;
        url.set_query(query);
        self.form.uri(&url)
    }
}

impl UriForm {
    fn uri(self, url: &Url) -> Option<Uri> {
        let text = match self {
            Self::Path => &url[Position::BeforePath..Position::AfterQuery],
            Self::Absolute => return absolute(url),
        };
        text.parse().ok()
    }
}

/// Without user and password, which go into a header.
fn absolute(url: &Url) -> Option<Uri> {
    let text = [url.scheme(), "://", &url[Position::BeforeHost..Position::AfterQuery]].concat();
    text.parse().ok()
}

/// The base with a path after it. A base that ends with the path's version has it already.
fn append(base: &Url, path: &[&str]) -> Option<Url> {
    let mut url = base.clone();
    let last = base.path_segments().and_then(|segments| segments.rev().find(|segment| !segment.is_empty()));
    let has_version = path.len() > 1 && path[0].starts_with('v') && last == Some(path[0]);
    url.path_segments_mut().ok()?.pop_if_empty().extend(&path[usize::from(has_version)..]);
    Some(url)
}

#[cfg(test)]
mod tests {
    use dialects::{Dialect, Endpoint, OpenAiCall};

    use super::{ProviderKind, UriForm, Urls};

    #[test]
    fn every_endpoint_has_its_place() {
        use Dialect::{Anthropic, Gemini, OpenAiChat, OpenAiResponses};
        let url = |base: &str, dialect, endpoint, stream| {
            let urls = Urls::new(&base.parse().unwrap(), &[dialect], true, UriForm::Absolute).unwrap();
            urls.endpoint(endpoint, "m/1", stream, false).map(|uri| uri.to_string())
        };
        let chat = url("http://a/v1/", OpenAiChat, Endpoint::ChatCompletions, true);
        assert_eq!(chat.as_deref(), Some("http://a/v1/chat/completions"));
        let responses = url("http://a/v1", OpenAiResponses, Endpoint::ResponsesInputTokens, false);
        assert_eq!(responses.as_deref(), Some("http://a/v1/responses/input_tokens"));
        for base in ["http://a", "http://a/v1/"] {
            let messages = url(base, Anthropic, Endpoint::CountTokens, false);
            assert_eq!(messages.as_deref(), Some("http://a/v1/messages/count_tokens"));
        }
        let gemini = url("http://a/", Gemini, Endpoint::GenerateContent, true);
        assert_eq!(gemini.as_deref(), Some("http://a/v1beta/models/m%2F1:streamGenerateContent?alt=sse"));
        assert_eq!(url("http://a/v1", OpenAiChat, Endpoint::Responses, false), None);
        let speech = url("http://a/v1", OpenAiResponses, Endpoint::OpenAi(OpenAiCall::Speech), true);
        assert_eq!(speech.as_deref(), Some("http://a/v1/audio/speech"));
    }

    #[test]
    fn anthropic_has_urls_for_what_is_in_beta() {
        let base = "http://a".parse().unwrap();
        let dialects = [Dialect::Anthropic, Dialect::OpenAiChat];
        let urls = Urls::new(&base, &dialects, false, UriForm::Path).unwrap();
        for (endpoint, expected) in [
            (Endpoint::Messages, "/v1/messages?beta=true"),
            (Endpoint::CountTokens, "/v1/messages/count_tokens?beta=true"),
            (Endpoint::ChatCompletions, "/chat/completions"),
        ] {
            assert_eq!(urls.endpoint(endpoint, "m", false, true).unwrap().to_string(), expected);
        }
    }

    #[test]
    fn a_deployment_of_azure_is_in_the_path() {
        let base = "http://a/openai".parse().unwrap();
        let urls = Urls::new(&base, &[Dialect::OpenAiChat], true, UriForm::Path).unwrap();
        let urls = urls.with_deployments(Some("2024-10-21".to_owned()));
        let uri = urls.endpoint(Endpoint::ChatCompletions, "my gpt", true, false).unwrap();
        assert_eq!(uri.to_string(), "/openai/deployments/my%20gpt/chat/completions?api-version=2024-10-21");
        assert_eq!(urls.endpoint(Endpoint::Responses, "m", false, false), None);
        let uri = urls.endpoint(Endpoint::OpenAi(OpenAiCall::Embeddings), "m", false, false).unwrap();
        assert_eq!(uri.to_string(), "/openai/deployments/m/embeddings?api-version=2024-10-21");
        let models = urls.models(ProviderKind::Azure).unwrap();
        assert_eq!(models.to_string(), "/openai/models?api-version=2024-10-21");
    }

    #[test]
    fn vertex_has_a_version_before_the_place() {
        for (base, expected) in [
            (
                "http://a",
                "http://a/v1/projects/p/locations/l/publishers/google/models/g:streamGenerateContent?alt=sse",
            ),
            (
                "http://a/x/v1beta1/",
                "http://a/x/v1beta1/projects/p/locations/l/publishers/google/models/g:streamGenerateContent?alt=sse",
            ),
        ] {
            let urls =
                Urls::new(&base.parse().unwrap(), &[Dialect::Gemini], false, UriForm::Absolute).unwrap();
            let uri = urls.vertex(Endpoint::GenerateContent, "g", true, Some("p"), "l").unwrap();
            assert_eq!(uri.to_string(), expected);
        }
        let urls =
            Urls::new(&"http://a/v1".parse().unwrap(), &[Dialect::Anthropic], false, UriForm::Path).unwrap();
        let uri = urls.vertex(Endpoint::Messages, "claude-4@2?#%/", true, Some("p"), "l");
        assert_eq!(uri, None);
        let uri = urls.vertex(Endpoint::Messages, "claude-4@2?#%", true, Some("p"), "l").unwrap();
        let expected =
            "/v1/projects/p/locations/l/publishers/anthropic/models/claude-4@2%3F%23%25:streamRawPredict";
        assert_eq!(uri.to_string(), expected);
    }

    #[test]
    fn only_a_proxy_is_given_the_whole_url() {
        for (form, expected) in [
            (UriForm::Path, "/v1/responses/resp_1/cancel?a=b"),
            (UriForm::Absolute, "http://a:1/v1/responses/resp_1/cancel?a=b"),
        ] {
            let base = "http://user:password@a:1/v1".parse().unwrap();
            let urls = Urls::new(&base, &[Dialect::OpenAiResponses], true, form).unwrap();
            let uri = urls.stored_response(&["resp_1", "cancel"], Some("a=b")).unwrap();
            assert_eq!(uri.to_string(), expected);
        }
    }
}
