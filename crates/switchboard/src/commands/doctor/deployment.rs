//! How Redis is deployed: who has the circuits, by what Sentinels or the nodes of a Cluster say.

use std::time::{Duration, SystemTime};

use ::circuits::{CLOCK_TOLERANCE, ClusterSurvey, RedisDeployment, RedisNode};
use redis::{RedisError, RedisResult};

use super::{
    examination::Examination,
    finding::Check,
    network::{connect, told},
};

/// Fewer Sentinels cannot agree once one is lost.
const ENOUGH_SENTINELS: usize = 3;

/// The servers that have the circuits.
pub(super) async fn examine(deployment: &RedisDeployment, examination: &mut Examination) -> Vec<RedisNode> {
    match deployment {
        RedisDeployment::One(server) => {
            examination.ok(Check::Deployment, "one Redis");
            vec![server.clone()]
        }
        RedisDeployment::Sentinel { sentinels, name, login } => {
            examine_sentinels(sentinels, name, login, examination).await.into_iter().collect()
        }
        RedisDeployment::Cluster { seeds } => examine_cluster(seeds, examination).await,
    }
}

/// What one Sentinel says.
struct Told {
    primary: (String, u16),
    replicas: usize,
    /// How many Sentinels there are, this one among them.
    sentinels: usize,
}

async fn examine_sentinels(
    sentinels: &[RedisNode],
    name: &str,
    login: &RedisNode,
    examination: &mut Examination,
) -> Option<RedisNode> {
    let (mut told, mut wrong) = (Vec::new(), Vec::new());
    for sentinel in sentinels {
        match ask_sentinel(sentinel, name).await {
            Ok(answer) => told.push(answer),
            Err(error) => {
                wrong.push((format!("Sentinel {sentinel}: {}", self::told(&error)), advise(&error)));
            }
        }
    }
    let votes = |answer: &Told| told.iter().filter(|other| other.primary == answer.primary).count();
    let Some(answer) = told.iter().max_by_key(|answer| votes(answer)) else {
        let (found, advice) = wrong.into_iter().next()?;
        examination.fail(Check::Deployment, found, advice);
        return None;
    };
    let (host, port) = &answer.primary;
    let known = answer.sentinels;
    let found = format!(
        "{} of {} Sentinels answer; {known} watch over {name:?}: primary {host}:{port}, {} replicas",
        told.len(),
        sentinels.len(),
        answer.replicas
    );
    if let Some((wrong, advice)) = wrong.into_iter().next() {
        examination.warn(Check::Deployment, format_args!("{found}; {wrong}"), advice);
    } else if votes(answer) < told.len() {
        let advice = "wait for a failover to end, then run this again";
        examination.warn(Check::Deployment, format_args!("{found}; not all name this primary"), advice);
    } else if answer.replicas == 0 {
        let advice = "add a replica: there is nobody to take the primary's place";
        examination.warn(Check::Deployment, found, advice);
    } else if known < ENOUGH_SENTINELS {
        let advice = "use three Sentinels or more: fewer cannot agree once one is lost";
        examination.warn(Check::Deployment, found, advice);
    } else {
        examination.ok(Check::Deployment, found);
    }
    Some(login.at(host, *port))
}

async fn ask_sentinel(sentinel: &RedisNode, name: &str) -> RedisResult<Told> {
    let mut connection = connect(sentinel).await?;
    let mut ask = redis::cmd("SENTINEL");
    let fields: Vec<String> = ask.arg("MASTER").arg(name).query_async(&mut connection).await?;
    let field = |name: &str| fields.chunks_exact(2).find(|pair| pair[0] == name).map(|pair| pair[1].as_str());
    let count = |name| field(name).and_then(|count| count.parse().ok()).unwrap_or(0);
    let mut ask = redis::cmd("SENTINEL");
    ask.arg("GET-MASTER-ADDR-BY-NAME").arg(name);
    Ok(Told {
        primary: ask.query_async(&mut connection).await?,
        replicas: count("num-slaves"),
        sentinels: count("num-other-sentinels") + 1,
    })
}

fn advise(error: &RedisError) -> &'static str {
    let text = error.to_string();
    if text.contains("No such master") {
        "check the primary's name in REDIS_URL: it is that of `sentinel monitor` in sentinel.conf"
    } else if matches!(error.code(), Some("NOAUTH" | "WRONGPASS")) || text.contains("AUTH") {
        "Sentinels have a password of their own: add ?sentinel_password= to REDIS_URL"
    } else if text.contains("unknown command") {
        "this is no Sentinel (port 26379 mostly); for one Redis write redis://"
    } else {
        "start it, or check its host and port in REDIS_URL and firewalls on the way"
    }
}

async fn examine_cluster(seeds: &[RedisNode], examination: &mut Examination) -> Vec<RedisNode> {
    let survey = match ClusterSurvey::make(seeds).await {
        Ok(survey) => survey,
        Err(error) => {
            let text = error.to_string();
            let advice = if text.contains("cluster support disabled") {
                "this is no node of a Cluster: write redis:// for one Redis"
            } else if text.contains("no slots") {
                "make the Cluster: redis-cli --cluster create"
            } else {
                "start a node that REDIS_URL names, or check its host, port and password"
            };
            examination.fail(Check::Deployment, format_args!("no node tells who has what: {text}"), advice);
            return Vec::new();
        }
    };
    let ClusterSurvey { masters, replicas, covered } = survey;
    let all = ClusterSurvey::SLOTS;
    let found =
        format!("{} masters with {covered} of {all} slots, {} replicas", masters.len(), replicas.len());
    let apart = clocks_apart(&masters).await;
    if covered < all {
        let advice = "give every slot a master: redis-cli --cluster fix; until then circuits are not shared";
        examination.fail(Check::Deployment, found, advice);
    } else if replicas.len() < masters.len() {
        let advice = "add replicas: while a master without one is away, circuits are not shared";
        examination.warn(Check::Deployment, found, advice);
    } else if apart > CLOCK_TOLERANCE {
        let found = format!("{found}; their clocks are {} ms apart", apart.as_millis());
        examination.warn(
            Check::Deployment,
            found,
            "set the clocks of all masters by NTP: circuits go by them",
        );
    } else {
        examination.ok(Check::Deployment, found);
    }
    masters
}

/// How far the masters' clocks are apart. One that does not answer is told of elsewhere.
async fn clocks_apart(masters: &[RedisNode]) -> Duration {
    let mut ahead = Vec::new();
    for master in masters {
        let Ok(mut connection) = connect(master).await else { continue };
        let time: RedisResult<(f64, f64)> = redis::cmd("TIME").query_async(&mut connection).await;
        let here = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        if let (Ok((seconds, micros)), Ok(here)) = (time, here) {
            ahead.push(seconds + micros / 1e6 - here.as_secs_f64());
        }
    }
    let most = ahead.iter().copied().fold(f64::MIN, f64::max);
    let least = ahead.iter().copied().fold(f64::MAX, f64::min);
    Duration::try_from_secs_f64(most - least).unwrap_or_default()
}
