//! Which conversation a call belongs to, as a number for [`balance`](crate::balance).

use http::HeaderName;

use crate::Call;

/// The headers by which programs name their session. Sources: `crates/providers/src/headers.rs`.
const SESSION_HEADERS: [HeaderName; 5] = [
    HeaderName::from_static("x-session-affinity"),
    HeaderName::from_static("x-session-id"),
    HeaderName::from_static("session-id"),
    HeaderName::from_static("session_id"),
    HeaderName::from_static("x-claude-code-session-id"),
];

/// The most that is read of a system prompt or a message, and the most of these: enough to tell conversations apart, however
/// long they are.
const MAX_BYTES: usize = 16 * 1024;
const MAX_PARTS: usize = 8;

/// A number that all calls of one conversation have in common, on every instance (C7): of its `prompt_cache_key`, its session
/// header, its user, or the beginning of its prompt, whichever is there first. `None`: the call has none of these.
pub(crate) fn conversation_hash(call: &Call) -> Option<u64> {
    let body = call.request.conversation();
    if let Some(key) = body.cache_key {
        return Some(hash([key.as_bytes()]));
    }
    let header = SESSION_HEADERS.iter().find_map(|name| call.headers.get(name));
    if let Some(session) = header.filter(|session| !session.is_empty()) {
        return Some(hash([session.as_bytes()]));
    }
    if let Some(user) = body.user {
        return Some(hash([user.as_bytes()]));
    }
    let parts =
        body.beginning.iter().take(MAX_PARTS).map(|part| &part.as_bytes()[..part.len().min(MAX_BYTES)]);
    (!body.beginning.is_empty()).then(|| hash(parts))
}

/// FNV-1a with 64 bits (draft-eastlake-fnv): the same on every machine and in every version, which the standard library's
/// hashers do not promise.
pub(crate) fn hash<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for part in parts {
        for byte in part.iter().chain(&[0]) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use dialects::{Endpoint, Request};
    use http::{HeaderMap, HeaderValue};

    use super::*;

    fn call(body: &'static str, header: Option<(&'static str, &'static str)>) -> Call {
        let headers =
            header.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        Call {
            id: "".into(),
            caller: None,
            allowed_models: None,
            request: Request::parse(Endpoint::ChatCompletions, Bytes::from_static(body.as_bytes())).unwrap(),
            headers: HeaderMap::from_iter(headers),
            beta: false,
            fallback: true,
            client_timeout: None,
            injected_fault: None,
        }
    }

    #[test]
    fn the_clearest_sign_counts() {
        const WITH_USER: &str = r#"{"model":"m","user":"u","messages":[{"role":"user","content":"a"}]}"#;
        const KEYED: &str = r#"{"model":"m","prompt_cache_key":"k","user":"u","messages":[]}"#;
        const PLAIN: &str = r#"{"model":"m","messages":[{"role":"user","content":"a"}]}"#;
        let session = Some(("x-session-id", "s"));
        let table = [
            (KEYED, session, Some(hash([&br#""k""#[..]]))),
            (WITH_USER, session, Some(hash([&b"s"[..]]))),
            (WITH_USER, Some(("session_id", "s")), Some(hash([&b"s"[..]]))),
            (WITH_USER, Some(("x-session-id", "")), Some(hash([&br#""u""#[..]]))),
            (WITH_USER, None, Some(hash([&br#""u""#[..]]))),
            (PLAIN, None, Some(hash([&br#"{"role":"user","content":"a"}"#[..]]))),
            (r#"{"model":"m"}"#, None, None),
        ];
        for (body, header, expected) in table {
            assert_eq!(conversation_hash(&call(body, header)), expected, "{body} {header:?}");
        }
    }
}
