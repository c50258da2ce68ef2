//! Checks of the configuration: is it valid, who are the providers, where is Redis.

use ::circuits::{Policies, RedisAddress};
use providers::{Kind, ProviderConfig};

use super::{examination::Examination, finding::Check, models};
use crate::{
    commands::Session,
    config::{
        CircuitsConfig, Config, Environment, Problems, Redis, RedisUrl, SourceFile, Sources,
        environment::names,
    },
};

/// Where Redis is, and how its circuits are read.
pub(super) struct RedisSettings {
    pub(super) address: RedisAddress,
    pub(super) policies: Policies,
}

/// Checks the configuration; gives back where Redis is, if that can be told.
pub(super) fn examine(session: &Session, examination: &mut Examination) -> Option<RedisSettings> {
    let sources = match session.sources(None) {
        Ok(sources) => sources,
        Err(problem) => {
            examination.fail(Check::Configuration, problem, "mend the file, or name another with --config");
            skip_the_rest(examination);
            // The environment alone may still tell where Redis is.
            Sources { environment: session.environment.clone(), ..Sources::default() }
        }
    };
    check_whole(&sources, examination);
    let config = match circuits_config(&sources) {
        Ok(config) => config,
        Err(problems) => {
            examination.fail(Check::RedisUrl, one_line(&problems), "mend the configuration");
            return None;
        }
    };
    redis_settings(config, examination)
}

fn check_whole(sources: &Sources, examination: &mut Examination) {
    if examination.has(Check::Configuration) {
        return;
    }
    match Config::load(sources) {
        Ok(config) => {
            examination.ok(Check::Configuration, format_args!("{}: valid", sources.name()));
            check_providers(&config.providers, &sources.environment, examination);
            models::examine(&config, models::today(), examination);
        }
        Err(problems) => {
            let advice = "mend it; `switchboard config check` lists one problem a line";
            examination.fail(Check::Configuration, one_line(&problems), advice);
            skip_the_rest(examination);
        }
    }
}

/// What else the whole configuration would have told.
fn skip_the_rest(examination: &mut Examination) {
    for check in [Check::Providers, Check::Models] {
        examination.skip(check, "needs a valid configuration");
    }
}

fn check_providers(providers: &[ProviderConfig], environment: &Environment, examination: &mut Examination) {
    if providers.is_empty() {
        let advice = "set OPENAI_API_KEY or ANTHROPIC_API_KEY, or name one in [providers]";
        return examination.warn(Check::Providers, "none is configured: no call can be made", advice);
    }
    let list: Vec<_> = providers.iter().map(|provider| described(provider, environment)).collect();
    examination.ok(Check::Providers, list.join(", "));
}

/// The provider's name, and whether it has a key, never which.
fn described(provider: &ProviderConfig, environment: &Environment) -> String {
    let key = match (&provider.api_key, provider.kind) {
        (Some(_), _) => "key present",
        (None, Kind::Bedrock) if names::AWS_CHAIN.iter().any(|name| environment.get(name).is_some()) => {
            "AWS credentials in the environment"
        }
        (None, Kind::Bedrock) => "AWS credentials are looked for at the first call",
        (None, _) => "no key",
    };
    format!("{} ({key})", provider.name)
}

/// The part that is about Redis; where another part is broken, that alone is read.
fn circuits_config(sources: &Sources) -> Result<CircuitsConfig, Problems> {
    Config::load_circuits(sources).or_else(|problems| {
        let file = sources.file.as_ref().map(only_redis).transpose();
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

fn only_redis(file: &SourceFile) -> Result<SourceFile, toml::de::Error> {
    let mut tables: toml::Table = file.text.parse()?;
    tables.retain(|name, _| name == "redis");
    Ok(SourceFile { path: file.path.clone(), text: tables.to_string() })
}

fn redis_settings(config: CircuitsConfig, examination: &mut Examination) -> Option<RedisSettings> {
    let CircuitsConfig { redis: Redis { url, asked_for }, policies } = config;
    let RedisUrl::Redis(address) = url else {
        examination.warn(
            Check::RedisUrl,
            "memory: each gateway keeps its circuits to itself and forgets them when it ends",
            "name a Redis to share and keep them",
        );
        examination.stop("there is no Redis to look at");
        return None;
    };
    let default = if asked_for { "" } else { " (the default: REDIS_URL is not set)" };
    examination.ok(Check::RedisUrl, format_args!("{address}{default}"));
    Some(RedisSettings { address, policies })
}

fn one_line(problems: &Problems) -> String {
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
