//! Which proxy leads to a provider: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, read as curl reads them.

use std::fmt;
use std::net::IpAddr;

use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use url::{Host, Url};

/// The way to a proxy.
pub(crate) struct Proxy {
    pub(crate) kind: ProxyKind,
    pub(crate) host: String,
    pub(crate) port: u16,
    intercept: Intercept,
}

/// How a proxy is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProxyKind {
    /// HTTP, itself reached with TLS or without.
    Http { tls: bool },
    /// SOCKS 5. `remote_names`: the proxy looks up the host.
    Socks5 { remote_names: bool },
}

/// A proxy variable that cannot be obeyed. Its value is not quoted: it may have a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// A proxy of this kind is not supported.
    #[error("{variable} names a proxy by {scheme}://, expected http://, https://, socks5:// or socks5h://")]
    Scheme {
        /// The variable.
        variable: &'static str,
        /// The scheme of its URL.
        scheme: String,
    },
    /// No URL of a proxy.
    #[error("{variable} is no URL of a proxy, expected for instance http://proxy.example.com:3128")]
    Url {
        /// The variable.
        variable: &'static str,
    },
}

const ALL: [&str; 2] = ["ALL_PROXY", "all_proxy"];
const HTTP: [&str; 2] = ["HTTP_PROXY", "http_proxy"];
const HTTPS: [&str; 2] = ["HTTPS_PROXY", "https_proxy"];
const NO: [&str; 2] = ["NO_PROXY", "no_proxy"];

impl Proxy {
    /// The proxy that these variables name for a base URL. None leads to what listens on this machine only.
    pub(crate) fn find(
        base_url: &Url,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, ProxyError> {
        let first = |names: &[&'static str]| {
            let set = names.iter().filter_map(|name| Some((*name, variable(name)?)));
            set.map(|(name, value)| (name, value.trim().to_owned())).find(|(_, value)| !value.is_empty())
        };
        let own = if base_url.scheme() == "https" { HTTPS } else { HTTP };
        let Some((name, value)) = first(&own).or_else(|| first(&ALL)) else { return Ok(None) };
        let Ok(uri) = base_url.as_str().parse::<Uri>() else { return Ok(None) };
        let exceptions = first(&NO).map(|(_, value)| value).unwrap_or_default();
        let matches = |proxy: &str| {
            Matcher::builder().all(proxy.to_owned()).no(exceptions.as_str()).build().intercept(&uri)
        };
        if is_loopback(base_url) || matches("http://proxy").is_none() {
            return Ok(None);
        }
        let Some(intercept) = matches(&value) else {
            let scheme = value.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
            return Err(match scheme {
                Some(scheme) if kind(&scheme).is_none() => ProxyError::Scheme { variable: name, scheme },
                _ => ProxyError::Url { variable: name },
            });
        };
        let scheme = intercept.uri().scheme_str().unwrap_or_default().to_owned();
        let kind = kind(&scheme).ok_or(ProxyError::Scheme { variable: name, scheme })?;
        let host = intercept.uri().host().ok_or(ProxyError::Url { variable: name })?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = intercept.uri().port_u16().unwrap_or(match kind {
            ProxyKind::Http { tls: false } => 80,
            ProxyKind::Http { tls: true } => 443,
            ProxyKind::Socks5 { .. } => 1080,
        });
        Ok(Some(Self { kind, host, port, intercept }))
    }

    /// The value of `proxy-authorization`, if the URL has a user.
    pub(crate) fn authorization(&self) -> Option<&HeaderValue> {
        self.intercept.basic_auth()
    }

    /// The user and password for SOCKS.
    pub(crate) fn user_and_password(&self) -> Option<(&str, &str)> {
        self.intercept.raw_auth()
    }
}

fn kind(scheme: &str) -> Option<ProxyKind> {
    match scheme {
        "http" => Some(ProxyKind::Http { tls: false }),
        "https" => Some(ProxyKind::Http { tls: true }),
        "socks5" => Some(ProxyKind::Socks5 { remote_names: false }),
        "socks5h" => Some(ProxyKind::Socks5 { remote_names: true }),
        _ => None,
    }
}

/// Whether only this machine can reach it.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => is_loopback_address(address.into()),
        Some(Host::Ipv6(address)) => is_loopback_address(address.into()),
        Some(Host::Domain(name)) => {
            let name = name.strip_suffix('.').unwrap_or(name);
            name == "localhost" || name.ends_with(".localhost")
        }
        None => false,
    }
}

/// Whoever connects to `0.0.0.0` or `::` reaches loopback.
fn is_loopback_address(address: IpAddr) -> bool {
    let address = address.to_canonical();
    address.is_loopback() || address.is_unspecified()
}

/// Without user and password.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("kind", &self.kind)
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{Proxy, ProxyError, ProxyKind, is_loopback};

    fn find(url: &str, variables: &[(&str, &str)]) -> Result<Option<Proxy>, ProxyError> {
        let value = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        Proxy::find(&url.parse().unwrap(), value)
    }

    #[test]
    fn the_variables_are_read_as_curl_reads_them() {
        let url = "https://api.openai.com/v1";
        let way = |url: &str, variables: &[(&str, &str)]| {
            find(url, variables).unwrap().map(|proxy| (proxy.kind, proxy.host, proxy.port))
        };
        let http = |tls, host: &str, port| Some((ProxyKind::Http { tls }, host.to_owned(), port));
        let socks = |remote_names| Some((ProxyKind::Socks5 { remote_names }, "s".to_owned(), 1080));
        assert_eq!(way(url, &[]), None);
        assert_eq!(way(url, &[("HTTP_PROXY", "http://p")]), None, "for http:// only");
        assert_eq!(way(url, &[("https_proxy", "http://p:3128")]), http(false, "p", 3128));
        assert_eq!(way(url, &[("HTTPS_PROXY", "p")]), http(false, "p", 80));
        assert_eq!(way(url, &[("HTTPS_PROXY", ""), ("ALL_PROXY", "https://p")]), http(true, "p", 443));
        assert_eq!(way(url, &[("ALL_PROXY", "socks5://s")]), socks(false));
        assert_eq!(way(url, &[("all_proxy", "socks5h://s")]), socks(true));
        assert_eq!(way("http://10.0.0.1/v1", &[("HTTP_PROXY", "http://p")]), http(false, "p", 80));
        for exceptions in ["*", "openai.com", ".openai.com", "a, api.openai.com"] {
            assert_eq!(way(url, &[("HTTPS_PROXY", "http://p"), ("NO_PROXY", exceptions)]), None);
        }
        let network = [("HTTP_PROXY", "http://p"), ("NO_PROXY", "10.0.0.0/8")];
        assert_eq!(way("http://10.0.0.1/v1", &network), None);
        assert_eq!(way("http://localhost:1/v1", &[("ALL_PROXY", "http://p")]), None);
    }

    #[test]
    fn a_user_is_sent_in_the_way_of_the_proxy() {
        let proxy = find("https://a", &[("HTTPS_PROXY", "http://u:p%40@proxy")]).unwrap().unwrap();
        assert_eq!(proxy.authorization().unwrap(), "Basic dTpwQA==");
        assert!(!format!("{proxy:?}").contains("dTpwQA"));
        let proxy = find("https://a", &[("HTTPS_PROXY", "socks5://u:p@proxy")]).unwrap().unwrap();
        assert_eq!(proxy.user_and_password(), Some(("u", "p")));
    }

    #[test]
    fn what_cannot_be_obeyed_is_refused_by_name() {
        for scheme in ["socks", "socks4", "socks4a", "ftp"] {
            let value = format!("{scheme}://user:secret@proxy");
            let error = find("https://a", &[("ALL_PROXY", &value)]).unwrap_err();
            assert_eq!(error, ProxyError::Scheme { variable: "ALL_PROXY", scheme: scheme.to_owned() });
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        let error = find("https://a", &[("https_proxy", "http://")]).unwrap_err();
        assert_eq!(error, ProxyError::Url { variable: "https_proxy" });
        assert!(find("http://127.0.0.1", &[("ALL_PROXY", "socks://p")]).unwrap().is_none(), "it is not used");
    }

    #[test]
    fn loopback() {
        for (url, expected) in [
            ("http://127.0.0.1:8000/v1", true),
            ("http://[::1]/", true),
            ("http://localhost:1", true),
            ("http://a.localhost", true),
            ("http://localhost.:1", true),
            ("http://[::ffff:127.0.0.1]/", true),
            ("http://0.0.0.0:8000/v1", true),
            ("https://api.openai.com/v1", false),
            ("http://10.0.0.1", false),
            ("http://localhost.example.com", false),
        ] {
            assert_eq!(is_loopback(&url.parse().unwrap()), expected, "{url}");
        }
    }
}
