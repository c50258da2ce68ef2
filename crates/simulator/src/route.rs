//! What a request asks for, by its method and its path.

use std::borrow::Cow;

use http::{HeaderMap, Method, Uri};

use crate::dialect::Dialect;
use crate::openai_call::OpenAiCall;
use crate::response::Form;

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Route<'a> {
    Call(CallRoute<'a>),
    ListModels(Dialect),
    GetResponse(&'a str),
    DeleteResponse(&'a str),
    Unknown(Dialect),
}

/// A call of a model.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CallRoute<'a> {
    pub(crate) dialect: Dialect,
    /// What is called, if it is no conversation.
    pub(crate) openai_call: Option<OpenAiCall>,
    /// The form of the response, unless the request's body tells whether it is a stream.
    pub(crate) form: Option<Form>,
    /// The model, unless the request's body names it.
    pub(crate) model: Option<Cow<'a, str>>,
    /// Whether it is Vertex AI that is asked.
    pub(crate) is_vertex: bool,
}

impl<'a> CallRoute<'a> {
    const fn new(dialect: Dialect, form: Option<Form>, model: Option<Cow<'a, str>>) -> Self {
        Self { dialect, openai_call: None, form, model, is_vertex: false }
    }
}

/// Finds out what a request asks for.
pub(crate) fn find<'a>(method: &Method, uri: &'a Uri, headers: &HeaderMap) -> Route<'a> {
    let path = uri.path();
    let call = |dialect, form| Route::Call(CallRoute::new(dialect, form, None));
    let counted = Some(Form::TokenCount);
    match (method.as_str(), path) {
        ("POST", "/v1/chat/completions" | "/openai/v1/chat/completions") => call(Dialect::Chat, None),
        ("POST", "/v1/messages") => call(Dialect::Anthropic, None),
        ("POST", "/v1/messages/count_tokens") => call(Dialect::Anthropic, counted),
        ("POST", "/v1/responses" | "/openai/v1/responses") => call(Dialect::Responses, None),
        ("POST", "/v1/responses/input_tokens") => call(Dialect::Responses, counted),
        ("GET", "/v1/models" | "/v1beta/models" | "/openai/v1/models" | "/openai/models") => {
            Route::ListModels(Dialect::of_other_request(path, headers))
        }
        ("POST", path) => openai_call(path)
            .or_else(|| bedrock_call(path))
            .or_else(|| azure_call(path, uri.query().unwrap_or_default()))
            .or_else(|| vertex_call(path, uri.query().unwrap_or_default()))
            .or_else(|| gemini_call(path, uri.query().unwrap_or_default()))
            .map_or(Route::Unknown(Dialect::of_other_request(path, headers)), Route::Call),
        (method, path) => match (method, path.strip_prefix("/v1/responses/")) {
            ("GET", Some(id)) => Route::GetResponse(id),
            ("DELETE", Some(id)) => Route::DeleteResponse(id),
            _ => Route::Unknown(Dialect::of_other_request(path, headers)),
        },
    }
}

fn openai_call(path: &str) -> Option<CallRoute<'_>> {
    let openai_call = OpenAiCall::at(path)?;
    Some(CallRoute { openai_call: Some(openai_call), ..CallRoute::new(Dialect::Chat, None, None) })
}

/// `/model/MODEL/OPERATION`.
fn bedrock_call(path: &str) -> Option<CallRoute<'_>> {
    let (model, operation) = path.strip_prefix("/model/")?.rsplit_once('/')?;
    let (dialect, form) = match operation {
        "converse" => (Dialect::Converse, Form::Complete),
        "converse-stream" => (Dialect::Converse, Form::EventStream),
        "invoke" => (Dialect::Invoke, Form::Complete),
        "invoke-with-response-stream" => (Dialect::Invoke, Form::EventStream),
        "count-tokens" => (Dialect::Converse, Form::TokenCount),
        _ => return None,
    };
    Some(CallRoute::new(dialect, Some(form), Some(percent_decode(model))))
}

/// `/openai/deployments/DEPLOYMENT/chat/completions` of Azure, which requires a version.
fn azure_call<'a>(path: &'a str, query: &str) -> Option<CallRoute<'a>> {
    query_value(query, "api-version")?;
    let model = path.strip_prefix("/openai/deployments/")?.strip_suffix("/chat/completions")?;
    Some(CallRoute::new(Dialect::Chat, None, Some(percent_decode(model))))
}

/// `/v1beta/models/MODEL:METHOD`, or the same of version 1; a model's name may have a colon, too.
fn gemini_call<'a>(path: &'a str, query: &str) -> Option<CallRoute<'a>> {
    let (model, method) = ["/v1beta/models/", "/v1/models/"]
        .iter()
        .find_map(|base| path.strip_prefix(base))?
        .rsplit_once(':')?;
    let form = gemini_form(method, query)?;
    Some(CallRoute::new(Dialect::Gemini, Some(form), Some(percent_decode(model))))
}

fn gemini_form(method: &str, query: &str) -> Option<Form> {
    Some(match method {
        "generateContent" => Form::Complete,
        "countTokens" => Form::TokenCount,
        "streamGenerateContent" if query_value(query, "alt").as_deref() == Some("sse") => Form::EventStream,
        "streamGenerateContent" => Form::JsonArray,
        _ => return None,
    })
}

/// `/v1/projects/P/locations/L/publishers/PUBLISHER/models/MODEL:METHOD`, without the place for an API key, or OpenAI's path
/// behind the place.
fn vertex_call<'a>(path: &'a str, query: &str) -> Option<CallRoute<'a>> {
    let path = ["/v1/", "/v1beta1/"].iter().find_map(|version| path.strip_prefix(version))?;
    let (publisher, form, model) = match path.rsplit_once("publishers/") {
        Some((_, name)) => {
            let (publisher, name) = name.split_once("/models/")?;
            let (model, method) = name.rsplit_once(':')?;
            let form = match (publisher, method) {
                ("google", method) => gemini_form(method, query)?,
                ("anthropic", "rawPredict") if model == "count-tokens" => Form::TokenCount,
                ("anthropic", "rawPredict") => Form::Complete,
                ("anthropic", "streamRawPredict") => Form::EventStream,
                _ => return None,
            };
            (publisher, Some(form), (model != "count-tokens").then(|| percent_decode(model)))
        }
        None if path.ends_with("/endpoints/openapi/chat/completions") => ("", None, None),
        None => return None,
    };
    let dialect = match publisher {
        "google" => Dialect::Gemini,
        "anthropic" => Dialect::Anthropic,
        _ => Dialect::Chat,
    };
    Some(CallRoute { is_vertex: true, ..CallRoute::new(dialect, form, model) })
}

/// The value of a query's parameter.
pub(crate) fn query_value<'a>(query: &'a str, name: &str) -> Option<Cow<'a, str>> {
    let mut parameters = query.split('&').filter_map(|parameter| parameter.split_once('='));
    parameters.find(|(key, _)| *key == name).map(|(_, value)| percent_decode(value))
}

fn percent_decode(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return text.into();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, others)) = rest.split_first() {
        match others.get(..2).filter(|_| *first == b'%').and_then(hex_byte) {
            Some(byte) => {
                bytes.push(byte);
                rest = &others[2..];
            }
            None => {
                bytes.push(*first);
                rest = others;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned().into()
}

fn hex_byte(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find_post(uri: &'static str) -> Option<(Dialect, Option<Form>, Option<String>)> {
        match find(&Method::POST, &Uri::from_static(uri), &HeaderMap::new()) {
            Route::Call(call) => Some((call.dialect, call.form, call.model.map(Cow::into_owned))),
            _ => None,
        }
    }

    #[test]
    fn geminis_paths_name_the_model_and_the_form() {
        let call = |form, model: &str| Some((Dialect::Gemini, Some(form), Some(model.to_owned())));
        let base = "/v1beta/models/a:generateContent";
        assert_eq!(find_post(base), call(Form::Complete, "a"));
        assert_eq!(find_post("/v1beta/models/a:b:countTokens"), call(Form::TokenCount, "a:b"));
        let stream = "/v1beta/models/a%20%22b:streamGenerateContent";
        assert_eq!(find_post(stream), call(Form::JsonArray, "a \"b"));
        let sse = "/v1beta/models/100%25:streamGenerateContent?key=1&alt=sse";
        assert_eq!(find_post(sse), call(Form::EventStream, "100%"));
        assert_eq!(find_post("/v1beta/models/a:embedContent"), None);
        assert_eq!(find_post("/v1/models/a:generateContent"), call(Form::Complete, "a"));
        assert_eq!(find_post("/v2/models/a:generateContent"), None);
    }

    #[test]
    fn bedrocks_paths_name_the_model_and_the_operation() {
        let call = |dialect, form, model: &str| Some((dialect, Some(form), Some(model.to_owned())));
        let nova = "amazon.nova-lite-v1:0";
        assert_eq!(
            find_post("/model/amazon.nova-lite-v1%3A0/converse"),
            call(Dialect::Converse, Form::Complete, nova)
        );
        let stream = "/model/arn%3Aaws%3Abedrock%2Fx/invoke-with-response-stream";
        assert_eq!(find_post(stream), call(Dialect::Invoke, Form::EventStream, "arn:aws:bedrock/x"));
        assert_eq!(find_post("/model/a/count-tokens"), call(Dialect::Converse, Form::TokenCount, "a"));
        assert_eq!(find_post("/model/a/delete"), None);
    }

    #[test]
    fn azures_paths_name_the_deployment_and_need_a_version() {
        let path = "/openai/deployments/my%20gpt/chat/completions?api-version=2024-10-21";
        assert_eq!(find_post(path), Some((Dialect::Chat, None, Some("my gpt".to_owned()))));
        assert_eq!(find_post("/openai/deployments/m/chat/completions"), None);
        assert_eq!(find_post("/openai/v1/responses"), Some((Dialect::Responses, None, None)));
    }

    #[test]
    fn vertexs_paths_name_the_publisher() {
        let place = "/v1/projects/p/locations/l";
        let found = |path: &str| {
            let uri = format!("{place}/{path}").parse::<Uri>().unwrap();
            match find(&Method::POST, &uri, &HeaderMap::new()) {
                Route::Call(call) => {
                    assert!(call.is_vertex);
                    Some((call.dialect, call.form, call.model.map(Cow::into_owned)))
                }
                _ => None,
            }
        };
        let call = |dialect, form, model: &str| Some((dialect, form, Some(model.to_owned())));
        let gemini = "publishers/google/models/g:streamGenerateContent?alt=sse";
        assert_eq!(found(gemini), call(Dialect::Gemini, Some(Form::EventStream), "g"));
        let claude = "publishers/anthropic/models/c@1:streamRawPredict";
        assert_eq!(found(claude), call(Dialect::Anthropic, Some(Form::EventStream), "c@1"));
        let count = "publishers/anthropic/models/count-tokens:rawPredict";
        assert_eq!(found(count), Some((Dialect::Anthropic, Some(Form::TokenCount), None)));
        assert_eq!(found("endpoints/openapi/chat/completions"), Some((Dialect::Chat, None, None)));
        assert_eq!(found("publishers/google/models/g:rawPredict"), None);
    }

    #[test]
    fn stored_responses_are_got_and_deleted() {
        let uri = Uri::from_static("/v1/responses/resp_1");
        let headers = HeaderMap::new();
        assert_eq!(find(&Method::GET, &uri, &headers), Route::GetResponse("resp_1"));
        assert_eq!(find(&Method::DELETE, &uri, &headers), Route::DeleteResponse("resp_1"));
        assert_eq!(find(&Method::PUT, &uri, &headers), Route::Unknown(Dialect::Chat));
    }
}
