//! What a changed configuration changes: what a running gateway takes up, and what needs a new start.

use std::fmt;

use circuits::Policies;
use providers::{ProviderConfig, Vendor};
use secrecy::{ExposeSecret as _, SecretString};

use super::Config;

/// The settings that differ. Displayed as the end of a line of the log: `keys, routes; needs a restart: listen`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// In force from now on.
    pub applied: Vec<&'static str>,
    /// Not in force before a new start.
    pub needs_restart: Vec<&'static str>,
}

impl Changes {
    /// From the configuration in force to the next one. `started` is the one that this process was started with: what
    /// differs from it and cannot be taken up is named each time.
    #[must_use]
    pub fn new(started: &Config, active: &Config, next: &Config) -> Self {
        let same_routes = active.routes == next.routes && active.call_settings == next.call_settings;
        let applied = [
            ("providers", same_providers(&active.providers, &next.providers)),
            ("routes", same_routes),
            ("policies", same_policies(&active.policies, &next.policies)),
            ("keys", active.keys.accepted == next.keys.accepted),
        ];
        let needs_restart = [
            ("listen", started.server.listen == next.server.listen),
            ("shutdown_timeout", started.server.shutdown_timeout == next.server.shutdown_timeout),
            ("[redis]", started.redis == next.redis),
        ];
        let changed = |settings: &[(&'static str, bool)]| {
            settings.iter().filter(|(_, same)| !same).map(|(name, _)| *name).collect()
        };
        Self { applied: changed(&applied), needs_restart: changed(&needs_restart) }
    }
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.applied[..] {
            [] => f.write_str("nothing changed")?,
            _ => f.write_str(&self.applied.join(", "))?,
        }
        if !self.needs_restart.is_empty() {
            write!(f, "; needs a restart: {}", self.needs_restart.join(", "))?;
        }
        Ok(())
    }
}

/// The names in use follow from the routes, and are no setting of their own.
fn same_policies(a: &Policies, b: &Policies) -> bool {
    let Policies { default, models, named: _ } = a;
    *default == b.default && *models == b.models
}

fn same_providers(a: &[ProviderConfig], b: &[ProviderConfig]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_provider(a, b))
}

/// Taken apart in full, so that a new setting cannot be forgotten here.
fn same_provider(a: &ProviderConfig, b: &ProviderConfig) -> bool {
    let ProviderConfig {
        name,
        kind,
        vendor,
        api_version,
        base_url,
        api_key,
        aws,
        google,
        speaks,
        ca_file,
        stream_usage,
        forward,
    } = a;
    let vendor_name = |vendor: Option<&Vendor>| vendor.map(|vendor| vendor.name);
    let text = |key: &Option<SecretString>| key.as_ref().map(|key| key.expose_secret().to_owned());
    *name == b.name
        && *kind == b.kind
        && vendor_name(*vendor) == vendor_name(b.vendor)
        && *api_version == b.api_version
        && *base_url == b.base_url
        && text(api_key) == text(&b.api_key)
        && *aws == b.aws
        && *google == b.google
        && *speaks == b.speaks
        && *ca_file == b.ca_file
        && *stream_usage == b.stream_usage
        && *forward == b.forward
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{SourceFile, Sources};

    fn config(text: &str) -> Config {
        let file = Some(SourceFile { path: "s.toml".into(), text: text.to_owned() });
        Config::load(&Sources { file, ..Sources::default() }).unwrap()
    }

    #[test]
    fn what_changed_is_named_and_nothing_else() {
        let base = "[providers.openai]\napi_key = 'a'\n";
        for (text, expected) in [
            ("", "nothing changed"),
            ("# a comment", "nothing changed"),
            ("[keys.ci]\nkey = 'k'", "keys"),
            (
                "[keys.ci]\nkey = 'k'\nmodels = ['openai:*']\n[routes.r]\nmodels = ['openai:m']",
                "routes, keys",
            ),
            ("[providers.other]\nkind = 'openai'\nbase_url = 'http://h/v1'", "providers"),
            ("forward = ['x-title']", "providers"),
            ("stream_usage = true", "providers"),
            ("[providers.aws]\nkind = 'bedrock'", "providers"),
            ("[providers.fast]\nkind = 'groq'\napi_key = 'k'", "providers"),
            ("[timeouts]\ntotal = '9s'", "routes"),
            ("[breaker]\nfailure_threshold = 2", "policies"),
            ("[server]\nlisten = '127.0.0.1:9'", "nothing changed; needs a restart: listen"),
            (
                "[redis]\nurl = 'memory:'\n[server]\nshutdown_timeout = '1s'\napi_keys = ['k']",
                "keys; needs a restart: shutdown_timeout, [redis]",
            ),
        ] {
            let (started, next) = (config(base), config(&format!("{base}{text}")));
            assert_eq!(Changes::new(&started, &started, &next).to_string(), expected, "{text}");
        }
    }

    #[test]
    fn a_rotated_key_of_a_provider_is_a_change() {
        let key = |key: &str| config(&format!("[providers.openai]\napi_key = '{key}'"));
        assert_eq!(Changes::new(&key("a"), &key("a"), &key("b")).applied, ["providers"]);
    }

    #[test]
    fn another_region_is_a_change() {
        let region = |region: &str| {
            config(&format!("[providers.bedrock]\nregion = '{region}'\nbase_url = 'http://h'"))
        };
        let (east, west) = (region("us-east-1"), region("us-west-1"));
        assert_eq!(Changes::new(&east, &east, &west).applied, ["providers"]);
    }

    #[test]
    fn another_vendor_or_version_is_a_change() {
        let same_url = "base_url = 'http://h/v1'\napi_key = 'k'";
        let kind = |kind: &str| config(&format!("[providers.p]\nkind = '{kind}'\n{same_url}"));
        assert_eq!(Changes::new(&kind("groq"), &kind("groq"), &kind("openai")).applied, ["providers"]);
        let version =
            |version: &str| config(&format!("[providers.azure]\napi_version = '{version}'\n{same_url}"));
        let (old, new) = (version("2024-10-21"), version("v1"));
        assert_eq!(Changes::new(&old, &old, &new).applied, ["providers"]);
    }

    #[test]
    fn what_needs_a_restart_is_named_until_it_is_taken_back() {
        let (started, moved) = (config(""), config("[server]\nlisten = '127.0.0.1:9'"));
        let later = config("[server]\nlisten = '127.0.0.1:9'\napi_keys = ['k']");
        assert_eq!(Changes::new(&started, &moved, &later).to_string(), "keys; needs a restart: listen");
        assert_eq!(Changes::new(&started, &later, &started).to_string(), "keys");
    }
}
