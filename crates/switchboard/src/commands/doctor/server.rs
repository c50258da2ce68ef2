//! Checks of the server: its version and role, and whether it can store and share circuits.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use ::circuits::{RedisDeployment, Timing};
use redis::{RedisError, RedisResult, aio::MultiplexedConnection};

use tokio::time::Instant;

use super::{diagnosis::Diagnosis, finding::Check, network::error_text};

/// The first version with RESP3 and client tracking.
const MIN_VERSION: (u32, u32) = (6, 0);

/// The latency is the best of this many commands.
const PING_ATTEMPTS: usize = 3;

/// A larger clock skew is reported.
const MAX_CLOCK_SKEW_SECONDS: f64 = 1.0;

/// Checks what Redis reports about itself.
pub(super) async fn check(
    deployment: &RedisDeployment,
    connection: &mut MultiplexedConnection,
    diagnosis: &mut Diagnosis,
) {
    match info(connection).await {
        Ok(info) => {
            let clustered = matches!(deployment, RedisDeployment::Cluster { .. });
            check_server(&info, clustered, best_ping_latency(connection).await, diagnosis);
            check_role(&info, diagnosis);
            let saves = config_get(connection, "save").await;
            check_persistence(&info, saves.as_deref(), diagnosis);
            check_memory(&info, diagnosis);
        }
        Err(error) => {
            let advice = "allow this user INFO (ACL SETUSER name +info) for more checks";
            diagnosis.warn(Check::Server, format_args!("INFO failed: {}", error_text(&error)), advice);
            for check in [Check::Role, Check::Persistence, Check::Memory] {
                diagnosis.skip(check, "needs INFO");
            }
        }
    }
    check_scripts(connection, diagnosis).await;
    check_clock(connection, diagnosis).await;
}

/// The fields of `INFO`, by name.
pub(super) struct ServerInfo(HashMap<String, String>);

impl ServerInfo {
    fn parse(text: &str) -> Self {
        let pairs = text.lines().filter_map(|line| line.trim_end().split_once(':'));
        Self(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    fn number(&self, name: &str) -> u64 {
        self.get(name).parse().unwrap_or(0)
    }
}

async fn info(connection: &mut MultiplexedConnection) -> RedisResult<ServerInfo> {
    let text: String = redis::cmd("INFO").query_async(connection).await?;
    Ok(ServerInfo::parse(&text))
}

/// A setting of the server; managed services hide it.
async fn config_get(connection: &mut MultiplexedConnection, name: &str) -> Option<String> {
    let answer: RedisResult<Vec<String>> =
        redis::cmd("CONFIG").arg("GET").arg(name).query_async(connection).await;
    answer.ok()?.into_iter().nth(1)
}

/// The best latency of a few commands.
async fn best_ping_latency(connection: &mut MultiplexedConnection) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..PING_ATTEMPTS {
        let sent_at = Instant::now();
        if redis::cmd("PING").query_async::<()>(connection).await.is_ok() {
            best = best.min(sent_at.elapsed());
        }
    }
    best
}

fn check_server(info: &ServerInfo, clustered: bool, latency: Duration, diagnosis: &mut Diagnosis) {
    let version = info.get("redis_version");
    let name = match (info.get("valkey_version"), info.get("dragonfly_version")) {
        ("", "") => format!("Redis {version}"),
        (valkey, "") => format!("Valkey {valkey}, compatible with Redis {version}"),
        (_, dragonfly) => format!("Dragonfly {dragonfly}, compatible with Redis {version}"),
    };
    if parse_version(version) < MIN_VERSION {
        let advice = "use Redis 6.0 or later, or Valkey: older versions have no RESP3";
        return diagnosis.fail(Check::Server, name, advice);
    }
    match info.get("redis_mode") {
        "sentinel" => {
            let advice = "use redis-sentinel://host:26379/ and the name of the primary";
            diagnosis.fail(Check::Server, format_args!("{name}, a Sentinel"), advice);
        }
        "cluster" if !clustered => {
            let advice = "use redis-cluster://, which discovers the other nodes";
            diagnosis.fail(Check::Server, format_args!("{name}, a node of a Cluster"), advice);
        }
        _ if latency > Timing::default().store_timeout => {
            let found = format!(
                "{name}, but responses take {} ms; instances wait {} ms at most",
                latency.as_millis(),
                Timing::default().store_timeout.as_millis()
            );
            let advice = "find out what keeps it busy (redis-cli SLOWLOG GET), or use a closer Redis";
            diagnosis.fail(Check::Server, found, advice);
        }
        _ => diagnosis.ok(Check::Server, name),
    }
}

/// An unreadable version counts as the oldest.
fn parse_version(text: &str) -> (u32, u32) {
    let mut parts = text.split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

fn check_role(info: &ServerInfo, diagnosis: &mut Diagnosis) {
    match info.get("role") {
        "slave" => {
            let primary = format!("{}:{}", info.get("master_host"), info.get("master_port"));
            let advice = format!("use the address of its primary, {primary}");
            diagnosis.fail(Check::Role, "a replica, read-only", advice);
        }
        _ => diagnosis.ok(Check::Role, "a primary, writable"),
    }
}

fn check_persistence(info: &ServerInfo, saves: Option<&str>, diagnosis: &mut Diagnosis) {
    let failed = |name: &str| !matches!(info.get(name), "ok" | "");
    let appends = info.get("aof_enabled") == "1";
    if failed("rdb_last_bgsave_status") || appends && failed("aof_last_write_status") {
        let advice = "check its log and its disk: until it can save, it may refuse all writes";
        return diagnosis.fail(Check::Persistence, "the last save to disk failed", advice);
    }
    let advice = "start it with --appendonly yes";
    match (appends, saves) {
        (true, _) => diagnosis.ok(Check::Persistence, "append-only file: circuits survive a restart"),
        (false, Some("")) => {
            let found =
                "off: circuits are lost when Redis restarts, except those that running gateways restore";
            diagnosis.warn(Check::Persistence, found, advice);
        }
        (false, Some(_)) => {
            let found = "snapshots only: a crash of Redis loses the last minutes";
            diagnosis.warn(Check::Persistence, found, advice);
        }
        (false, None) => {
            let found = "no append-only file; snapshots unknown (CONFIG GET not allowed)";
            diagnosis.warn(Check::Persistence, found, "check the persistence settings of the service");
        }
    }
}

fn check_memory(info: &ServerInfo, diagnosis: &mut Diagnosis) {
    let (used, limit) = (info.number("used_memory"), info.number("maxmemory"));
    let policy = info.get("maxmemory_policy");
    if limit == 0 {
        return diagnosis.ok(Check::Memory, format_args!("{} used, no limit", megabytes(used)));
    }
    let found = format!("{} of {} used, {policy}", megabytes(used), megabytes(limit));
    if policy == "noeviction" {
        if used >= limit {
            let advice = "raise maxmemory or delete other data: circuits cannot be written";
            return diagnosis.fail(Check::Memory, found, advice);
        }
        return diagnosis.ok(Check::Memory, found);
    }
    let what = if policy.starts_with("volatile-") {
        "a full Redis evicts keys that expire, circuits included (but no forced ones)"
    } else {
        "a full Redis evicts any key, circuits included"
    };
    let advice = format!("{what}: set maxmemory-policy noeviction, or use a separate Redis for the circuits");
    diagnosis.warn(Check::Memory, found, advice);
}

fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes.div_ceil(1024 * 1024))
}

/// Runs a script that does nothing, in the same way as circuits are written.
async fn check_scripts(connection: &mut MultiplexedConnection, diagnosis: &mut Diagnosis) {
    match run_script(connection).await {
        Ok(()) => diagnosis.ok(Check::Scripts, "allowed"),
        Err(error) => {
            let advice = "allow this user scripts: ACL SETUSER name +script|load +evalsha +eval";
            diagnosis.fail(Check::Scripts, error_text(&error), advice);
        }
    }
}

async fn run_script(connection: &mut MultiplexedConnection) -> Result<(), RedisError> {
    let digest: String = redis::cmd("SCRIPT").arg("LOAD").arg("return 1").query_async(connection).await?;
    redis::cmd("EVALSHA").arg(digest).arg(0).query_async(connection).await
}

/// Never a failure by itself: instances use Redis' clock (B7).
async fn check_clock(connection: &mut MultiplexedConnection, diagnosis: &mut Diagnosis) {
    let time: RedisResult<(f64, f64)> = redis::cmd("TIME").query_async(connection).await;
    let here = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let (Ok((seconds, micros)), Ok(here)) = (time, here) else {
        let advice = "allow this user TIME (ACL SETUSER name +time)";
        return diagnosis.fail(Check::Clock, "TIME failed, and circuits use the clock of Redis", advice);
    };
    let ahead = here.as_secs_f64() - (seconds + micros / 1e6);
    if ahead.abs() < MAX_CLOCK_SKEW_SECONDS {
        diagnosis.ok(Check::Clock, "in sync with Redis");
    } else {
        let direction = if ahead > 0.0 { "ahead of" } else { "behind" };
        let found = format!(
            "this machine is {:.1} s {direction} Redis; harmless, circuits use the clock of Redis",
            ahead.abs()
        );
        diagnosis.ok(Check::Clock, found);
    }
}

#[cfg(test)]
mod tests {
    use super::{super::finding::Verdict, *};

    /// The verdict of a check for these fields.
    fn verdict(check: Check, text: &str) -> Verdict {
        let info = ServerInfo::parse(text);
        let mut diagnosis = Diagnosis::default();
        match check {
            Check::Server => check_server(&info, false, Duration::ZERO, &mut diagnosis),
            Check::Role => check_role(&info, &mut diagnosis),
            Check::Persistence => check_persistence(&info, Some("3600 1"), &mut diagnosis),
            _ => check_memory(&info, &mut diagnosis),
        }
        diagnosis.finish().into_iter().find(|finding| finding.check == check).unwrap().verdict
    }

    #[test]
    fn verdicts() {
        for (check, text, expected) in [
            (Check::Server, "redis_version:5.0.14\r\n", Verdict::Failed),
            (Check::Server, "redis_version:6.0.0\r\nredis_mode:standalone\r\n", Verdict::Ok),
            (Check::Server, "redis_version:7.2.4\r\nvalkey_version:10.0.1\r\n", Verdict::Ok),
            (Check::Server, "redis_version:7.0.15\r\nredis_mode:sentinel\r\n", Verdict::Failed),
            (Check::Server, "redis_version:7.0.15\r\nredis_mode:cluster\r\n", Verdict::Failed),
            (Check::Server, "", Verdict::Failed),
            (Check::Role, "role:slave\r\nmaster_host:a\r\nmaster_port:1\r\n", Verdict::Failed),
            (Check::Role, "role:master\r\n", Verdict::Ok),
            (Check::Persistence, "aof_enabled:1\r\naof_last_write_status:ok\r\n", Verdict::Ok),
            (Check::Persistence, "aof_enabled:1\r\naof_last_write_status:err\r\n", Verdict::Failed),
            (Check::Persistence, "aof_enabled:0\r\nrdb_last_bgsave_status:err\r\n", Verdict::Failed),
            (Check::Persistence, "aof_enabled:0\r\nrdb_last_bgsave_status:ok\r\n", Verdict::Warning),
            (Check::Memory, "used_memory:9\r\nmaxmemory:0\r\nmaxmemory_policy:allkeys-lru\r\n", Verdict::Ok),
            (
                Check::Memory,
                "used_memory:9\r\nmaxmemory:9\r\nmaxmemory_policy:noeviction\r\n",
                Verdict::Failed,
            ),
            (Check::Memory, "used_memory:8\r\nmaxmemory:9\r\nmaxmemory_policy:noeviction\r\n", Verdict::Ok),
            (
                Check::Memory,
                "used_memory:8\r\nmaxmemory:9\r\nmaxmemory_policy:volatile-lru\r\n",
                Verdict::Warning,
            ),
        ] {
            assert_eq!(verdict(check, text), expected, "{check:?}: {text}");
        }
    }
}
