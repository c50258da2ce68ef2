//! Reads the circuits from Redis and writes nothing.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use breaker::{ModelKey, Timestamp};
use circuits::{Policies, RedisStore, Report, Store, Value};

use crate::config::{CircuitsConfig, RedisConfig, RedisUrl};

/// How long connecting to Redis may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// A name is suggested for one that is at least so similar to it, from 0 to 1.
const MIN_SIMILARITY: f64 = 0.8;

/// Reads the circuits from the store.
pub(in crate::commands) struct CircuitReader {
    pub(super) store: Arc<RedisStore>,
    pub(super) policies: Policies,
}

/// One key and its value.
#[derive(serde::Serialize)]
#[serde(untagged)]
pub(in crate::commands) enum Entry {
    Circuit(Box<Report>),
    Unreadable(UnreadableKey),
}

/// A key whose value is not a circuit.
#[derive(serde::Serialize)]
pub(in crate::commands) struct UnreadableKey {
    pub(super) key: String,
    /// Why it is skipped.
    pub(super) unreadable: String,
}

impl CircuitReader {
    /// Connects to the configured Redis.
    ///
    /// # Errors
    /// When the circuits are not in Redis, or it cannot be reached; [`NotShared`] where none is configured.
    pub(in crate::commands) async fn connect(config: CircuitsConfig) -> anyhow::Result<Self> {
        Ok(Self { store: connect(&config.redis).await?, policies: config.policies })
    }

    /// All circuits and the keys that hold none, and the time of the store.
    pub(in crate::commands) async fn entries(&self) -> anyhow::Result<(Vec<Entry>, Timestamp)> {
        let listing = self.store.load_all(&[], true).await.context(READ_ERROR)?;
        let entries = listing.values.iter();
        let entries = entries.filter_map(|(key, value)| self.parse_entry(key, value, listing.time));
        Ok((entries.collect(), listing.time))
    }

    /// One circuit, and the time of the store.
    pub(super) async fn load_report(&self, key: &ModelKey) -> anyhow::Result<(Report, Timestamp)> {
        let loaded = self.store.load(key).await.context(READ_ERROR)?;
        match self.parse_entry(key, &loaded.value, loaded.time) {
            Some(Entry::Circuit(report)) => Ok((*report, loaded.time)),
            Some(Entry::Unreadable(skipped)) => bail!("circuit_breaker:{key}: {}", skipped.unreadable),
            None => bail!("{}", self.unknown(key.as_str()).await?),
        }
    }

    /// The circuit of a name: `provider:model`, or the model alone where only one circuit has it.
    pub(super) async fn resolve(&self, name: &str) -> anyhow::Result<ModelKey> {
        let parsed = name.parse::<ModelKey>();
        if name.contains(':')
            && let Ok(key) = parsed
        {
            return Ok(key);
        }
        let keys = self.keys().await?;
        let mut same = keys.into_iter().filter(|key| key.model() == name);
        match (same.next(), same.next()) {
            (Some(key), None) => Ok(key),
            (Some(first), Some(second)) => bail!("{name} is several circuits: {first}, {second}; name one"),
            (None, _) => bail!("{}; a circuit is named provider:model", self.unknown(name).await?),
        }
    }

    /// Says that there is no such circuit, and which is nearest.
    async fn unknown(&self, name: &str) -> anyhow::Result<String> {
        let keys = self.keys().await?;
        // The model alone is as good as its whole name.
        let similarity = |key: &ModelKey| {
            strsim::jaro_winkler(name, key.as_str()).max(strsim::jaro_winkler(name, key.model()))
        };
        let nearest = keys.iter().max_by(|a, b| similarity(a).total_cmp(&similarity(b)));
        Ok(match nearest.filter(|key| similarity(key) >= MIN_SIMILARITY) {
            Some(key) => format!("no circuit {name}; did you mean {key}?"),
            None => format!("no circuit {name}; `switchboard circuits` lists all circuits"),
        })
    }

    async fn keys(&self) -> anyhow::Result<Vec<ModelKey>> {
        let listing = self.store.load_all(&[], true).await.context(READ_ERROR)?;
        let present = listing.values.into_iter().filter(|(_, value)| !matches!(value, Value::Absent));
        Ok(present.map(|(key, _)| key).collect())
    }

    /// The circuit in a value; `None` if the key is absent.
    pub(super) fn parse_entry(&self, key: &ModelKey, value: &Value, now: Timestamp) -> Option<Entry> {
        let policy = self.policies.models.get(key).unwrap_or(&self.policies.default);
        let unreadable =
            |unreadable| Some(Entry::Unreadable(UnreadableKey { key: key.to_string(), unreadable }));
        let text = match value {
            Value::Absent => return None,
            Value::Oversized { .. } => return unreadable("value is too large for a circuit".to_owned()),
            Value::WrongType(found) => return unreadable(wrong_type(found)),
            Value::Text(text) => text,
        };
        match breaker::Document::parse(text, policy) {
            breaker::Document::Native(record, _)
            | breaker::Document::External(breaker::External { record, .. }, _) => {
                Some(Entry::Circuit(Box::new(Report::new(key, &record, policy, now))))
            }
            breaker::Document::Invalid => {
                unreadable("not a circuit's JSON; counts as closed until the next change".to_owned())
            }
        }
    }
}

/// What `TYPE` says of a key that holds no string.
pub(super) fn wrong_type(found: &str) -> String {
    format!("expected a string, found a {found}")
}

pub(super) const READ_ERROR: &str = "cannot read the circuits; `switchboard doctor` diagnoses Redis problems";

/// No Redis is configured, and there is none at the default address. That is no fault.
#[derive(Debug, thiserror::Error)]
#[error(
    "circuits are not shared (no Redis): REDIS_URL is not set, and none listens at {0}; each gateway has circuits of its own, \
     which its page shows"
)]
pub(super) struct NotShared(String);

async fn connect(redis: &RedisConfig) -> anyhow::Result<Arc<RedisStore>> {
    let RedisUrl::Redis(address) = &redis.url else {
        bail!(
            "circuits are not shared: with redis.url = \"memory:\" each gateway keeps them in its own memory, which this command cannot read"
        );
    };
    let store = RedisStore::start(address.clone());
    let connected = tokio::time::timeout(CONNECT_TIMEOUT, store.wait_connected()).await;
    let url = &redis.url;
    match connected {
        Ok(Ok(())) => Ok(Arc::new(store)),
        _ if !redis.explicit => Err(NotShared(url.to_string()).into()),
        Ok(Err(error)) => {
            bail!("cannot reach Redis at {url} ({error}); `switchboard doctor` diagnoses Redis problems")
        }
        Err(_) => {
            bail!("Redis at {url} did not respond within 3 s; `switchboard doctor` diagnoses Redis problems")
        }
    }
}
