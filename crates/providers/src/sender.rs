//! Sends the requests to one provider: the URL, the headers, the body as the provider takes it.

use bytes::Bytes;
use dialects::{Endpoint, OpenAiCall, is_form};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Uri};

use crate::auth::RequestAuth;
use crate::client::{Client, ClientResponse, RequestBody};
use crate::error::{FailureClass, ProviderError, ProviderErrorKind};
use crate::forward::ForwardedHeader;
use crate::google::GoogleSettings;
use crate::headers::{add_invoke_options, each_forwarded, each_translated};
use crate::kind::ProviderKind;
use crate::request::ProviderRequest;
use crate::urls::Urls;
use crate::{bedrock, vertex};

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Sends the requests to one provider.
#[derive(Debug)]
pub(crate) struct Sender {
    pub(crate) kind: ProviderKind,
    pub(crate) is_official: bool,
    pub(crate) client: Client,
    pub(crate) urls: Urls,
    /// Of Vertex AI.
    pub(crate) google: Option<GoogleSettings>,
    /// Callers' headers that it gets besides the usual ones.
    pub(crate) forward: Vec<ForwardedHeader>,
}

impl Sender {
    /// Sends the request of a call and waits for the head of the response.
    pub(crate) async fn send(
        &self,
        call: &ProviderRequest<'_>,
        auth: &RequestAuth<'_>,
    ) -> Result<ClientResponse, ProviderError> {
        let uri = match self.kind {
            ProviderKind::Bedrock => self.urls.bedrock(call.endpoint, call.model, call.stream),
            ProviderKind::Vertex => self.vertex_uri(call.endpoint, call.model, call.stream, auth),
            _ => self.urls.endpoint(call.endpoint, call.model, call.stream, call.beta),
        };
        let Some(uri) = uri else { return Err(unsupported_endpoint()) };
        if matches!(self.kind, ProviderKind::Bedrock | ProviderKind::Vertex) {
            return Box::pin(self.send_adapted(call, &uri, auth)).await;
        }
        let body = RequestBody::new(call.body, call.tail);
        let response = self.client.send(
            &Method::POST,
            &uri,
            |head| {
                self.each_header(call, |name, value| head.add(name.as_str(), value.as_bytes()));
                if let RequestAuth::Header(name, value) = auth {
                    head.add(name.as_str(), value.as_bytes());
                }
            },
            body,
        );
        Ok(response.await?)
    }

    /// The same of what the provider takes in another form, or signed.
    async fn send_adapted(
        &self,
        call: &ProviderRequest<'_>,
        uri: &Uri,
        auth: &RequestAuth<'_>,
    ) -> Result<ClientResponse, ProviderError> {
        let mut headers = HeaderMap::new();
        self.each_header(call, |name, value| {
            headers.append(name, value.clone());
        });
        let adapted = if self.kind == ProviderKind::Bedrock {
            bedrock::adapt_headers(call.endpoint, &mut headers);
            if call.endpoint == Endpoint::Messages {
                add_invoke_options(call.headers, &mut headers);
            }
            bedrock_body(call)
        } else {
            vertex::adapt_headers(&mut headers);
            vertex::adapt_body(call.endpoint, call.body, vertex::bare_name(call.model), call.headers)
        };
        let body = adapted.as_ref().unwrap_or(call.body);
        self.send_to(auth, &Method::POST, uri, headers, (body, call.tail)).await
    }

    /// Sends any request, with these headers and those that all of its requests have.
    pub(crate) async fn send_to(
        &self,
        auth: &RequestAuth<'_>,
        method: &Method,
        uri: &Uri,
        mut headers: HeaderMap,
        (body, tail): (&Bytes, Option<&[Bytes; 2]>),
    ) -> Result<ClientResponse, ProviderError> {
        headers.entry(CONTENT_TYPE).or_insert(JSON);
        if let Some((name, value)) = self.kind.required_header() {
            headers.entry(name).or_insert(value);
        }
        // Only Bedrock's requests are signed, and none of those has a tail.
        auth.add(&mut headers, method.as_str(), uri.path(), self.client.host(), auth.hash(body).as_ref());
        let body = RequestBody::new(body, tail);
        Ok(self.client.send(method, uri, |head| head.extend(&headers), body).await?)
    }

    /// The headers of a caller of the same API format that this provider gets.
    pub(crate) fn forwarded(&self, caller_headers: &HeaderMap) -> HeaderMap {
        let mut headers = HeaderMap::new();
        each_forwarded(self.kind, self.is_official, &self.forward, caller_headers, |name, value| {
            headers.append(name, value.clone());
        });
        headers
    }

    /// Where Vertex AI has an endpoint for a model.
    pub(crate) fn vertex_uri(
        &self,
        endpoint: Endpoint,
        model: &str,
        stream: bool,
        auth: &RequestAuth<'_>,
    ) -> Option<Uri> {
        let settings = self.google.as_ref()?;
        let project = settings.project.as_deref().or_else(|| auth.project());
        self.urls.vertex(endpoint, model, stream, project, &settings.location)
    }

    /// Gives each header of a call's request to `add`, but for those of the connection and of the account.
    fn each_header(&self, call: &ProviderRequest<'_>, mut add: impl FnMut(&HeaderName, &HeaderValue)) {
        let required = self.kind.required_header();
        let mut is_there = false;
        let mut add_of_caller = |name: &HeaderName, value: &HeaderValue| {
            is_there |= required.as_ref().is_some_and(|(required, _)| required == name);
            add(name, value);
        };
        if call.translation.is_some() {
            each_translated(&self.forward, call.headers, &mut add_of_caller);
        } else {
            each_forwarded(self.kind, self.is_official, &self.forward, call.headers, &mut add_of_caller);
        }
        if let Some((name, value)) = required.filter(|_| !is_there) {
            add(&name, &value);
        }
        // A form's names its boundary.
        let form = || {
            let value = call.headers.get(CONTENT_TYPE)?;
            value.to_str().is_ok_and(is_form).then_some(value)
        };
        let takes_form = call.endpoint.openai_call().is_some_and(OpenAiCall::takes_form);
        add(&CONTENT_TYPE, takes_form.then(form).flatten().unwrap_or(&JSON));
    }
}

pub(crate) const fn unsupported_endpoint() -> ProviderError {
    let mut error = ProviderError::provider_failure(ProviderErrorKind::UnsupportedEndpoint);
    error.class = FailureClass::InvalidRequest;
    error
}

/// The body as Bedrock takes it; `None`: as it is.
fn bedrock_body(call: &ProviderRequest<'_>) -> Option<Bytes> {
    match call.endpoint {
        Endpoint::Messages => Some(bedrock::invoke_body(call.body, call.headers, false)),
        Endpoint::CountTokens => {
            Some(bedrock::count_body(&bedrock::invoke_body(call.body, call.headers, true)))
        }
        _ => None,
    }
}
