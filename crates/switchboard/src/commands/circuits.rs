//! `switchboard circuits`: seeing and operating the circuits in Redis, without a running gateway.
//!
//! Seeing reads the store and writes nothing. Operating takes part as an instance would, so that a person's word is
//! written by the same rules as any other.

mod format;
mod operate;
mod view;
mod watch;

use std::{process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use breaker::{ModelKey, Timestamp};
use circuits::{Policies, RedisStore, Report, Store, Value};

use super::Session;
use crate::{
    cli::CircuitsCommand,
    config::{Config, RedisConfig, RedisUrl},
};

/// Redis has so long to be connected to.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Does what is asked of the circuits.
///
/// # Errors
/// When Redis cannot be reached or read, or there is no such circuit.
pub async fn run(session: &Session, command: CircuitsCommand) -> anyhow::Result<ExitCode> {
    let config = Config::load_circuits(&session.sources(None)?)?;
    let reader = CircuitReader { store: connect(&config.redis).await?, policies: config.policies };
    match command {
        CircuitsCommand::List(json) => view::list(session.output, &reader, json.json).await?,
        CircuitsCommand::Show(arguments) => {
            view::show(session.output, &reader, &arguments.key.key, arguments.json.json).await?;
        }
        CircuitsCommand::History(arguments) => {
            view::history(session.output, &reader, &arguments.key.key, arguments.json.json).await?;
        }
        CircuitsCommand::Watch(json) => watch::watch(session.output, &reader, json.json).await?,
        CircuitsCommand::Open(arguments) => {
            operator_session(session, reader, &arguments.key.key)
                .open(arguments.duration, arguments.reason.reason)
                .await?;
        }
        CircuitsCommand::Close(arguments) => {
            operator_session(session, reader, &arguments.key.key).close(arguments.reason.reason).await?
        }
        CircuitsCommand::Reset(arguments) => {
            operator_session(session, reader, &arguments.key.key).reset(arguments.reason.reason).await?
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn operator_session<'a>(
    session: &'a Session,
    reader: CircuitReader,
    key: &'a ModelKey,
) -> operate::OperatorSession<'a> {
    operate::OperatorSession { output: session.output, environment: &session.environment, reader, key }
}

/// The circuits as they stand in the store.
struct CircuitReader {
    store: Arc<RedisStore>,
    policies: Policies,
}

/// One key, and what it holds.
#[derive(serde::Serialize)]
#[serde(untagged)]
enum Entry {
    Circuit(Box<Report>),
    Unreadable(UnreadableKey),
}

/// What stands where a circuit should.
#[derive(serde::Serialize)]
struct UnreadableKey {
    key: String,
    /// In words.
    unreadable: &'static str,
}

impl CircuitReader {
    async fn entries(&self) -> anyhow::Result<Vec<Entry>> {
        let listing = self.store.load_all(&[], true).await.context(READ_ERROR)?;
        let entries = listing.values.iter();
        Ok(entries.filter_map(|(key, value)| self.parse_entry(key, value, listing.time)).collect())
    }

    async fn load_report(&self, key: &ModelKey) -> anyhow::Result<(Report, Timestamp)> {
        let loaded = self.store.load(key).await.context(READ_ERROR)?;
        match self.parse_entry(key, &loaded.value, loaded.time) {
            Some(Entry::Circuit(report)) => Ok((*report, loaded.time)),
            Some(Entry::Unreadable(odd)) => bail!("circuit_breaker:{key} is {}", odd.unreadable),
            None => bail!("there is no circuit {key}; `switchboard circuits` lists those that there are"),
        }
    }

    fn parse_entry(&self, key: &ModelKey, value: &Value, now: Timestamp) -> Option<Entry> {
        let policy = self.policies.models.get(key).unwrap_or(&self.policies.default);
        let unreadable =
            |unreadable| Some(Entry::Unreadable(UnreadableKey { key: key.to_string(), unreadable }));
        let text = match value {
            Value::Absent => return None,
            Value::Oversized { .. } => return unreadable("far too large for a circuit"),
            Value::WrongType(_) => {
                return unreadable("a key of another type, and is left alone");
            }
            Value::Text(text) => text,
        };
        match breaker::Document::parse(text, policy) {
            breaker::Document::Native(record, _) | breaker::Document::External(record, _) => {
                Some(Entry::Circuit(Box::new(Report::new(key, &record, policy, now))))
            }
            breaker::Document::Invalid => {
                unreadable("not a circuit's JSON: it counts as closed until the next change")
            }
        }
    }
}

/// What to do when Redis does not do what is asked.
const READ_ERROR: &str = "the circuits cannot be read; `switchboard doctor` says what is wrong";

async fn connect(redis: &RedisConfig) -> anyhow::Result<Arc<RedisStore>> {
    let RedisUrl::Redis(address) = &redis.url else {
        bail!(
            "the configuration keeps circuits in each gateway's own memory (redis.url = \"memory:\"), where nobody else sees them"
        );
    };
    let store = RedisStore::start(address.clone());
    let connected = tokio::time::timeout(CONNECT_TIMEOUT, store.wait_connected()).await;
    let url = &redis.url;
    match connected {
        Ok(Ok(())) => Ok(Arc::new(store)),
        Ok(Err(error)) => {
            bail!("Redis at {url} cannot be reached ({error}); `switchboard doctor` says what to do")
        }
        Err(_) => bail!("Redis at {url} did not answer within 3 s; `switchboard doctor` says what to do"),
    }
}
