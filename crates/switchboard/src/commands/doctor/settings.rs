//! Checks of the configuration: whether it is valid, the providers, and the address of Redis.

use ::circuits::{Policies, RedisAddress};
use providers::ProviderConfig;

use super::{diagnosis::Diagnosis, finding::Check, models};
use crate::{
    commands::Session,
    config::{
        CircuitsConfig, Config, Problems, RedisConfig, RedisUrl, SourceFile, Sources, environment::names,
    },
};

/// The address of Redis, and the policies of its circuits.
pub(super) struct RedisSettings {
    pub(super) address: RedisAddress,
    pub(super) policies: Policies,
    /// Whether it is configured; if not, it is the default address, and no Redis there is no failure.
    pub(super) explicit: bool,
}

/// Checks the configuration; returns the settings of Redis, if they can be read.
pub(super) fn check(session: &Session, diagnosis: &mut Diagnosis) -> Option<RedisSettings> {
    let sources = match session.sources(None) {
        Ok(sources) => sources,
        Err(problem) => {
            diagnosis.fail(Check::Configuration, problem, "fix the file, or pass another with --config");
            skip_dependent_checks(diagnosis);
            // The environment may still have the address of Redis.
            Sources { environment: session.environment.clone(), ..Sources::default() }
        }
    };
    check_configuration(&sources, diagnosis);
    let config = match circuits_config(&sources) {
        Ok(config) => config,
        Err(problems) => {
            diagnosis.fail(Check::RedisUrl, join_lines(&problems), "fix the configuration");
            return None;
        }
    };
    redis_settings(config, diagnosis)
}

fn check_configuration(sources: &Sources, diagnosis: &mut Diagnosis) {
    if diagnosis.contains(Check::Configuration) {
        return;
    }
    match Config::load(sources) {
        Ok(config) => {
            let valid = format!("{}: valid", sources.display_name());
            match &config.warnings[..] {
                [] => diagnosis.ok(Check::Configuration, valid),
                warnings => {
                    let warnings: Vec<_> = warnings.iter().map(ToString::to_string).collect();
                    let advice = "change what it says; `switchboard config check` lists one warning per line";
                    diagnosis.warn(
                        Check::Configuration,
                        format_args!("{valid}; {}", warnings.join("; ")),
                        advice,
                    );
                }
            }
            check_providers(&config.providers, diagnosis);
            models::examine(&config, models::today(), diagnosis);
        }
        Err(problems) => {
            let advice = "fix it; `switchboard config check` lists one problem per line";
            diagnosis.fail(Check::Configuration, join_lines(&problems), advice);
            skip_dependent_checks(diagnosis);
        }
    }
}

/// These need the whole configuration.
fn skip_dependent_checks(diagnosis: &mut Diagnosis) {
    for check in [Check::Providers, Check::Models] {
        diagnosis.skip(check, "needs a valid configuration");
    }
}

fn check_providers(providers: &[ProviderConfig], diagnosis: &mut Diagnosis) {
    if providers.is_empty() {
        let advice = "set OPENAI_API_KEY or ANTHROPIC_API_KEY, or add one to [providers]";
        return diagnosis.warn(Check::Providers, "none configured: every request fails", advice);
    }
    let list: Vec<_> = providers.iter().map(describe_provider).collect();
    diagnosis.ok(Check::Providers, list.join(", "));
}

/// The provider's name, and whether it has a key; never the key.
fn describe_provider(provider: &ProviderConfig) -> String {
    let key = match (&provider.api_key, &provider.aws, &provider.google) {
        (Some(_), _, _) => "key present".to_owned(),
        (None, Some(aws), _) => format!("signs with AWS credentials for {}", aws.region),
        (None, None, Some(google)) => format!("uses Google credentials for {}", google.location),
        (None, None, None) => "no key".to_owned(),
    };
    format!("{} ({key})", provider.name)
}

/// The settings of Redis; if another table is broken, `[redis]` is read alone.
fn circuits_config(sources: &Sources) -> Result<CircuitsConfig, Problems> {
    Config::load_circuits(sources).or_else(|problems| {
        let file = sources.file.as_ref().map(redis_table_only).transpose();
        let by_variable = sources.environment.get(names::REDIS_URL).is_some();
        let file = match file {
            Ok(file) => file,
            // Invalid TOML: its `[redis]` is unknown, but the variable wins anyway.
            Err(_) if by_variable => None,
            Err(_) => return Err(problems),
        };
        Config::load_circuits(&Sources { file, ..sources.clone() })
    })
}

fn redis_table_only(file: &SourceFile) -> Result<SourceFile, toml::de::Error> {
    let mut tables: toml::Table = file.text.parse()?;
    tables.retain(|name, _| name == "redis");
    Ok(SourceFile { path: file.path.clone(), text: tables.to_string() })
}

fn redis_settings(config: CircuitsConfig, diagnosis: &mut Diagnosis) -> Option<RedisSettings> {
    let CircuitsConfig { redis: RedisConfig { url, explicit }, policies } = config;
    let RedisUrl::Redis(address) = url else {
        diagnosis.warn(
            Check::RedisUrl,
            "memory: each gateway has its own circuits and loses them when it stops",
            "use a Redis to share and keep them",
        );
        diagnosis.skip_remaining("no Redis configured");
        return None;
    };
    if explicit {
        diagnosis.ok(Check::RedisUrl, &address);
    }
    Some(RedisSettings { address, policies, explicit })
}

fn join_lines(problems: &Problems) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::config::Environment;

    fn sources(text: &str, variables: &[(&str, &str)]) -> Sources {
        Sources {
            file: Some(SourceFile { path: PathBuf::from("f.toml"), text: text.to_owned() }),
            environment: Environment::from_pairs(variables.iter().copied()),
            listen: None,
        }
    }

    fn url(sources: &Sources) -> Option<String> {
        circuits_config(sources).ok().map(|config| config.redis.url.to_string())
    }

    #[test]
    fn redis_is_read_from_a_broken_file() {
        let broken = "[breaker]\nfailure_threshold = 0\n[redis]\nurl = \"redis://${HOST}:1\"\n";
        assert_eq!(url(&sources(broken, &[("HOST", "there")])).as_deref(), Some("redis://there:1"));
        assert_eq!(url(&sources(broken, &[])), None, "an unset variable");
        assert_eq!(url(&sources("[redis", &[])), None, "no TOML");
        assert_eq!(url(&sources("[redis", &[("REDIS_URL", "redis://env")])).as_deref(), Some("redis://env"));
    }
}
