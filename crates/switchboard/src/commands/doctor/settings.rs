//! Checks of the configuration: is it valid, who are the providers, where is Redis.

use ::circuits::{Policies, RedisAddress};
use providers::{ProviderConfig, ProviderKind};

use super::{diagnosis::Diagnosis, finding::Check, models};
use crate::{
    commands::Session,
    config::{
        CircuitsConfig, Config, Environment, Problems, RedisConfig, RedisUrl, SourceFile, Sources,
        environment::names,
    },
};

/// Where Redis is, and how its circuits are read.
pub(super) struct RedisSettings {
    pub(super) address: RedisAddress,
    pub(super) policies: Policies,
}

/// Checks the configuration; gives back where Redis is, if that can be told.
pub(super) fn check(session: &Session, diagnosis: &mut Diagnosis) -> Option<RedisSettings> {
    let sources = match session.sources(None) {
        Ok(sources) => sources,
        Err(problem) => {
            diagnosis.fail(Check::Configuration, problem, "mend the file, or name another with --config");
            skip_the_rest(diagnosis);
            // The environment alone may still tell where Redis is.
            Sources { environment: session.environment.clone(), ..Sources::default() }
        }
    };
    check_configuration(&sources, diagnosis);
    let config = match circuits_config(&sources) {
        Ok(config) => config,
        Err(problems) => {
            diagnosis.fail(Check::RedisUrl, join_lines(&problems), "mend the configuration");
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
            diagnosis.ok(Check::Configuration, format_args!("{}: valid", sources.display_name()));
            check_providers(&config.providers, &sources.environment, diagnosis);
            models::examine(&config, models::today(), diagnosis);
        }
        Err(problems) => {
            let advice = "mend it; `switchboard config check` lists one problem a line";
            diagnosis.fail(Check::Configuration, join_lines(&problems), advice);
            skip_the_rest(diagnosis);
        }
    }
}

/// What else the whole configuration would have told.
fn skip_the_rest(diagnosis: &mut Diagnosis) {
    for check in [Check::Providers, Check::Models] {
        diagnosis.skip(check, "needs a valid configuration");
    }
}

fn check_providers(providers: &[ProviderConfig], environment: &Environment, diagnosis: &mut Diagnosis) {
    if providers.is_empty() {
        let advice = "set OPENAI_API_KEY or ANTHROPIC_API_KEY, or name one in [providers]";
        return diagnosis.warn(Check::Providers, "none is configured: no call can be made", advice);
    }
    let list: Vec<_> = providers.iter().map(|provider| describe_provider(provider, environment)).collect();
    diagnosis.ok(Check::Providers, list.join(", "));
}

/// The provider's name, and whether it has a key, never which.
fn describe_provider(provider: &ProviderConfig, environment: &Environment) -> String {
    let key = match (&provider.api_key, provider.kind) {
        (Some(_), _) => "key present",
        (None, ProviderKind::Bedrock)
            if names::AWS_CREDENTIAL_VARIABLES.iter().any(|name| environment.get(name).is_some()) =>
        {
            "AWS credentials in the environment"
        }
        (None, ProviderKind::Bedrock) => "AWS credentials are looked for at the first call",
        (None, _) => "no key",
    };
    format!("{} ({key})", provider.name)
}

/// The part that is about Redis; where another part is broken, that alone is read.
fn circuits_config(sources: &Sources) -> Result<CircuitsConfig, Problems> {
    Config::load_circuits(sources).or_else(|problems| {
        let file = sources.file.as_ref().map(redis_table_only).transpose();
        let by_variable = sources.environment.get(names::REDIS_URL).is_some();
        let file = match file {
            Ok(file) => file,
            // No TOML at all: what it wanted to say of Redis is unknown, but the variable would win anyway.
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
    let CircuitsConfig { redis: RedisConfig { url, explicit: asked_for }, policies } = config;
    let RedisUrl::Redis(address) = url else {
        diagnosis.warn(
            Check::RedisUrl,
            "memory: each gateway keeps its circuits to itself and forgets them when it ends",
            "name a Redis to share and keep them",
        );
        diagnosis.skip_remaining("there is no Redis to look at");
        return None;
    };
    let default = if asked_for { "" } else { " (the default: REDIS_URL is not set)" };
    diagnosis.ok(Check::RedisUrl, format_args!("{address}{default}"));
    Some(RedisSettings { address, policies })
}

fn join_lines(problems: &Problems) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

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
    fn redis_is_found_in_a_broken_file() {
        let broken = "[breaker]\nfailure_threshold = 0\n[redis]\nurl = \"redis://${HOST}:1\"\n";
        assert_eq!(url(&sources(broken, &[("HOST", "there")])).as_deref(), Some("redis://there:1"));
        assert_eq!(url(&sources(broken, &[])), None, "an unset variable");
        assert_eq!(url(&sources("[redis", &[])), None, "no TOML");
        assert_eq!(url(&sources("[redis", &[("REDIS_URL", "redis://env")])).as_deref(), Some("redis://env"));
    }
}
