//! What Microsoft Azure's OpenAI API has of its own: its paths, and two kinds of keys.
//!
//! <https://learn.microsoft.com/azure/foundry/openai/api-version-lifecycle>

use url::Url;

/// The base URL of the API at a resource's endpoint: with `/openai/v1`, or for a version with a date with `/openai`, behind which
/// the paths of deployments begin. The endpoint may have either of them already. `None`: nothing can be appended to it.
pub(crate) fn api_url(endpoint: &Url, is_dated: bool) -> Option<Url> {
    let segments = endpoint.path_segments()?;
    let mut kept: Vec<&str> = segments.filter(|segment| !segment.is_empty()).collect();
    if kept.ends_with(&["openai", "v1"]) {
        kept.truncate(kept.len() - 2);
    } else if kept.last() == Some(&"openai") {
        kept.pop();
    }
    kept.push("openai");
    kept.extend((!is_dated).then_some("v1"));
    let mut url = endpoint.clone();
    url.path_segments_mut().ok()?.clear().extend(kept);
    Some(url)
}

/// Whether a key is a token of Microsoft's Entra, which is a JSON Web Token. The keys of a resource have no dots.
pub(crate) fn is_token(key: &str) -> bool {
    key.starts_with("eyJ") && key.contains('.')
}

#[cfg(test)]
mod tests {
    use super::{api_url, is_token};

    #[test]
    fn an_endpoint_may_have_the_path_of_the_api() {
        for endpoint in [
            "https://r/",
            "https://r/openai",
            "https://r/openai/",
            "https://r/openai/v1",
            "https://r/openai/v1/",
        ] {
            let url = |is_dated| api_url(&endpoint.parse().unwrap(), is_dated).unwrap().to_string();
            assert_eq!(
                (url(false).as_str(), url(true).as_str()),
                ("https://r/openai/v1", "https://r/openai")
            );
        }
        let behind_a_proxy = api_url(&"https://p/azure/eu".parse().unwrap(), false).unwrap();
        assert_eq!(behind_a_proxy.as_str(), "https://p/azure/eu/openai/v1");
    }

    #[test]
    fn tokens_are_no_keys() {
        assert!(is_token("eyJhbGciOi.eyJhdWQi.c2ln"));
        for key in ["0123456789abcdef", "eyJ0aGlzIGlzIG5vIHRva2Vu", ""] {
            assert!(!is_token(key), "{key}");
        }
    }
}
