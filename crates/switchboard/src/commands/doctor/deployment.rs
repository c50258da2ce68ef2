//! How Redis is deployed: which servers hold the circuits, according to the Sentinels or the nodes of a Cluster.

use std::time::{Duration, SystemTime};

use ::circuits::{CLOCK_TOLERANCE, ClusterSurvey, RedisDeployment, RedisNode};
use redis::{RedisError, RedisResult};

use super::{
    diagnosis::Diagnosis,
    finding::Check,
    network::{connect, error_text},
};

/// With fewer Sentinels there is no majority after the loss of one.
const MIN_SENTINELS: usize = 3;

/// The servers that hold the circuits.
pub(super) async fn check(deployment: &RedisDeployment, diagnosis: &mut Diagnosis) -> Vec<RedisNode> {
    match deployment {
        RedisDeployment::Standalone(server) => {
            diagnosis.ok(Check::Deployment, "single Redis");
            vec![server.clone()]
        }
        RedisDeployment::Sentinel { sentinels, name, login } => {
            check_sentinels(sentinels, name, login, diagnosis).await.into_iter().collect()
        }
        RedisDeployment::Cluster { seeds } => check_cluster(seeds, diagnosis).await,
    }
}

/// The reply of one Sentinel.
struct SentinelReply {
    primary: (String, u16),
    replicas: usize,
    /// The number of Sentinels, this one included.
    sentinels: usize,
}

async fn check_sentinels(
    sentinels: &[RedisNode],
    name: &str,
    login: &RedisNode,
    diagnosis: &mut Diagnosis,
) -> Option<RedisNode> {
    let (mut replies, mut errors) = (Vec::new(), Vec::new());
    for sentinel in sentinels {
        match query_sentinel(sentinel, name).await {
            Ok(answer) => replies.push(answer),
            Err(error) => {
                errors.push((format!("Sentinel {sentinel}: {}", error_text(&error)), advice_for(&error)));
            }
        }
    }
    let votes =
        |answer: &SentinelReply| replies.iter().filter(|other| other.primary == answer.primary).count();
    let Some(answer) = replies.iter().max_by_key(|answer| votes(answer)) else {
        let (found, advice) = errors.into_iter().next()?;
        diagnosis.fail(Check::Deployment, found, advice);
        return None;
    };
    let (host, port) = &answer.primary;
    let sentinel_count = answer.sentinels;
    let found = format!(
        "{} of {} Sentinels respond; {sentinel_count} monitor {name:?}: primary {host}:{port}, {} replicas",
        replies.len(),
        sentinels.len(),
        answer.replicas
    );
    if let Some((wrong, advice)) = errors.into_iter().next() {
        diagnosis.warn(Check::Deployment, format_args!("{found}; {wrong}"), advice);
    } else if votes(answer) < replies.len() {
        let advice = "wait until the failover is over, then run this again";
        diagnosis.warn(Check::Deployment, format_args!("{found}; they disagree on the primary"), advice);
    } else if answer.replicas == 0 {
        let advice = "add a replica: without one no failover is possible";
        diagnosis.warn(Check::Deployment, found, advice);
    } else if sentinel_count < MIN_SENTINELS {
        let advice = "use at least three Sentinels: with fewer there is no majority after the loss of one";
        diagnosis.warn(Check::Deployment, found, advice);
    } else {
        diagnosis.ok(Check::Deployment, found);
    }
    Some(login.with_address(host, *port))
}

async fn query_sentinel(sentinel: &RedisNode, name: &str) -> RedisResult<SentinelReply> {
    let mut connection = connect(sentinel).await?;
    let mut command = redis::cmd("SENTINEL");
    let fields: Vec<String> = command.arg("MASTER").arg(name).query_async(&mut connection).await?;
    let field = |name: &str| fields.chunks_exact(2).find(|pair| pair[0] == name).map(|pair| pair[1].as_str());
    let count = |name| field(name).and_then(|count| count.parse().ok()).unwrap_or(0);
    let mut command = redis::cmd("SENTINEL");
    command.arg("GET-MASTER-ADDR-BY-NAME").arg(name);
    Ok(SentinelReply {
        primary: command.query_async(&mut connection).await?,
        replicas: count("num-slaves"),
        sentinels: count("num-other-sentinels") + 1,
    })
}

fn advice_for(error: &RedisError) -> &'static str {
    let text = error.to_string();
    if text.contains("No such master") {
        "check the primary's name in REDIS_URL: it must match `sentinel monitor` in sentinel.conf"
    } else if matches!(error.code(), Some("NOAUTH" | "WRONGPASS")) || text.contains("AUTH") {
        "the Sentinels need their own password: add ?sentinel_password= to REDIS_URL"
    } else if text.contains("unknown command") {
        "not a Sentinel (usually port 26379); for a single Redis use redis://"
    } else {
        "start it, or check its host and port in REDIS_URL and the firewalls"
    }
}

async fn check_cluster(seeds: &[RedisNode], diagnosis: &mut Diagnosis) -> Vec<RedisNode> {
    let survey = match ClusterSurvey::discover(seeds).await {
        Ok(survey) => survey,
        Err(error) => {
            let text = error.to_string();
            let advice = if text.contains("cluster support disabled") {
                "not a Cluster node: use redis:// for a single Redis"
            } else if text.contains("no slots") {
                "create the Cluster: redis-cli --cluster create"
            } else {
                "start a node that REDIS_URL names, or check its host, port and password"
            };
            diagnosis.fail(Check::Deployment, format_args!("no node returned the slot map: {text}"), advice);
            return Vec::new();
        }
    };
    let ClusterSurvey { masters, replicas, assigned_slots } = survey;
    let all = ClusterSurvey::SLOTS;
    let found = format!(
        "{} masters with {assigned_slots} of {all} slots, {} replicas",
        masters.len(),
        replicas.len()
    );
    let clock_skew = max_clock_skew(&masters).await;
    if assigned_slots < all {
        let advice =
            "assign every slot to a master: redis-cli --cluster fix; until then circuits are not shared";
        diagnosis.fail(Check::Deployment, found, advice);
    } else if replicas.len() < masters.len() {
        let advice = "add replicas: while a master without a replica is down, circuits are not shared";
        diagnosis.warn(Check::Deployment, found, advice);
    } else if clock_skew > CLOCK_TOLERANCE {
        let found = format!("{found}; their clocks are {} ms apart", clock_skew.as_millis());
        diagnosis.warn(
            Check::Deployment,
            found,
            "synchronize the clocks of all masters (NTP): circuits use them",
        );
    } else {
        diagnosis.ok(Check::Deployment, found);
    }
    masters
}

/// The largest difference between the masters' clocks. Unreachable masters are reported by other checks.
async fn max_clock_skew(masters: &[RedisNode]) -> Duration {
    let mut offsets = Vec::new();
    for master in masters {
        let Ok(mut connection) = connect(master).await else { continue };
        let time: RedisResult<(f64, f64)> = redis::cmd("TIME").query_async(&mut connection).await;
        let here = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        if let (Ok((seconds, micros)), Ok(here)) = (time, here) {
            offsets.push(seconds + micros / 1e6 - here.as_secs_f64());
        }
    }
    let most = offsets.iter().copied().fold(f64::MIN, f64::max);
    let least = offsets.iter().copied().fold(f64::MAX, f64::min);
    Duration::try_from_secs_f64(most - least).unwrap_or_default()
}
