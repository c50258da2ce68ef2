//! Addresses and names: of Redis, proxies, models, callers, keys.

use breaker::{CallerName, ModelKey};
use circuits::RedisAddress;
use gateway::KeyDigest;
use manager::{FaultInjection, ModelPattern};
use providers::ForwardedHeader;
use url::Url;

use crate::features::Features;

pub(super) fn run(input: &[u8], features: &mut Features) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    redis_address(text, features);
    proxies(text, features);
    if let Ok(key) = text.parse::<ModelKey>() {
        assert_eq!(key.to_string().parse().as_ref(), Ok(&key), "a key is read as it is written");
        assert_eq!(ModelKey::new(key.provider(), key.model()).as_ref(), Ok(&key), "a key is its parts");
        assert!(text.len() <= 4 * 256 && !text.contains(['{', '}', ' ', '\n']), "{text:?}");
        features.add(("key", key.model().len().checked_ilog2()));
    }
    if let Ok(name) = text.parse::<CallerName>() {
        assert_eq!(name.as_str().parse().as_ref(), Ok(&name));
        features.add("caller");
    }
    if let Ok(pattern) = text.parse::<ModelPattern>() {
        assert_eq!(pattern.to_string().parse().as_ref(), Ok(&pattern), "a pattern is read as it is written");
        features.add(("pattern", pattern.matches("openai:gpt-5"), pattern.matches(text)));
    }
    features.add((text.parse::<KeyDigest>().is_ok(), text.parse::<FaultInjection>().is_ok()));
    match text.parse::<ForwardedHeader>() {
        Ok(_) => features.add("forwarded"),
        Err(error) => features.add_variant("forwarded", &error),
    }
}

/// The password of the addresses that are made of the input.
const PASSWORD: &str = "hush";

/// The address with a user and a password, whatever it has behind its scheme.
fn with_password(text: &str) -> Option<String> {
    let (scheme, host) = text.split_once("://").filter(|_| !text.contains(PASSWORD))?;
    let is_path = scheme.trim().eq_ignore_ascii_case("unix");
    (!is_path).then(|| format!("{scheme}://user:{PASSWORD}@{host}"))
}

/// Nothing of a password may be shown, however the address is split.
fn redis_address(text: &str, features: &mut Features) {
    let parsed = text.parse::<RedisAddress>();
    match &parsed {
        Ok(address) => {
            features.add_variant("redis", address.deployment());
            let again = address.expose().parse::<RedisAddress>();
            assert_eq!(again.as_ref().map(ToString::to_string), Ok(address.to_string()), "the same address");
        }
        Err(error) => {
            features.add_variant("redis", error);
            features.add_magnitude("redis", error.to_string().len() as u64);
        }
    }
    if let Some(text) = with_password(text) {
        let shown = match text.parse::<RedisAddress>() {
            Ok(address) => format!("{address} {address:?}"),
            Err(error) => format!("{error} {error:?}"),
        };
        assert!(!shown.contains(PASSWORD), "a password is shown: {text}: {shown}");
    }
}

/// Lines: a URL, the proxy for it, exceptions.
fn proxies(text: &str, features: &mut Features) {
    let mut lines = text.lines();
    let Some(url) = lines.next().and_then(|line| line.parse::<Url>().ok()) else { return };
    let (proxy, exceptions) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let secret = with_password(proxy);
    let proxy = secret.as_deref().unwrap_or(proxy);
    let variable = |name: &str| match name {
        "ALL_PROXY" => Some(proxy.to_owned()),
        "NO_PROXY" => Some(exceptions.to_owned()),
        _ => None,
    };
    match providers::fuzzing::proxy(&url, variable) {
        Ok(None) => features.add("no proxy"),
        Ok(Some(shown)) => {
            assert!(secret.is_none() || !shown.contains(PASSWORD), "a password is shown: {proxy}: {shown}");
            features.add(shown.split("host").next());
        }
        Err(error) => {
            let shown = error.to_string();
            assert!(secret.is_none() || !shown.contains(PASSWORD), "a password is shown: {proxy}: {shown}");
            features.add_variant("proxy", &error);
        }
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let texts = [
        "redis://user:secret@host:6379/0",
        "rediss://:secret@[::1]:6380/2?protocol=resp3",
        "redis-sentinel://u:secret@a:1,b,c/primary/3?sentinel_username=s&sentinel_password=secret",
        "redis-cluster://u:secret@a,b:6380",
        "redis://a,b,c",
        "unix:///run/redis.sock?db=1&pass=secret",
        "redis://:secret@host#insecure",
        "https://api.openai.com/v1\nhttp://u:secret@proxy:3128\n.example.com,10.0.0.0/8,[::1],*.internal",
        "https://api.openai.com/v1\nsocks5h://u:secret@proxy\n*",
        "http://10.0.0.1:80\nproxy:3128\n",
        "openai:gpt-5",
        "bedrock:us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "openai:*",
        "ci-1",
        "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e730433629 38b9824",
        "x-title",
        "status=529",
    ];
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}
