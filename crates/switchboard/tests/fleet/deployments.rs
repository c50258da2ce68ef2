//! The program on Redis Sentinel and Redis Cluster: it serves, tells what it found, and goes on after a failover (F6).

use std::path::Path;

use simulator::Simulator;
use testbed::{ClusterDeployment, SentinelDeployment, wait_until};
use tokio::time::Instant;

use crate::{
    heartbeats::ids,
    program::{ProgramOutput, TempDir},
    support::{ConfigFile, Instance, TRIPS_AT_ONCE},
};

const MODELS: [&str; 4] = ["openai:gpt-5", "openai:gpt-5-mini", "openai:gpt-5-nano", "openai:gpt-4.1"];

async fn run(url: &str, arguments: &[&str]) -> ProgramOutput {
    TempDir::new().run(arguments, &[("REDIS_URL", url), ("OPENAI_API_KEY", "k")]).await
}

/// What `doctor` says of the deployment.
async fn doctor_deployment(url: &str) -> (String, String) {
    let ended = run(url, &["doctor", "--json"]).await;
    let report = ended.json();
    let checks = report["checks"].as_array().unwrap();
    let failed: Vec<_> = checks.iter().filter(|finding| finding["verdict"] == "failed").collect();
    assert_eq!((ended.code, failed.len()), (Some(0), 0), "{failed:?}");
    let finding = checks.iter().find(|finding| finding["check"] == "deployment").unwrap();
    let text = |part: &str| finding[part].as_str().unwrap().to_owned();
    (text("verdict"), text("found"))
}

/// `switchboard circuits` lists the circuits of all models, however many servers have them.
async fn assert_lists_all(url: &str) {
    let ended = run(url, &["circuits"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    for model in MODELS {
        assert!(ended.stdout.contains(model), "{model}: {}", ended.stdout);
    }
}

async fn serve(url: &str, simulator: &Simulator) -> (Instance, ConfigFile) {
    let config = ConfigFile::new(TRIPS_AT_ONCE);
    let instance = Instance::start_with(Some(url), simulator, &[("SWITCHBOARD_CONFIG", config.path())]).await;
    for model in MODELS {
        assert_eq!(instance.chat(model).await.0, 200);
    }
    instance.wait_until_store_is("connected").await;
    (instance, config)
}

/// A stranger's word is obeyed.
async fn assert_obeys_external_write(instance: &Instance, redis: impl AsyncFn(&str, &[&str]) -> String) {
    for model in MODELS {
        let key = format!("circuit_breaker:{model}");
        redis(&key, &["SET", &key, r#"{"state":"OPEN"}"#]).await;
        instance.call_until_refused(model, true).await;
        redis(&key, &["DEL", &key]).await;
        instance.call_until_refused(model, false).await;
    }
}

#[tokio::test]
async fn sentinel() {
    let mut redis = SentinelDeployment::start(Path::new("redis-server")).await;
    let (url, simulator) = (redis.url(), Simulator::start().await.unwrap());
    let (verdict, found) = doctor_deployment(&url).await;
    assert_eq!(verdict, "ok", "{found}");
    let port = redis.servers[0].port();
    let expected =
        format!("3 of 3 Sentinels respond; 3 monitor \"main\": primary 127.0.0.1:{port}, 2 replicas");
    assert_eq!(found, expected);

    let (instance, _config) = serve(&url, &simulator).await;
    assert_lists_all(&url).await;
    assert_obeys_external_write(&instance, async |_, command| redis.servers[0].cli(command).await).await;
    redis.wait_for_replicas().await;
    redis.servers[0].kill();
    let killed = Instant::now();
    instance.wait_until_store_is("degraded").await;
    assert_eq!(instance.chat(MODELS[0]).await.0, 200, "a good call went on");
    wait_until("the store is back", async || instance.health().await["store"]["state"] == "connected").await;
    println!("the primary killed: /health says connected again after {:?}", killed.elapsed());
    // The one Sentinel that is asked may hear of it later than those that the instance has asked.
    wait_until("the Sentinel names the new primary", async || redis.primary().await != 0).await;
    let primary = redis.primary().await;
    assert_obeys_external_write(&instance, async |_, command| redis.servers[primary].cli(command).await)
        .await;
    assert_lists_all(&url).await;
    let (_, found) = doctor_deployment(&url).await;
    assert!(found.contains(&format!("primary 127.0.0.1:{}", redis.servers[primary].port())), "{found}");
}

#[tokio::test]
async fn cluster() {
    let mut cluster = ClusterDeployment::start(Path::new("redis-server")).await;
    let (url, simulator) = (cluster.url(), Simulator::start().await.unwrap());
    let (verdict, found) = doctor_deployment(&url).await;
    assert_eq!((verdict.as_str(), found.as_str()), ("ok", "3 masters with 16384 of 16384 slots, 3 replicas"));

    let (instance, _config) = serve(&url, &simulator).await;
    assert_lists_all(&url).await;
    assert_obeys_external_write(&instance, async |key, command| cluster.cli(key, command).await).await;
    cluster.wait_for_replica(1).await;
    cluster.nodes[1].kill();
    let killed = Instant::now();
    instance.wait_until_store_is("degraded").await;
    assert_eq!(instance.chat(MODELS[0]).await.0, 200, "a good call went on");
    wait_until("the store is back", async || instance.health().await["store"]["state"] == "connected").await;
    println!("a master killed: /health says connected again after {:?}", killed.elapsed());
    assert_obeys_external_write(&instance, async |key, command| cluster.cli(key, command).await).await;
    assert_lists_all(&url).await;
    let (verdict, found) = doctor_deployment(&url).await;
    assert_eq!(verdict, "warning", "a replica is missing: {found}");
}

/// The narrow rights that the manual gives, at servers and Sentinels, are enough, and each is let in by its own password.
#[tokio::test]
async fn sentinel_with_narrow_rights() {
    let redis = SentinelDeployment::start(Path::new("redis-server")).await;
    let [servers, role, _, sentinels] = acl_rules();
    for server in &redis.servers {
        for rights in [&servers, &role] {
            set_acl(server, rights).await;
        }
    }
    for sentinel in &redis.sentinels {
        set_acl(sentinel, &sentinels.replace(">password", ">other")).await;
    }
    let login = |url: &str| url.replace("://", "://switchboard:password@");
    let right = format!("{}?sentinel_username=switchboard&sentinel_password=other", login(&redis.url()));
    let (verdict, found) = doctor_deployment(&right).await;
    assert_eq!(verdict, "ok", "{found}");
    let simulator = Simulator::start().await.unwrap();
    let (instance, _config) = serve(&right, &simulator).await;
    assert_obeys_external_write(&instance, async |_, command| redis.servers[0].cli(command).await).await;
    assert_sees_others(&instance, &right, &simulator).await;
    assert_trip_is_written(&instance, &simulator, async |_, command| redis.servers[0].cli(command).await)
        .await;
    assert_lists_all(&right).await;
    let ended = run(&right, &["circuits", "open", MODELS[1]]).await;
    assert_eq!(ended.code, Some(0), "for ever: {}{}", ended.stdout, ended.stderr);
    instance.call_until_refused(MODELS[1], true).await;

    for (wrong, check) in
        [(right.replace("=other", "=wrong"), "deployment"), (right.replace("d@", "t@"), "authentication")]
    {
        let ended = run(&wrong, &["doctor", "--json"]).await;
        let report = ended.json();
        let checks = report["checks"].as_array().unwrap();
        let finding = checks.iter().find(|finding| finding["check"] == check).unwrap();
        assert_eq!((ended.code, &finding["verdict"]), (Some(1), &serde_json::json!("failed")), "{finding}");
        assert!(!ended.stdout.contains("wrong"), "no password is shown");
    }
}

#[tokio::test]
async fn cluster_with_narrow_rights() {
    let cluster = ClusterDeployment::start(Path::new("redis-server")).await;
    let [servers, _, more, _] = acl_rules();
    for server in &cluster.nodes {
        for rights in [&servers, &more] {
            set_acl(server, rights).await;
        }
    }
    let url = cluster.url().replace("://", "://switchboard:password@");
    let (verdict, found) = doctor_deployment(&url).await;
    assert_eq!(verdict, "ok", "{found}");
    let simulator = Simulator::start().await.unwrap();
    let (instance, _config) = serve(&url, &simulator).await;
    assert_obeys_external_write(&instance, async |key, command| cluster.cli(key, command).await).await;
    assert_sees_others(&instance, &url, &simulator).await;
    assert_trip_is_written(&instance, &simulator, async |key, command| cluster.cli(key, command).await).await;
    assert_lists_all(&url).await;
    // What the gateway does not need day by day, but in a failover.
    cluster.nodes[3].cli(&["CLUSTER", "FAILOVER"]).await;
    wait_until("the replica is made a master", async || {
        cluster.nodes[3].cli(&["ROLE"]).await.starts_with("master")
    })
    .await;
    assert_obeys_external_write(&instance, async |key, command| cluster.cli(key, command).await).await;
}

/// The lines of the manual that give rights: of the servers, for Sentinel, for a Cluster, of the Sentinels.
fn acl_rules() -> [String; 4] {
    let manual = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/redis.md");
    let text = std::fs::read_to_string(manual).unwrap();
    let lines = text.lines().filter(|line| line.starts_with("ACL SETUSER switchboard"));
    lines.map(str::to_owned).collect::<Vec<_>>().try_into().unwrap()
}

async fn set_acl(server: &testbed::RedisServer, rights: &str) {
    let words: Vec<_> = rights.split(' ').collect();
    assert_eq!(server.cli(&words).await, "OK", "{rights}");
}

/// A circuit that opens is written with its history, and so is one that is opened by hand.
async fn assert_trip_is_written(
    instance: &Instance,
    simulator: &Simulator,
    redis: impl AsyncFn(&str, &[&str]) -> String,
) {
    simulator.script("gpt-5", simulator::Behaviour::status(http::StatusCode::SERVICE_UNAVAILABLE));
    instance.call_until_refused("openai:gpt-5", true).await;
    let (key, history) = ("circuit_breaker:openai:gpt-5", "{circuit_breaker:openai:gpt-5}:events");
    wait_until("the opening is written", async || {
        redis(key, &["GET", key]).await.contains("OPEN") && redis(key, &["XLEN", history]).await != "0"
    })
    .await;
    instance.wait_until_store_is("connected").await;
}

/// Another instance and this one learn of each other.
async fn assert_sees_others(instance: &Instance, url: &str, simulator: &Simulator) {
    let (other, _config) = serve(url, simulator).await;
    wait_until("they see each other", async || {
        let (by_one, by_other) = (instance.circuits().await, other.circuits().await);
        ids(&by_one).len() == 2 && ids(&by_one) == ids(&by_other)
    })
    .await;
}

/// What cannot be found is said, with what to do.
#[tokio::test]
async fn doctor_says_what_is_wrong() {
    let redis = testbed::RedisServer::start().await;
    let port = redis.port();
    for (url, found, advice) in [
        (format!("redis-sentinel://127.0.0.1:{port}/main"), "Sentinel 127.0.0.1", "not a Sentinel"),
        (format!("redis-cluster://127.0.0.1:{port}"), "no node returned the slot map", "use redis://"),
        ("redis-sentinel://127.0.0.1:1/main".to_owned(), "Sentinel 127.0.0.1:1", "start it, or check"),
        (
            "redis://127.0.0.1:1,127.0.0.1:2".to_owned(),
            "no node returned",
            "start a node that REDIS_URL names",
        ),
    ] {
        let ended = run(&url, &["doctor", "--json"]).await;
        assert_eq!(ended.code, Some(1));
        let report = ended.json();
        let checks = report["checks"].as_array().unwrap();
        let finding = checks.iter().find(|finding| finding["check"] == "deployment").unwrap();
        let says = |part: &str, text: &str| finding[part].as_str().is_some_and(|value| value.contains(text));
        assert!(
            finding["verdict"] == "failed" && says("found", found) && says("advice", advice),
            "{finding}"
        );
        let host = checks.iter().find(|finding| finding["check"] == "host").unwrap();
        assert_eq!(host["found"], "needs deployment");
    }
}
