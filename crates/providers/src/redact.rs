//! Some providers quote the key that they reject. The caller gets their words, but not the gateway's key (C5).

use bytes::Bytes;
use http::HeaderValue;
use memchr::memmem;

/// A shorter one is no secret, and may be a part of any word.
const MIN_KEY_BYTES: usize = 8;

/// A body without the key, which is given as its header's value.
pub(crate) fn without_key(body: Bytes, key: Option<&HeaderValue>) -> Bytes {
    let key = key.and_then(|value| value.to_str().ok());
    let key = key.map(|key| key.strip_prefix("Bearer ").unwrap_or(key));
    match key.filter(|key| key.len() >= MIN_KEY_BYTES) {
        Some(key) => without_text(without_text(body, key), &key.replace('/', "\\/")),
        None => body,
    }
}

/// Some servers write a slash in JSON as `\/`.
fn without_text(body: Bytes, text: &str) -> Bytes {
    if memmem::find(&body, text.as_bytes()).is_none() {
        return body;
    }
    String::from_utf8_lossy(&body).replace(text, "***").into()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderValue;

    use super::without_key;

    #[test]
    fn a_quoted_key_is_taken_out() {
        let redact = |key: &'static str| {
            let body =
                without_key(Bytes::from_static(b"wrong key sk-12345"), Some(&HeaderValue::from_static(key)));
            String::from_utf8_lossy(&body).into_owned()
        };
        assert_eq!(redact("Bearer sk-12345"), "wrong key ***");
        assert_eq!(redact("sk-12345"), "wrong key ***");
        assert_eq!(redact("sk-1234"), "wrong key sk-12345");
        let body = Bytes::from_static(br#"{"error":"key a\/b12345 is wrong"}"#);
        let body = without_key(body, Some(&HeaderValue::from_static("Bearer a/b12345")));
        assert_eq!(body, r#"{"error":"key *** is wrong"}"#);
    }
}
