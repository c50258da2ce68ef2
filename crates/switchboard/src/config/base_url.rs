//! What a provider's base URL must not be: the gateway's own address, or with a path that is added automatically.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use providers::ProviderKind;
use url::{Host, Url};

use super::value::parse_url;

/// A base URL that can be used.
#[derive(Debug)]
pub(super) struct BaseUrl {
    pub(super) url: Url,
    /// What is probably not meant.
    pub(super) warning: Option<String>,
}

/// Reads a base URL; `listen` is the gateway's own address. `Err`: what is wrong with it, without its user, password or query.
pub(super) fn parse_base_url(kind: ProviderKind, text: &str, listen: SocketAddr) -> Result<BaseUrl, String> {
    let url = match parse_url(text) {
        Ok(url) => url,
        Err(problem) => {
            let path_only = text.split(['?', '#']).next().unwrap_or(text).parse();
            let warning = path_only.ok().and_then(|url| endpoint_warning(kind, &url));
            return Err(match warning {
                Some(warning) => format!("{problem}; it also {warning}"),
                None => problem,
            });
        }
    };
    if is_own_address(&url, listen, is_of_this_machine) {
        return Err("is the address that Switchboard listens on, expected the provider's".to_owned());
    }
    let path = url.path().trim_end_matches('/');
    match kind {
        ProviderKind::Anthropic if path.ends_with("/v1") => {
            return Err("ends in /v1, which is added automatically; remove it".to_owned());
        }
        ProviderKind::GoogleGenAi if path.ends_with("/v1beta") => {
            return Err("ends in /v1beta, which is added automatically; remove it".to_owned());
        }
        _ => {}
    }
    let warning = endpoint_warning(kind, &url);
    Ok(BaseUrl { url, warning })
}

/// Whether requests to the URL reach the listener itself, and would loop. Clients are pointed at Switchboard by the variables
/// that also hold base URLs of providers, so this is easily done.
///
/// A listener on all addresses is reached by each of this machine's (`is_of_this_machine`). Whoever connects to `0.0.0.0` or
/// `::` reaches loopback.
fn is_own_address(url: &Url, listen: SocketAddr, is_of_this_machine: impl Fn(IpAddr) -> bool) -> bool {
    if listen.port() == 0 || url.port_or_known_default() != Some(listen.port()) {
        return false;
    }
    let own = listen.ip().to_canonical();
    let address = match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.strip_suffix('.').unwrap_or(name);
            let is_loopback = name == "localhost" || name.ends_with(".localhost");
            return is_loopback && (own.is_unspecified() || own.is_loopback());
        }
        Some(Host::Ipv4(address)) => IpAddr::V4(address),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).to_canonical(),
        None => return false,
    };
    if address.is_unspecified() {
        return own.is_unspecified() || own.is_loopback();
    }
    address == own || (own.is_unspecified() && (address.is_loopback() || is_of_this_machine(address)))
}

/// Whether an interface of this machine has the address: only then can a socket be bound to it. Where the system allows sockets
/// to be bound to any address, as on some load balancers, nobody can tell.
fn is_of_this_machine(address: IpAddr) -> bool {
    /// Reserved for documentation (RFC 5737): no machine has it.
    const NO_ONES: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    let can_bind = |address| UdpSocket::bind((address, 0)).is_ok();
    can_bind(address) && !can_bind(NO_ONES)
}

/// The endpoints of the API formats, as the last segments of a path. Gemini's, which name a model, and lists of models are
/// apart.
const ENDPOINTS: [&[&str]; 12] = [
    &["chat", "completions"],
    &["completions"],
    &["responses"],
    &["responses", "input_tokens"],
    &["responses", "compact"],
    &["messages"],
    &["messages", "count_tokens"],
    &["embeddings"],
    &["moderations"],
    &["rerank"],
    &["images", "generations"],
    &["audio", "transcriptions"],
];

/// The methods of Gemini's API, behind the model's name and a colon.
const METHODS: [&str; 4] = ["generateContent", "streamGenerateContent", "countTokens", "embedContent"];

/// That a URL ends in an endpoint, as people copy it from examples. A warning and no error: nobody knows all paths.
fn endpoint_warning(kind: ProviderKind, url: &Url) -> Option<String> {
    if !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    let segments: Vec<_> = url.path_segments()?.filter(|segment| !segment.is_empty()).collect();
    let kept = match (kind, without_endpoint(&segments)) {
        (_, Some(kept)) => kept,
        (ProviderKind::Azure, None) if is_deployment(&segments) => &segments[..],
        (_, None) => return None,
    };
    let kept = match (kind, kept) {
        (ProviderKind::Azure, [kept @ .., "openai", "v1"] | [kept @ .., "openai", "deployments", _])
        | (ProviderKind::Anthropic, [kept @ .., "v1"])
        | (ProviderKind::GoogleGenAi, [kept @ .., "v1beta" | "v1"]) => kept,
        _ => kept,
    };
    let mut expected = url.clone();
    expected.set_path(&kept.join("/"));
    let expected = expected.as_str().trim_end_matches('/');
    let endpoint = segments[kept.len()..].join("/");
    Some(format!("ends in /{endpoint}, which is added automatically; expected {expected:?}"))
}

/// Azure's path of a model, as its examples have it.
fn is_deployment(segments: &[&str]) -> bool {
    matches!(segments, [.., "openai", "deployments", _])
}

/// The segments of a path before its endpoint; `None`: it has none.
fn without_endpoint<'s, 'a>(segments: &'s [&'a str]) -> Option<&'s [&'a str]> {
    match segments {
        [kept @ .., "models", method] | [kept @ .., method]
            if method.split_once(':').is_some_and(|(_, method)| METHODS.contains(&method)) =>
        {
            return Some(kept);
        }
        // Without a version it may be a base path: Azure's inference API has /models/chat/completions.
        [kept @ .., "models"] if kept.last().is_some_and(|segment| is_version(segment)) => return Some(kept),
        _ => {}
    }
    let found = ENDPOINTS.iter().filter(|endpoint| segments.ends_with(endpoint));
    let longest = found.map(|endpoint| endpoint.len()).max()?;
    Some(&segments[..segments.len() - longest])
}

/// `v1`, `v1beta`, `v4`.
fn is_version(segment: &str) -> bool {
    segment.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_addresses() {
        const MACHINE: &str = "10.1.2.3";
        for (listen, url, expected) in [
            ("127.0.0.1:4100", "http://127.0.0.1:4100/v1", true),
            ("127.0.0.1:4100", "http://localhost:4100/v1", true),
            ("127.0.0.1:4100", "http://LOCALHOST.:4100", true),
            ("127.0.0.1:4100", "http://gateway.localhost:4100", true),
            ("127.0.0.1:4100", "http://0.0.0.0:4100/v1", true),
            ("127.0.0.1:4100", "http://0:4100", true),
            ("127.0.0.1:4100", "http://127.1:4100", true),
            ("127.0.0.1:4100", "http://2130706433:4100", true),
            ("127.0.0.1:4100", "http://[::ffff:127.0.0.1]:4100", true),
            ("127.0.0.1:4100", "http://[::ffff:0.0.0.0]:4100", true),
            ("[::1]:4100", "http://[::1]:4100/v1", true),
            ("[::1]:4100", "http://[0:0:0:0:0:0:0:1]:4100/v1", true),
            ("[::1]:4100", "http://[::]:4100/v1", true),
            ("[::1]:4100", "http://localhost:4100/v1", true),
            ("0.0.0.0:4100", "http://127.0.0.1:4100/v1", true),
            ("0.0.0.0:4100", "http://127.0.0.2:4100/v1", true),
            ("0.0.0.0:4100", "http://localhost:4100/v1", true),
            ("0.0.0.0:4100", "http://[::1]:4100/v1", true),
            ("0.0.0.0:4100", "http://0.0.0.0:4100/v1", true),
            ("0.0.0.0:4100", "http://10.1.2.3:4100/v1", true),
            ("0.0.0.0:4100", "http://[::ffff:10.1.2.3]:4100/v1", true),
            ("[::]:4100", "http://127.0.0.1:4100/v1", true),
            ("[::]:4100", "http://[::ffff:127.0.0.1]:4100/v1", true),
            ("[::]:4100", "http://localhost:4100/v1", true),
            ("[::]:4100", "http://10.1.2.3:4100/v1", true),
            ("[::ffff:127.0.0.1]:4100", "http://127.0.0.1:4100", true),
            ("10.1.2.3:4100", "http://10.1.2.3:4100", true),
            ("0.0.0.0:80", "http://localhost/v1", true),
            ("0.0.0.0:443", "https://localhost/v1", true),
            // Another port.
            ("0.0.0.0:4100", "http://localhost/v1", false),
            ("0.0.0.0:4100", "https://localhost", false),
            ("127.0.0.1:4100", "http://localhost:8000/v1", false),
            ("[::]:4100", "http://0.0.0.0:11434/v1", false),
            ("0.0.0.0:4100", "http://10.1.2.3:8000/v1", false),
            // Any port of its choice.
            ("127.0.0.1:0", "http://127.0.0.1:0/v1", false),
            // Another machine, or another address of this one.
            ("0.0.0.0:4100", "http://10.9.9.9:4100/v1", false),
            ("0.0.0.0:443", "https://api.openai.com/v1", false),
            ("0.0.0.0:4100", "http://localhost.example.com:4100", false),
            ("0.0.0.0:4100", "http://notlocalhost:4100", false),
            ("127.0.0.1:4100", "http://10.1.2.3:4100", false),
            ("127.0.0.1:4100", "http://127.0.0.2:4100", false),
            ("10.1.2.3:4100", "http://localhost:4100", false),
            ("10.1.2.3:4100", "http://0.0.0.0:4100", false),
        ] {
            let is_of_this_machine = |address: IpAddr| address.to_string() == MACHINE;
            let found = is_own_address(&url.parse().unwrap(), listen.parse().unwrap(), is_of_this_machine);
            assert_eq!(found, expected, "{url} at {listen}");
        }
    }

    #[test]
    fn addresses_of_this_machine() {
        assert!(is_of_this_machine([127, 0, 0, 1].into()));
        assert!(!is_of_this_machine([192, 0, 2, 1].into()) && !is_of_this_machine([203, 0, 113, 9].into()));
    }

    #[test]
    fn endpoints_are_told_with_the_url_without_them() {
        use ProviderKind::{Anthropic, Azure, GoogleGenAi, OpenAi};
        for (kind, url, expected) in [
            (OpenAi, "https://a/v1/chat/completions", Some("https://a/v1")),
            (OpenAi, "https://a/v1/chat/completions/", Some("https://a/v1")),
            (OpenAi, "https://a//v1//chat/completions//", Some("https://a/v1")),
            (OpenAi, "https://a:1/v1/completions", Some("https://a:1/v1")),
            (OpenAi, "https://a/v1/responses", Some("https://a/v1")),
            (OpenAi, "https://a/v1/responses/compact", Some("https://a/v1")),
            (OpenAi, "https://a/v1/embeddings", Some("https://a/v1")),
            (OpenAi, "https://a/v1/models", Some("https://a/v1")),
            (OpenAi, "https://a/v1/messages", Some("https://a/v1")),
            (OpenAi, "https://a/chat/completions", Some("https://a")),
            (
                OpenAi,
                "https://a/openai/deployments/gpt/chat/completions",
                Some("https://a/openai/deployments/gpt"),
            ),
            (Anthropic, "https://a/v1/messages", Some("https://a")),
            (Anthropic, "https://a/v1/messages/count_tokens", Some("https://a")),
            (Anthropic, "https://a/anthropic/v1/messages/", Some("https://a/anthropic")),
            (Anthropic, "https://a/v1/models", Some("https://a")),
            (GoogleGenAi, "https://a/v1beta/models/gemini-3-pro:generateContent", Some("https://a")),
            (GoogleGenAi, "https://a/x/v1/models/g:streamGenerateContent", Some("https://a/x")),
            (GoogleGenAi, "https://a/v1beta/models", Some("https://a")),
            (Azure, "https://a/openai/deployments/gpt/chat/completions", Some("https://a")),
            (Azure, "https://a/openai/deployments/gpt", Some("https://a")),
            (Azure, "https://a/openai/v1/responses", Some("https://a")),
            (Azure, "https://a/openai/v1", None),
            (Azure, "https://a", None),
            (OpenAi, "https://a/v1", None),
            (OpenAi, "https://a", None),
            (OpenAi, "https://a/chat", None),
            (OpenAi, "https://a/my-responses", None),
            // Azure's inference API.
            (OpenAi, "https://a.services.ai.azure.com/models", None),
            (OpenAi, "https://a/v1/chat/completions/v1", None),
            (GoogleGenAi, "https://a/v1beta/models/gemini-3-pro", None),
        ] {
            let warning = endpoint_warning(kind, &url.parse().unwrap());
            let found = warning.as_deref().map(|warning| warning.split('"').nth(1).unwrap());
            assert_eq!(found, expected, "{url}");
        }
    }

    #[test]
    fn a_query_is_not_quoted() {
        let listen = "127.0.0.1:4100".parse().unwrap();
        let error = |url| parse_base_url(ProviderKind::OpenAi, url, listen).unwrap_err();
        let found = error("https://a/v1/chat/completions?api-key=hush");
        assert!(
            found.starts_with("has a query or fragment") && found.ends_with("; expected \"https://a/v1\"")
        );
        assert!(!found.contains("hush"), "{found}");
        let found = error("https://u:hush@a/v1/responses?x=hush#hush");
        assert!(found.starts_with("contains a user or password") && !found.contains("hush"), "{found}");
    }
}
