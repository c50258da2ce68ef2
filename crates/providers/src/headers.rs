//! Which headers are forwarded, in both directions.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::forward::ForwardedHeader;
use crate::header_table::HeaderPattern::{Name, Prefix};
use crate::header_table::HeaderTable;
use crate::kind::ProviderKind;

/// Who gets a caller's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Recipient {
    /// Providers with this API.
    Kind(ProviderKind),
    /// OpenAI itself: compatible servers are other companies.
    OpenAiItself,
    /// All providers.
    All,
}

/// The caller's headers that a provider of the same API format gets. This is a list of allowed headers: the caller's key, its
/// cookies and the addresses of its proxies are not for the provider. Neither are `openai-organization` and `openai-project`: they
/// belong to an account, and the account here is the gateway's.
///
/// Nor is `idempotency-key`: two callers that choose the same one would get each other's answer from the account that they
/// share here, and a call that goes to another model is another request.
///
/// Those by which programs name themselves and their sessions go to the maker that they are meant for, as without a gateway.
///
/// Sources: what Claude Code 2.1.332, Codex 0.171.0, opencode 1.18.33 and Google's SDKs sent to a recording server in November
/// 2026; OpenAI's Codex is open source (`codex-rs/core/src/client.rs`), as is opencode (`packages/opencode/src/session/llm.ts`),
/// which sends its session to every provider for the sake of their prompt caches.
const FORWARDED_REQUEST_HEADERS: HeaderTable<Recipient> = HeaderTable::new(&[
    (Name("accept"), Recipient::All),
    (Name("anthropic-beta"), Recipient::All),
    (Name("anthropic-version"), Recipient::All),
    (Name("openai-beta"), Recipient::All),
    (Name("traceparent"), Recipient::All),
    (Name("tracestate"), Recipient::All),
    (Name("user-agent"), Recipient::All),
    (Name("x-client-request-id"), Recipient::All),
    // By which the official SDKs identify themselves.
    (Prefix("x-stainless-"), Recipient::All),
    (Name("x-app"), Recipient::Kind(ProviderKind::Anthropic)),
    (Prefix("x-claude-code-"), Recipient::Kind(ProviderKind::Anthropic)),
    (Name("x-goog-api-client"), Recipient::Kind(ProviderKind::GoogleGenAi)),
    (Name("x-goog-api-client"), Recipient::Kind(ProviderKind::Vertex)),
    // Whether provisioned throughput is used, or a priority is paid for.
    (Prefix("x-vertex-ai-"), Recipient::Kind(ProviderKind::Vertex)),
    (Name("originator"), Recipient::OpenAiItself),
    (Name("session-id"), Recipient::OpenAiItself),
    (Name("session_id"), Recipient::OpenAiItself),
    (Name("conversation_id"), Recipient::OpenAiItself),
    (Name("thread-id"), Recipient::OpenAiItself),
    (Prefix("x-codex-"), Recipient::OpenAiItself),
    (Name("x-openai-subagent"), Recipient::OpenAiItself),
    (Name("x-session-affinity"), Recipient::All),
    (Name("x-session-id"), Recipient::All),
]);

impl Recipient {
    fn includes(self, kind: ProviderKind, is_official: bool) -> bool {
        match self {
            Self::Kind(its) => its == kind,
            Self::OpenAiItself => kind == ProviderKind::OpenAi && is_official,
            Self::All => true,
        }
    }
}

/// The provider's headers that the caller gets: what the body is, when to come again, what identifies the request or
/// counts against a limit, and what makers say of their own requests. This is a list of allowed headers. Any other is about the
/// provider's host or its connection, or tells a browser what it may do at the gateway's address, or pretends to be the gateway's
/// own.
const FORWARDED_RESPONSE_HEADERS: HeaderTable<()> = HeaderTable::new(&[
    (Name("cf-ray"), ()),
    (Name("content-disposition"), ()),
    (Name("content-encoding"), ()),
    (Name("content-language"), ()),
    (Name("content-type"), ()),
    (Name("request-id"), ()),
    (Name("retry-after"), ()),
    (Name("retry-after-ms"), ()),
    (Name("warning"), ()),
    (Name("x-request-id"), ()),
    (Name("x-served-model"), ()),
    (Name("x-should-retry"), ()),
    (Prefix("anthropic-"), ()),
    (Prefix("apim-"), ()),
    (Prefix("azureml-"), ()),
    (Prefix("deepseek-"), ()),
    (Prefix("fireworks-"), ()),
    (Prefix("groq-"), ()),
    (Prefix("mistral-"), ()),
    (Prefix("openai-"), ()),
    (Prefix("ratelimit-"), ()),
    (Prefix("x-amzn-"), ()),
    (Prefix("x-groq-"), ()),
    (Prefix("x-ms-"), ()),
    (Prefix("x-openrouter-"), ()),
    (Prefix("x-ratelimit-"), ()),
]);

/// The provider's own id of the request, which its support asks for: `x-request-id` is the gateway's.
pub const UPSTREAM_REQUEST_ID: HeaderName = HeaderName::from_static("x-upstream-request-id");

/// What providers call it.
const REQUEST_IDS: [HeaderName; 3] = [
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("request-id"),
    HeaderName::from_static("x-amzn-requestid"),
];

/// The provider's own id of the request, under a name that nobody else uses.
fn keep_request_id(provider_headers: &HeaderMap) -> Option<HeaderValue> {
    // Few headers are left, and to look for a name costs more than to compare it.
    if !provider_headers.keys().any(|name| REQUEST_IDS.contains(name)) {
        return None;
    }
    REQUEST_IDS.iter().find_map(|name| provider_headers.get(name)).cloned()
}

/// Gives each of the caller's headers to `add` that a provider of the same API format gets: the usual ones, and those that its
/// configuration names.
pub(crate) fn each_forwarded<'h>(
    kind: ProviderKind,
    is_official: bool,
    named: &[ForwardedHeader],
    caller_headers: &'h HeaderMap,
    mut add: impl FnMut(&'h HeaderName, &'h HeaderValue),
) {
    for (name, value) in caller_headers {
        let text = name.as_str();
        if FORWARDED_REQUEST_HEADERS.of(text).any(|recipient| recipient.includes(kind, is_official))
            || named.iter().any(|header| header.is(name))
        {
            add(name, value);
        }
    }
}

/// Of these, the ones that a provider of another API format gets: the others mean something in the caller's format only.
const FORWARDED_TRANSLATED: [&str; 4] = ["traceparent", "tracestate", "user-agent", "x-client-request-id"];

/// The same for a provider of another API format.
pub(crate) fn each_translated<'h>(
    named: &[ForwardedHeader],
    caller_headers: &'h HeaderMap,
    mut add: impl FnMut(&'h HeaderName, &'h HeaderValue),
) {
    for name in caller_headers.keys() {
        if FORWARDED_TRANSLATED.contains(&name.as_str()) {
            caller_headers.get(name).into_iter().for_each(|value| add(name, value));
        } else if named.iter().any(|header| header.is(name)) {
            caller_headers.get_all(name).iter().for_each(|value| add(name, value));
        }
    }
}

/// What the names of headers begin with by which InvokeModel has options: a guardrail, a service tier.
const INVOKE_PREFIX: &str = "x-amzn-bedrock-";

/// Adds the caller's options for InvokeModel.
pub(crate) fn add_invoke_options(caller_headers: &HeaderMap, headers: &mut HeaderMap) {
    for (name, value) in caller_headers {
        if name.as_str().starts_with(INVOKE_PREFIX) {
            headers.append(name, value.clone());
        }
    }
}

/// The headers of a response that was translated: the provider's others describe its own format.
pub(crate) fn translated_response_headers(provider_headers: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for name in ["retry-after", "retry-after-ms"] {
        if let Some(value) = provider_headers.get(name) {
            headers.insert(HeaderName::from_static(name), value.clone());
        }
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.extend(keep_request_id(provider_headers).map(|id| (UPSTREAM_REQUEST_ID, id)));
    headers
}

/// The provider's headers that the caller gets. `content-encoding` is one of them: bodies are not decoded.
pub(crate) fn forwarded_response_headers(mut headers: HeaderMap) -> HeaderMap {
    let is_other = |name: &&HeaderName| !is_forwarded_response_header(name.as_str());
    let others: Vec<_> = headers.keys().filter(is_other).cloned().collect();
    for name in others {
        headers.remove(name);
    }
    with_upstream_request_id(headers)
}

/// The same of a success, of which the client has kept nothing else.
pub(crate) fn with_upstream_request_id(mut headers: HeaderMap) -> HeaderMap {
    if let Some(id) = keep_request_id(&headers) {
        headers.insert(UPSTREAM_REQUEST_ID, id);
    }
    headers
}

/// Whether the caller gets the provider's header of this name, in lower case.
pub(crate) fn is_forwarded_response_header(name: &str) -> bool {
    FORWARDED_RESPONSE_HEADERS.has(name)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::{
        UPSTREAM_REQUEST_ID, each_forwarded, each_translated, forwarded_response_headers,
        translated_response_headers,
    };
    use crate::kind::ProviderKind;

    fn forwarded_request_headers(kind: ProviderKind, is_official: bool, headers: &HeaderMap) -> HeaderMap {
        let mut forwarded = HeaderMap::new();
        each_forwarded(kind, is_official, &[], headers, |name, value| {
            forwarded.append(name, value.clone());
        });
        forwarded
    }

    fn translated_request_headers(headers: &HeaderMap) -> HeaderMap {
        let mut forwarded = HeaderMap::new();
        each_translated(&[], headers, |name, value| {
            forwarded.append(name, value.clone());
        });
        forwarded
    }

    fn map(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        let header = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        headers.iter().map(header).collect()
    }

    #[test]
    fn a_provider_gets_only_allowed_headers() {
        let forwarded = [
            ("anthropic-version", "2023-06-01"),
            ("anthropic-beta", "a,b"),
            ("traceparent", "00-1-2-01"),
            ("x-stainless-lang", "python"),
            ("user-agent", "OpenAI/Python"),
        ];
        let stripped = [
            ("authorization", "Bearer callers"),
            ("x-api-key", "callers"),
            ("x-goog-api-key", "callers"),
            ("cookie", "a=b"),
            ("host", "gateway"),
            ("content-length", "7"),
            ("connection", "close"),
            ("accept-encoding", "gzip"),
            ("x-forwarded-for", "10.0.0.1"),
            ("openai-organization", "callers"),
            ("x-switchboard-fallback", "off"),
            ("idempotency-key", "the-same-for-two-callers"),
        ];
        assert_eq!(
            forwarded_request_headers(
                ProviderKind::OpenAi,
                true,
                &map(&[&forwarded[..], &stripped[..]].concat())
            ),
            map(&forwarded)
        );
    }

    #[test]
    fn programs_headers_go_to_the_maker_that_they_are_meant_for() {
        use ProviderKind::{Anthropic, GoogleGenAi, OpenAi};
        let providers = [(OpenAi, true), (OpenAi, false), (Anthropic, true), (GoogleGenAi, true)];
        for (name, expected) in [
            ("x-app", [false, false, true, false]),
            ("x-claude-code-session-id", [false, false, true, false]),
            ("x-claude-code-agent-id", [false, false, true, false]),
            ("x-goog-api-client", [false, false, false, true]),
            ("originator", [true, false, false, false]),
            ("session-id", [true, false, false, false]),
            ("conversation_id", [true, false, false, false]),
            ("thread-id", [true, false, false, false]),
            ("x-codex-turn-metadata", [true, false, false, false]),
            ("x-session-affinity", [true; 4]),
            ("x-session-id", [true; 4]),
            ("x-application", [false; 4]),
            ("anthropic-dangerous-direct-browser-access", [false; 4]),
        ] {
            let found = providers.map(|(kind, is_official)| {
                !forwarded_request_headers(kind, is_official, &map(&[(name, "v")])).is_empty()
            });
            assert_eq!(found, expected, "{name}");
            assert!(translated_request_headers(&map(&[(name, "v")])).is_empty(), "{name}");
        }
    }

    #[test]
    fn the_caller_gets_only_allowed_headers() {
        let forwarded = [
            ("request-id", "req_1"),
            ("x-ratelimit-remaining-requests", "3"),
            ("content-encoding", "gzip"),
            ("content-type", "application/json"),
            ("openai-processing-ms", "7"),
            ("anthropic-organization-id", "o"),
            ("retry-after", "2"),
            ("warning", "one"),
            ("warning", "two"),
        ];
        let stripped = [
            ("x-upstream-request-id", "of another gateway"),
            ("connection", "keep-alive, X-Hop"),
            ("x-hop", "1"),
            ("transfer-encoding", "chunked"),
            ("content-length", "7"),
            ("set-cookie", "__cf_bm=1"),
            ("alt-svc", "h3=\":443\""),
            ("x-switchboard-model", "openai:another"),
            ("access-control-allow-origin", "*"),
            ("strict-transport-security", "max-age=1"),
            ("content-security-policy", "default-src *"),
            ("clear-site-data", "*"),
            ("refresh", "0; url=http://elsewhere"),
            ("location", "http://elsewhere"),
            ("link", "<http://elsewhere>; rel=preload"),
            ("server-timing", "a"),
            ("report-to", "{}"),
            ("www-authenticate", "Basic"),
        ];
        assert_eq!(
            forwarded_response_headers(map(&[&forwarded[..], &stripped[..]].concat())),
            map(&[&forwarded[..], &[("x-upstream-request-id", "req_1")]].concat())
        );
    }

    #[test]
    fn the_providers_id_of_the_request_is_kept() {
        for (theirs, expected) in [
            (&[("x-request-id", "a")][..], Some("a")),
            (&[("request-id", "b")], Some("b")),
            (&[("request-id", "b"), ("x-request-id", "a")], Some("a")),
            (&[("x-amzn-requestid", "d")], Some("d")),
            (&[("cf-ray", "c")], None),
        ] {
            let plain = forwarded_response_headers(map(theirs));
            let translated = translated_response_headers(&map(theirs));
            for headers in [plain, translated] {
                assert_eq!(
                    headers.get(UPSTREAM_REQUEST_ID).map(HeaderValue::as_bytes),
                    expected.map(str::as_bytes)
                );
            }
        }
    }

    #[test]
    fn the_headers_that_the_configuration_names_are_added_once() {
        let named = ["x-title", "user-agent", "x-absent"].map(|name| name.parse().unwrap());
        let caller = map(&[("x-title", "one"), ("x-title", "two"), ("user-agent", "u"), ("x-other", "o")]);
        let expected = map(&[("x-title", "one"), ("x-title", "two"), ("user-agent", "u")]);
        let (mut same, mut other) = (HeaderMap::new(), HeaderMap::new());
        each_forwarded(ProviderKind::OpenAi, true, &named, &caller, |name, value| {
            same.append(name, value.clone());
        });
        each_translated(&named, &caller, |name, value| {
            other.append(name, value.clone());
        });
        assert_eq!((&same, &other), (&expected, &expected));
    }
}
