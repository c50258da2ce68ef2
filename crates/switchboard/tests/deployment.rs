//! The deployment files and the words: no container engine is needed to see that they say what they must.

#![expect(clippy::panic, reason = "helpers of tests fail tests")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Parser as _;
use serde_json::Value;
use switchboard::cli::Cli;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

const PAGES: [&str; 6] =
    ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/redis.md", "docs/es/redis.md"];

/// What Open SWE's users type must work as written: `docker-compose up -d redis`, `docker exec -it open-swe-redis`.
#[test]
fn compose_has_the_redis_that_its_users_know() {
    let compose: Value = serde_saphyr::from_str(&read("docker-compose.yml")).unwrap();
    let redis = &compose["services"]["redis"];
    assert_eq!(redis["container_name"], "open-swe-redis");
    assert_eq!(redis["ports"], serde_json::json!(["6379:6379"]));
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

#[test]
fn the_image_does_not_run_as_root() {
    let file = read("Dockerfile");
    let last = file.rsplit("FROM ").next().unwrap();
    let user = last.lines().find_map(|line| line.strip_prefix("USER ")).expect("a USER");
    assert_ne!(user.trim(), "root");
    assert!(last.contains("ENTRYPOINT [\"switchboard\"]"));
}

/// Every relative link leads to a file.
#[test]
fn links_lead_somewhere() {
    for page in PAGES {
        let folder = root().join(page).parent().unwrap().to_owned();
        let text = read(page);
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
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
