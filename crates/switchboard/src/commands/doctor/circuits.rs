//! Checks of the circuits: change notifications, readability, and keys that hold no circuit.

use ::circuits::{Listing, RedisNode, RedisStore, Store as _, StoreError, Value};
use breaker::{Document, ModelKey, State};
use redis::{AsyncConnectionConfig, RedisError, RedisResult, aio::MultiplexedConnection};
use tokio::time::timeout;

use super::{
    diagnosis::Diagnosis,
    finding::Check,
    network::{CHECK_TIMEOUT, error_text},
    settings::RedisSettings,
};

const KEY_PREFIX: &str = "circuit_breaker:";

/// How many invalid keys are shown.
const MAX_NAMES_SHOWN: usize = 3;

/// Checks that a server sends change notifications.
pub(super) async fn check_tracking(server: &RedisNode, diagnosis: &mut Diagnosis) {
    match timeout(CHECK_TIMEOUT, enable_tracking(server)).await {
        Ok(Ok(())) => diagnosis.ok(Check::Tracking, "RESP3 and CLIENT TRACKING allowed"),
        Ok(Err(error)) => {
            let advice = "needed to receive the changes of other instances; use Redis 6.0 or later, and allow \
                          ACL SETUSER name +hello +client|tracking";
            diagnosis.fail(Check::Tracking, error_text(&error), advice);
        }
        Err(_) => {
            let found = format!("no response within {} s", CHECK_TIMEOUT.as_secs());
            diagnosis.fail(Check::Tracking, found, "check whether Redis is overloaded");
        }
    }
}

/// Checks the circuits of all servers.
pub(super) async fn check(
    redis: &RedisSettings,
    connections: &mut [MultiplexedConnection],
    diagnosis: &mut Diagnosis,
) {
    let listing =
        timeout(CHECK_TIMEOUT, load_listing(redis)).await.unwrap_or(Err(StoreError::Timeout(CHECK_TIMEOUT)));
    let invalid_keys = timeout(CHECK_TIMEOUT, invalid_keys(connections)).await;
    match (listing, invalid_keys) {
        (Ok(listing), Ok(Ok(invalid_keys))) => report_circuits(redis, &listing, &invalid_keys, diagnosis),
        // Comes first: without SCAN the listing fails too.
        (_, Ok(Err(error))) => {
            diagnosis.fail(
                Check::Circuits,
                error_text(&error),
                "allow this user SCAN (ACL SETUSER name +scan)",
            );
        }
        (Err(error), _) => {
            let advice = format!("allow this user the keys ~{KEY_PREFIX}* and ~{{{KEY_PREFIX}*");
            diagnosis.fail(Check::Circuits, format_args!("cannot read the circuits: {error}"), advice);
        }
        (_, Err(_)) => {
            let found = format!("listing the circuits took more than {} s", CHECK_TIMEOUT.as_secs());
            diagnosis.warn(Check::Circuits, found, "use a separate Redis with fewer keys for the circuits");
        }
    }
}

/// Subscribes to change notifications in the same way as an instance.
async fn enable_tracking(server: &RedisNode) -> Result<(), RedisError> {
    let config = AsyncConnectionConfig::new().set_response_timeout(Some(CHECK_TIMEOUT));
    let mut connection = server.client()?.get_multiplexed_async_connection_with_config(&config).await?;
    let mut track = redis::cmd("CLIENT");
    track.arg("TRACKING").arg("ON").arg("BCAST");
    track.arg("PREFIX").arg(KEY_PREFIX).arg("PREFIX").arg(format!("{{{KEY_PREFIX}"));
    track.query_async(&mut connection).await
}

async fn load_listing(redis: &RedisSettings) -> Result<Listing, StoreError> {
    let store = RedisStore::start(redis.address.clone());
    store.wait_connected().await?;
    store.load_all(&[], true).await
}

/// Keys under the prefix of the circuits that are no model keys.
async fn invalid_keys(connections: &mut [MultiplexedConnection]) -> RedisResult<Vec<String>> {
    let mut names = Vec::new();
    for connection in connections {
        let mut cursor = 0u64;
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(format!("{KEY_PREFIX}*")).arg("COUNT").arg(1_000);
            let (next, page): (u64, Vec<Vec<u8>>) = scan.query_async(connection).await?;
            let page = page.iter().map(|name| String::from_utf8_lossy(name).into_owned());
            names.extend(page.filter(|name| !is_circuit_key(name)));
            if next == 0 {
                break;
            }
            cursor = next;
        }
    }
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

fn is_circuit_key(name: &str) -> bool {
    name.strip_prefix(KEY_PREFIX).is_some_and(|key| key.parse::<ModelKey>().is_ok())
}

/// Circuits by state, and what is wrong with the others.
#[derive(Debug, Default)]
struct Counts {
    open: usize,
    forced: usize,
    half_open: usize,
    closed: usize,
    external: usize,
    unreadable: Vec<String>,
}

fn report_circuits(
    redis: &RedisSettings,
    listing: &Listing,
    invalid_keys: &[String],
    diagnosis: &mut Diagnosis,
) {
    let counts = count(redis, listing);
    let Counts { open, forced, half_open, closed, external, unreadable } = &counts;
    let mut found =
        format!("{} OPEN ({forced} forced), {half_open} HALF_OPEN, {closed} CLOSED", open + forced);
    if *external > 0 {
        found.push_str(&format!("; {external} written by Open SWE or redis-cli and not adopted yet"));
    }
    if unreadable.is_empty() && invalid_keys.is_empty() {
        return diagnosis.ok(Check::Circuits, found);
    }
    for (what, names) in
        [("with an invalid value", unreadable.as_slice()), ("not named provider:model", invalid_keys)]
    {
        if !names.is_empty() {
            found.push_str(&format!("; {} {what}: {}", names.len(), quote_first(names)));
        }
    }
    let advice = "inspect these keys with redis-cli TYPE and GET, and delete the unneeded ones";
    diagnosis.warn(Check::Circuits, found, advice);
}

fn count(redis: &RedisSettings, listing: &Listing) -> Counts {
    let mut counts = Counts::default();
    for (key, value) in &listing.values {
        let policy = redis.policies.models.get(key).unwrap_or(&redis.policies.default);
        let document = match value {
            Value::Absent => continue,
            Value::Text(text) => Document::parse(text, policy),
            Value::Oversized { .. } | Value::WrongType(_) => Document::Invalid,
        };
        if document == Document::Invalid {
            counts.unreadable.push(format!("{KEY_PREFIX}{key}"));
            continue;
        }
        counts.external += usize::from(matches!(document, Document::External(..)));
        let (record, _) = document.into_parts();
        let counter = match record.state(listing.time) {
            State::Open if record.is_forced() => &mut counts.forced,
            State::Open => &mut counts.open,
            State::HalfOpen => &mut counts.half_open,
            State::Closed => &mut counts.closed,
        };
        *counter += 1;
    }
    counts
}

fn quote_first(names: &[String]) -> String {
    let shown: Vec<_> = names.iter().take(MAX_NAMES_SHOWN).map(|name| format!("{name:?}")).collect();
    let more = if names.len() > MAX_NAMES_SHOWN { ", ..." } else { "" };
    format!("{}{more}", shown.join(", "))
}
