//! The deployment files and the words: no container engine is needed to see that they say what they must.

#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail tests")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use breaker::{Document, Policy, State, encode};
use clap::Parser as _;
use providers::{Activation, Vendor};
use serde_json::Value;
use switchboard::{
    cli::Cli,
    config::{environment::names, tasks::task_variables},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

const PAGES: [&str; 11] = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/api.md",
    "docs/calls.md",
    "docs/open-swe.md",
    "docs/operating.md",
    "docs/redis.md",
    "docs/security.md",
    "docs/es/redis.md",
];

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
    let dashboard = parse("deploy/monitoring/grafana/dashboards/switchboard.json");
    for panel in dashboard["panels"].as_array().unwrap() {
        assert_eq!(panel["datasource"]["uid"], source["uid"], "{}", panel["title"]);
    }
    let folder = parse("deploy/monitoring/grafana/dashboards/provider.yml");
    let folder = folder["providers"][0]["options"]["path"].as_str().unwrap();
    let mounted = services["grafana"]["volumes"].as_array().unwrap().iter();
    assert!(mounted.into_iter().any(|volume| volume.as_str().unwrap().contains(folder)), "{folder}");
}

/// Each alert is explained to whoever it wakes.
#[test]
fn the_runbook_knows_every_alert() {
    let alerts: Value = serde_saphyr::from_str(&read("deploy/monitoring/alerts.yml")).unwrap();
    let rules = alerts["groups"][0]["rules"].as_array().unwrap();
    let named: BTreeSet<&str> = rules.iter().map(|rule| rule["alert"].as_str().unwrap()).collect();
    let page = read("docs/operating.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| Switchboard")?.split(' ').next());
    let documented: BTreeSet<String> = rows.map(|name| format!("Switchboard{name}")).collect();
    assert_eq!(documented, named.into_iter().map(str::to_owned).collect());
}

#[test]
fn the_image_does_not_run_as_root() {
    let file = read("Dockerfile");
    let last = file.rsplit("FROM ").next().unwrap();
    let user = last.lines().find_map(|line| line.strip_prefix("USER ")).expect("a USER");
    assert!(!["root", "0"].contains(&user.trim().split(':').next().unwrap()), "{user}");
    assert!(last.contains("ENTRYPOINT [\"switchboard\"]"));
}

/// Every relative link leads to a file.
#[test]
fn links_lead_somewhere() {
    for page in PAGES {
        let folder = root().join(page).parent().unwrap().to_owned();
        let text = read(page);
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = target.split('#').next().unwrap();
            if !target.contains("://") {
                assert!(folder.join(target).exists(), "{page}: {target}");
            }
        }
    }
}

/// Every `switchboard …` command line in a page is one that the program understands.
#[test]
fn commands_in_the_pages_are_understood() {
    let mut found = 0;
    for page in PAGES {
        for line in read(page).lines() {
            let line = line.trim().replace("cargo run --release -- ", "switchboard ");
            let Some(rest) = line.strip_prefix("switchboard ").filter(|rest| rest.is_ascii()) else {
                continue;
            };
            let rest = rest.split(" #").next().unwrap();
            if rest.contains(['[', '<', '|', '…']) || rest.contains("KEY") {
                continue;
            }
            // A quoted reason is one word.
            let quoted: Vec<&str> = rest.split('"').collect();
            let words = quoted.iter().enumerate().flat_map(|(at, part)| {
                let whole = at % 2 == 1;
                let split = part.split_whitespace().filter(move |_| !whole).map(str::to_owned);
                split.chain(whole.then(|| (*part).to_owned()))
            });
            let parsed = Cli::try_parse_from(std::iter::once("switchboard".to_owned()).chain(words));
            assert!(parsed.is_ok(), "{page}: {line}: {}", parsed.unwrap_err());
            found += 1;
        }
    }
    assert!(found >= 10, "{found}");
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

/// The fenced blocks of a page: the word after the fence, and what stands in it.
fn code_blocks(page: &str) -> Vec<(String, String)> {
    let text = read(page);
    let fenced = text.split("\n```").skip(1).step_by(2);
    fenced
        .map(|block| block.split_once('\n').unwrap())
        .map(|(word, text)| (word.to_owned(), text.to_owned()))
        .collect()
}

/// What the manual shows of Redis is what the breaker would write, to the byte but for the blanks.
#[test]
fn the_manual_shows_real_values() {
    let mut found = Vec::new();
    for (_, text) in code_blocks("docs/redis.md").into_iter().filter(|(word, _)| word == "json") {
        let Document::Native(record, extras) = Document::parse(text.as_bytes(), &Policy::default()) else {
            panic!("no circuit of ours: {text}")
        };
        let shown: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(String::from_utf8(encode(&record, &extras)).unwrap(), shown.to_string());
        found.push((record.stored_state(), record.is_forced()));
    }
    let (closed, open, half_open) = (State::Closed, State::Open, State::HalfOpen);
    assert_eq!(found, [(closed, false), (open, false), (half_open, false), (open, true), (open, false)]);
}

/// A translation that lacks a section or has an older command is noticed.
#[test]
fn the_spanish_manual_says_as_much_as_the_english() {
    assert_eq!(code_blocks("docs/es/redis.md"), code_blocks("docs/redis.md"));
    let shape = |page: &str| -> Vec<String> {
        let lines = read(page);
        let kind = |line: &str| match line {
            _ if line.starts_with('#') => line.split(' ').next().unwrap().to_owned(),
            _ => "| row".to_owned(),
        };
        lines.lines().filter(|line| line.starts_with(['#', '|'])).map(kind).collect()
    };
    assert_eq!(shape("docs/es/redis.md"), shape("docs/redis.md"));
}

/// Commands within a sentence, as far as they are whole: `switchboard circuits show openai:gpt-5`.
#[test]
fn commands_in_sentences_are_understood() {
    let mut found = 0;
    for page in PAGES {
        for span in read(page).split('`').skip(1).step_by(2) {
            let span = span.replace("cargo run --release -- ", "switchboard ");
            if span.starts_with("switchboard ") && !span.contains('\n') {
                let parsed = Cli::try_parse_from(span.split_whitespace());
                assert!(parsed.is_ok(), "{page}: {span}: {}", parsed.unwrap_err());
                found += 1;
            }
        }
    }
    assert!(found >= 10, "{found}");
}
