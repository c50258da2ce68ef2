//! The metrics as a real Prometheus takes them, and every query of the dashboard and the alerts on them.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde_json::{Value, json};
use simulator::{Behaviour, Simulator};
use testbed::{Program, RedisServer, free_port};
use tokio::time::{Instant, sleep};

use crate::{
    program::TempDir,
    support::{ConfigFile, Instance},
};

const CONFIG: &str = "breaker.min_failure_span = '0ms'\nbreaker.open_duration = '200ms'\nbreaker.max_open_duration = '200ms'\n\
    retry.max_attempts = 1\nretry.max_retry_after = '0s'\n\
    [routes.planner]\nmodels = ['openai:bad', 'openai:good']\n\
    [routes.alone]\nmodels = ['openai:dead']\n\
    [routes.keyless]\nmodels = ['openai:keyless']\n";

/// Prometheus has so long for anything.
const PROMETHEUS_TIMEOUT: Duration = Duration::from_secs(90);

/// Another program may take the port between its choice and Prometheus' start.
const MAX_START_ATTEMPTS: usize = 5;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap()
}

/// A Prometheus of the test's own, with the configuration that docker-compose gives it.
struct Prometheus {
    _program: Program,
    url: String,
    client: reqwest::Client,
    _directory: TempDir,
}

impl Prometheus {
    async fn start(target: &str) -> Self {
        let config = read("deploy/monitoring/prometheus.yml")
            .replace("switchboard:4100", target.trim_start_matches("http://"))
            .replace("interval: 5s", "interval: 250ms");
        let directory = TempDir::new()
            .with_file("prometheus.yml", &config)
            .with_file("alerts.yml", &read("deploy/monitoring/alerts.yml"));
        let place = crate::path_of(&directory);
        let [config, data] = ["prometheus.yml", "data"].map(|name| place.join(name).display().to_string());
        for _ in 0..MAX_START_ATTEMPTS {
            let address = format!("127.0.0.1:{}", free_port());
            let arguments = [
                format!("--config.file={config}"),
                format!("--storage.tsdb.path={data}"),
                format!("--web.listen-address={address}"),
            ];
            // Installed by ./test.
            let program = Program::start("prometheus", &arguments.each_ref().map(String::as_str), []);
            // Before that it answers 503 to everything.
            if program.wait_for_line_or_exit("Server is ready to receive web requests").await.is_some() {
                let (url, client) = (format!("http://{address}"), reqwest::Client::new());
                return Self { _program: program, url, client, _directory: directory };
            }
        }
        panic!("Prometheus ended at its start {MAX_START_ATTEMPTS} times");
    }

    /// Waits until a query finds so many series. Prometheus takes 5 s to find its targets.
    async fn wait_for_series(&self, query: &str, series: usize) {
        let began = Instant::now();
        while self.query(query).await.len() < series {
            assert!(
                began.elapsed() < PROMETHEUS_TIMEOUT,
                "{series} series of {query} wanted: {:?}",
                self.query(query).await
            );
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// What a query comes to, as a list of series.
    async fn query(&self, query: &str) -> Vec<Value> {
        let url =
            url::Url::parse_with_params(&format!("{}/api/v1/query", self.url), [("query", query)]).unwrap();
        let answer: Value = self.client.get(url).send().await.unwrap().json().await.unwrap();
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        answer["data"]["result"].as_array().unwrap().clone()
    }
}

/// Something of everything: answers, streams, fallbacks, a circuit that opens and closes again, one that a person
/// opened, a refused key, no answer at all.
async fn generate_traffic(instance: &Instance, simulator: &Simulator) {
    let failing = || Behaviour::status(http::StatusCode::SERVICE_UNAVAILABLE);
    for model in ["bad", "dead"] {
        simulator.script(model, failing());
    }
    simulator.script("keyless", Behaviour::status(http::StatusCode::UNAUTHORIZED));
    let messages = json!([{"role": "user", "content": "Hello"}]);
    let stream = json!({"model": "planner", "messages": messages, "stream": true, "max_tokens": 9,
        "stream_options": {"include_usage": true}});
    for _ in 0..5 {
        for model in ["planner", "alone", "keyless"] {
            instance.chat(model).await;
        }
        let url = format!("{}/v1/chat/completions", instance.url);
        instance.client.post(url).json(&stream).send().await.unwrap().text().await.unwrap();
    }
    // A model of another API format than the caller's.
    let translated = json!({"model": "openai:gpt-5", "messages": messages, "max_tokens": 9});
    let url = format!("{}/v1/messages", instance.url);
    let status = instance.client.post(url).json(&translated).send().await.unwrap().status();
    assert_eq!(status, http::StatusCode::OK);
}

/// All expressions of the dashboard and of the alerts.
fn expressions() -> Vec<String> {
    let dashboard: Value =
        serde_json::from_str(&read("deploy/monitoring/grafana/dashboards/switchboard.json")).unwrap();
    let rules: Value = serde_saphyr::from_str(&read("deploy/monitoring/alerts.yml")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let shown = panels.flat_map(|panel| panel["targets"].as_array().unwrap());
    let alerts = rules["groups"][0]["rules"].as_array().unwrap().iter();
    let found = shown.chain(alerts).map(|query| query["expr"].as_str().unwrap());
    found.map(|query| query.replace("$__rate_interval", "1m")).collect()
}

/// The series that an expression is made from: names with what stands in braces behind them.
fn selectors(expression: &str) -> Vec<String> {
    let starts = expression.match_indices("switchboard_").map(|(at, _)| at);
    starts
        .filter(|at| {
            expression[..*at].chars().last().is_none_or(|before| !before.is_alphanumeric() && before != '"')
        })
        .map(|at| {
            let rest = &expression[at..];
            let name = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            let braces = if rest[name..].starts_with('{') { rest.find('}').unwrap() + 1 } else { name };
            rest[..braces].to_owned()
        })
        .collect()
}

#[tokio::test]
async fn every_query_of_the_dashboard_and_the_alerts_finds_what_it_asks_for() {
    let (redis, simulator) = (RedisServer::start().await, Simulator::start().await.unwrap());
    let config = ConfigFile::new(CONFIG);
    let instance =
        Instance::start_with(Some(&redis.url()), &simulator, &[("SWITCHBOARD_CONFIG", config.path())]).await;
    generate_traffic(&instance, &simulator).await;
    let prometheus = Prometheus::start(&instance.url).await;
    prometheus.wait_for_series("up == 1", 1).await;
    prometheus.wait_for_series("switchboard_calls_total", 3).await;
    // A rate needs two scrapes with something between them; the circuit recovers meanwhile.
    simulator.script("bad", Behaviour::ok());
    testbed::wait_until("the circuit closes again", async || {
        instance.chat("planner").await.1.as_deref() == Some("openai:bad")
    })
    .await;
    generate_traffic(&instance, &simulator).await;
    let two = "min(count_over_time(up{job=\"switchboard\"}[1m])) > 4";
    prometheus.wait_for_series(two, 1).await;

    let mut sought = BTreeSet::new();
    for expression in expressions() {
        prometheus.query(&expression).await;
        sought.extend(selectors(&expression));
    }
    assert!(sought.len() >= 25, "{sought:?}");
    for selector in &sought {
        // What came last may not have been fetched yet.
        prometheus.wait_for_series(&format!("last_over_time({selector}[1m])"), 1).await;
    }
    // Of what stands on the dashboard all has something to show after such traffic.
    let shown = expressions()
        .into_iter()
        .filter(|expression| ![" > ", " == "].iter().any(|comparison| expression.contains(comparison)));
    for expression in shown {
        prometheus.wait_for_series(&expression, 1).await;
    }
    let alerts = "count by (alertname) (ALERTS{alertname=~\"SwitchboardProviderAuthFailing|SwitchboardHighErrorRate\"})";
    prometheus.wait_for_series(alerts, 2).await;
}

/// What is documented is there, and what is there is documented.
#[tokio::test]
async fn the_table_of_metrics_is_true() {
    let (redis, simulator) = (RedisServer::start().await, Simulator::start().await.unwrap());
    // The circuit is still open when it is asked for.
    let config = ConfigFile::new(&CONFIG.replace("200ms", "10m"));
    let instance =
        Instance::start_with(Some(&redis.url()), &simulator, &[("SWITCHBOARD_CONFIG", config.path())]).await;
    generate_traffic(&instance, &simulator).await;
    let mut scrape = String::new();
    for line in [
        "switchboard_circuit_state{model=\"openai:bad\",state=\"open\"} 1",
        "to=\"open\",reason=\"status\",by=\"self\"} ",
    ] {
        testbed::wait_until(line, async || {
            let answer = instance.client.get(format!("{}/metrics", instance.url)).send().await.unwrap();
            scrape = answer.text().await.unwrap();
            scrape.contains(line)
        })
        .await;
    }
    let there: BTreeSet<String> = scrape
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .map(|line| {
            let (name, kind) = line.split_once(' ').unwrap();
            format!("{name}{}", if kind == "counter" { "_total" } else { "" })
        })
        .collect();
    let page = read("docs/monitoring.md");
    let rows = page.lines().filter(|line| line.starts_with("| `switchboard_"));
    let names = rows.flat_map(|row| row.split('|').nth(1).unwrap().split('`').skip(1).step_by(2));
    let documented: BTreeSet<String> = names.map(str::to_owned).collect();
    assert_eq!(there, documented);
}

#[test]
fn promtool_finds_nothing_wrong() {
    for arguments in [["check", "config", "prometheus.yml"], ["test", "rules", "alerts_test.yml"]] {
        let directory = root().join("deploy/monitoring");
        let ended = Command::new("promtool").args(arguments).current_dir(directory).output().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
    }
}

/// A dashboard is not to be found empty by whoever is woken: its panels lie side by side and each asks for something.
#[test]
fn panels_do_not_cover_each_other() {
    for name in ["switchboard", "models", "fleet"] {
        let dashboard: Value =
            serde_json::from_str(&read(&format!("deploy/monitoring/grafana/dashboards/{name}.json")))
                .unwrap();
        let mut taken = BTreeSet::new();
        for panel in dashboard["panels"].as_array().unwrap() {
            assert!(panel["targets"].as_array().is_some_and(|targets| !targets.is_empty()));
            let edge = |name: &str| panel["gridPos"][name].as_u64().unwrap();
            for x in edge("x")..edge("x") + edge("w") {
                for y in edge("y")..edge("y") + edge("h") {
                    assert!(x < 24 && taken.insert((x, y)), "{name}: {}", panel["title"]);
                }
            }
        }
    }
}
