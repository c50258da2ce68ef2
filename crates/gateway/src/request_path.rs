//! The path of a request as the table of paths has it. Clients put a base URL and a path together, and neither of them
//! knows whether `/v1` and the slash between stand in the other.

use http::{Uri, uri::PathAndQuery};

/// The versions that begin the paths of calls.
const VERSIONS: [&str; 2] = ["v1", "v1beta"];

/// What the paths of calls begin with behind their version. No other path begins so.
const CALLS: [&str; 10] = [
    "chat/completions",
    "responses",
    "messages",
    "models",
    "completions",
    "embeddings",
    "moderations",
    "images",
    "audio",
    "rerank",
];

/// The page's old address redirects to the new one: its files are named relative to that.
const PAGE_WITH_SLASH: &str = "/dashboard/";

/// The URI with the usual path; `None`: it has that already.
pub(crate) fn usual(uri: &Uri) -> Option<Uri> {
    let path = usual_path(uri.path())?;
    let path_and_query = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(path_and_query).ok()?);
    Uri::from_parts(parts).ok()
}

fn usual_path(path: &str) -> Option<String> {
    if is_usual(path) {
        return None;
    }
    let mut segments: Vec<_> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let repeated =
        segments.windows(2).take_while(|pair| pair.iter().all(|segment| VERSIONS.contains(segment)));
    segments.drain(..repeated.count());
    let rest = segments.join("/");
    let version = if begins_call(&rest) { "/v1/" } else { "/" };
    let slash = if path.ends_with('/') && rest == PAGE_WITH_SLASH.trim_matches('/') { "/" } else { "" };
    Some(format!("{version}{rest}{slash}"))
}

/// Most paths are: nothing is allocated for them.
fn is_usual(path: &str) -> bool {
    let Some(rest) = path.strip_prefix('/') else { return true };
    let has_slashes_too_many =
        path.contains("//") || (path.ends_with('/') && path.len() > 1 && path != PAGE_WITH_SLASH);
    let mut segments = rest.split('/');
    let has_two_versions =
        segments.by_ref().take(2).filter(|segment| VERSIONS.contains(segment)).count() == 2;
    !has_slashes_too_many && !has_two_versions && !begins_call(rest)
}

fn begins_call(path: &str) -> bool {
    CALLS
        .iter()
        .any(|call| path.strip_prefix(call).is_some_and(|tail| tail.is_empty() || tail.starts_with('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_the_usual_ones() {
        for (path, expected) in [
            ("//v1//chat/completions/", "/v1/chat/completions"),
            ("/v1/chat/completions/", "/v1/chat/completions"),
            ("/chat/completions", "/v1/chat/completions"),
            ("/chat/completions?a=//b/", "/v1/chat/completions?a=//b/"),
            ("/responses", "/v1/responses"),
            ("/responses/resp_1/cancel", "/v1/responses/resp_1/cancel"),
            ("/messages", "/v1/messages"),
            ("/messages/count_tokens?beta=true", "/v1/messages/count_tokens?beta=true"),
            ("/models", "/v1/models"),
            ("/embeddings", "/v1/embeddings"),
            ("/audio/speech/", "/v1/audio/speech"),
            ("/models/openai/gpt-5", "/v1/models/openai/gpt-5"),
            ("/models/m:generateContent", "/v1/models/m:generateContent"),
            ("/v1/v1/messages", "/v1/messages"),
            ("/v1/v1/v1//messages", "/v1/messages"),
            ("/v1/v1beta/models/m:generateContent", "/v1beta/models/m:generateContent"),
            ("/v1beta/v1/chat/completions", "/v1/chat/completions"),
            ("/livez/", "/livez"),
            ("//health//readiness", "/health/readiness"),
            ("/circuits/openai:a%2F%2Fb/", "/circuits/openai:a%2F%2Fb"),
            ("//", "/"),
            ("//dashboard", "/dashboard"),
            ("/dashboard//", "/dashboard/"),
            ("/dashboard//main.js", "/dashboard/main.js"),
        ] {
            let usual = usual(&path.parse().unwrap());
            assert_eq!(usual.map(|uri| uri.to_string()).as_deref(), Some(expected), "{path}");
        }
    }

    #[test]
    fn usual_paths_stay() {
        for path in [
            "/",
            "*",
            "/?a=//",
            "/v1/chat/completions",
            "/v1/models/m:generateContent",
            "/v1beta/models/models/m:countTokens",
            "/v1/responses/resp_1",
            "/circuits/openai:m/history",
            "/chat",
            "/messagesx",
            "/v1",
            "/dashboard",
            "/dashboard/",
            "/dashboard/main.js",
            "/api/hello",
        ] {
            assert_eq!(usual(&path.parse().unwrap()), None, "{path}");
        }
    }

    #[test]
    fn the_usual_path_of_a_usual_path_is_itself() {
        for path in ["//v1/v1//models//a/", "/v1beta/messages", "/v1/v1beta", "/models/v1/v1"] {
            let usual_path = usual_path(path).unwrap_or_else(|| path.to_owned());
            assert_eq!(super::usual_path(&usual_path), None, "{path}");
        }
    }
}
