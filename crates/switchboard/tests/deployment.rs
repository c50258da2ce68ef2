//! The deployment files: no container engine is needed to see that they say what they must.

#![expect(clippy::panic, reason = "helpers of tests fail tests")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use providers::{Activation, Vendor};
use serde_json::Value;
use switchboard::config::{environment::names, tasks::task_variables};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// What Open SWE's users type must work as written: `docker-compose up -d redis`, `docker exec -it open-swe-redis`.
#[test]
fn compose_has_the_redis_that_its_users_know() {
    let compose: Value = serde_saphyr::from_str(&read("docker-compose.yml")).unwrap();
    let redis = &compose["services"]["redis"];
    assert_eq!(redis["container_name"], "open-swe-redis");
    assert_eq!(redis["ports"], serde_json::json!(["127.0.0.1:6379:6379"]), "it has no password");
    let words = |value: &Value| match value {
        Value::Array(words) => words.iter().map(|word| word.as_str().unwrap()).collect::<Vec<_>>().join(" "),
        text => text.as_str().unwrap().to_owned(),
    };
    assert!(words(&redis["command"]).contains("--appendonly yes"), "its data must outlive it");
    assert!(words(&redis["healthcheck"]["test"]).contains("redis-cli"), "a health check");
    let volume = redis["volumes"][0].as_str().unwrap().split_once(':').unwrap();
    assert_eq!(volume.1, "/data");
    assert!(compose["volumes"].get(volume.0).is_some(), "{volume:?} is no named volume");
}

#[test]
fn compose_has_a_gateway_that_waits_for_redis() {
    let compose: Value = serde_saphyr::from_str(&read("docker-compose.yml")).unwrap();
    let gateway = &compose["services"]["switchboard"];
    assert_eq!(gateway["depends_on"]["redis"]["condition"], "service_healthy");
    assert_eq!(gateway["environment"]["REDIS_URL"], "redis://redis:6379");
    let listen = gateway["environment"]["SWITCHBOARD_LISTEN"].as_str().unwrap();
    assert!(!listen.starts_with("127."), "nobody could reach it in its container");
    assert!(
        gateway["environment"].get("SWITCHBOARD_API_KEY").is_some(),
        "any address but loopback needs a key"
    );
}

/// Whoever starts the profile finds a Prometheus that scrapes the gateway, and a Grafana that shows it.
#[test]
fn monitoring_is_wired_up() {
    let parse = |name: &str| -> Value { serde_saphyr::from_str(&read(name)).unwrap() };
    let services = &parse("docker-compose.yml")["services"];
    for service in ["prometheus", "grafana"] {
        assert_eq!(
            services[service]["profiles"],
            serde_json::json!(["monitoring"]),
            "{service} runs unasked"
        );
        for volume in services[service]["volumes"].as_array().unwrap() {
            let from = volume.as_str().unwrap().split(':').next().unwrap();
            assert!(!from.starts_with("./") || root().join(from).exists(), "{from}");
        }
        let ports = services[service]["ports"].as_array().unwrap();
        assert!(ports.iter().all(|port| port.as_str().unwrap().starts_with("127.0.0.1:")), "it has no key");
    }
    let prometheus = parse("deploy/monitoring/prometheus.yml");
    let target = prometheus["scrape_configs"][0]["static_configs"][0]["targets"][0].as_str().unwrap();
    let (host, port) = target.split_once(':').unwrap();
    assert!(services[host]["ports"][0].as_str().unwrap().ends_with(port), "{target}");
    let source = &parse("deploy/monitoring/grafana/datasources/prometheus.yml")["datasources"][0];
    assert_eq!(source["url"], "http://prometheus:9090");
    for name in ["switchboard", "models", "fleet"] {
        let dashboard = parse(&format!("deploy/monitoring/grafana/dashboards/{name}.json"));
        for panel in dashboard["panels"].as_array().unwrap() {
            assert_eq!(panel["datasource"]["uid"], source["uid"], "{}", panel["title"]);
        }
    }
    let folder = parse("deploy/monitoring/grafana/dashboards/provider.yml");
    let folder = folder["providers"][0]["options"]["path"].as_str().unwrap();
    let mounted = services["grafana"]["volumes"].as_array().unwrap().iter();
    assert!(mounted.into_iter().any(|volume| volume.as_str().unwrap().contains(folder)), "{folder}");
}

/// Each alert is explained to whoever it wakes, under an anchor of its own.
#[test]
fn each_alert_has_a_section() {
    let alerts: Value = serde_saphyr::from_str(&read("deploy/monitoring/alerts.yml")).unwrap();
    let rules = alerts["groups"][0]["rules"].as_array().unwrap();
    let named: BTreeSet<&str> = rules.iter().map(|rule| rule["alert"].as_str().unwrap()).collect();
    let page = read("docs/alerts.md");
    let (_, sections) = page.split_once("\n## ").unwrap();
    let sections: Vec<(&str, &str)> =
        sections.split("\n## ").map(|section| section.split_once("\n\n").unwrap()).collect();
    assert_eq!(sections.iter().map(|(name, _)| *name).collect::<BTreeSet<_>>(), named);
    for rule in rules {
        let severity = rule["labels"]["severity"].as_str().unwrap();
        let anchor = rule["alert"].as_str().unwrap().to_lowercase();
        assert_eq!(rule["annotations"]["runbook_url"], format!("docs/alerts.md#{anchor}"));
        let (name, text) = sections.iter().find(|(name, _)| *name == rule["alert"]).unwrap();
        assert!(text.to_lowercase().starts_with(&format!("{severity}. ")), "{name} is {severity}");
        assert!(text.contains("\n1. "), "{name} says what to do");
    }
}

#[test]
fn the_image_does_not_run_as_root() {
    let file = read("Dockerfile");
    let last = file.rsplit("FROM ").next().unwrap();
    let user = last.lines().find_map(|line| line.strip_prefix("USER ")).expect("a USER");
    assert!(!["root", "0"].contains(&user.trim().split(':').next().unwrap()), "{user}");
    assert!(last.contains("ENTRYPOINT [\"switchboard\"]"));
}

#[test]
fn one_test_command_everywhere() {
    for page in ["README.md", "CONTRIBUTING.md", ".ci/run"] {
        assert!(read(page).contains("./test"), "{page}");
    }
}

/// Fixed in the container, a matter of the terminal, or with the same effect as one that is handed on.
const NOT_PASSED_TO_CONTAINER: [&str; 3] = [names::CONFIG, names::RUST_LOG, names::NO_COLOR];

/// Of AWS' variables those that need nothing of the host: no file, and no role.
const AWS_KEYS: [&str; 3] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];

#[test]
fn compose_hands_every_variable_on() {
    let compose: Value = serde_saphyr::from_str(&read("docker-compose.yml")).unwrap();
    let found: BTreeSet<String> =
        compose["services"]["switchboard"]["environment"].as_object().unwrap().keys().cloned().collect();
    let mut expected: BTreeSet<String> =
        names::ALL.into_iter().chain(AWS_KEYS).map(str::to_owned).chain(task_variables()).collect();
    let vendors = Vendor::all().iter().filter(|vendor| vendor.activation != Activation::Named);
    expected.extend(vendors.flat_map(Vendor::variables).map(str::to_owned));
    expected.retain(|name| !NOT_PASSED_TO_CONTAINER.contains(&name.as_str()));
    assert_eq!(found, expected);
}
