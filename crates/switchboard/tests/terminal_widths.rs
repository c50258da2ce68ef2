//! What the commands print, at the widths of terminals.

#![expect(
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    reason = "helpers that several test programs share"
)]

#[path = "support/program.rs"]
mod program;

use program::TempDir;
use serde_json::json;
use testbed::RedisServer;

const OPEN: &str = "anthropic:claude-sonnet-5-20260901";
const LAST: &str = "groq:llama-4-maverick-17b-instruct";

/// The route's first model is forced open, the second has an outage, the third is well.
const FILE: &str = r#"
    [providers.openai]
    api_key = "k"
    base_url = "http://127.0.0.1:1/v1"
    [providers.anthropic]
    api_key = "k"
    base_url = "http://127.0.0.1:1"
    [providers.groq]
    api_key = "k"
    base_url = "http://127.0.0.1:1"
    [routes.assistant]
    models = ["openai:gpt-5.4-mini", "anthropic:claude-sonnet-5-20260901", "groq:llama-4-maverick-17b-instruct"]
"#;

async fn fleet() -> (RedisServer, TempDir) {
    let redis = RedisServer::start().await;
    let now = redis.cli(&["TIME"]).await.lines().next().expect("seconds").to_owned() + "000";
    let open = format!(
        r#"{{"state":"OPEN","failureCount":3,"lastFailureTime":{now},"openedAt":{now},"retryAt":9999999999999,
        "v":1,"epoch":5,"updatedBy":"a3f","updatedAt":{now},"reason":{{"kind":"status","rule":"row","status":503,
        "type":"service_unavailable_error","code":"server_is_overloaded"}}}}"#
    );
    redis.cli(&["SET", &format!("circuit_breaker:{OPEN}"), &open]).await;
    redis.cli(&["SET", &format!("circuit_breaker:{LAST}"), r#"{"state":"CLOSED"}"#]).await;
    let directory = TempDir::new().with_file("switchboard.toml", FILE);
    let reason = "maintenance of the account until the new contract is signed, ask the platform team";
    for arguments in [
        &["circuits", "open", "openai:gpt-5.4-mini", "--reason", reason][..],
        &["circuits", "close", "openai:gpt-5.4-mini"],
        &["circuits", "open", "openai:gpt-5.4-mini", "--for", "10m", "--reason", reason],
    ] {
        let ended = directory.run(arguments, &[("REDIS_URL", &redis.url()), ("USER", "ann")]).await;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    }
    (redis, directory)
}

#[tokio::test]
async fn everything_fits() {
    let (redis, directory) = fleet().await;
    let wrong = directory.run(&["config", "check"], &[]).await;
    assert_eq!(wrong.code, Some(0), "{}", wrong.stdout);
    for arguments in [
        &["circuits"][..],
        &["circuits", "show", OPEN],
        &["circuits", "history", "openai:gpt-5.4-mini"],
        &["routes"],
        &["doctor"],
        &["try", "assistant"],
        &["config", "check", "--config", "wrong.toml"],
    ] {
        let directory = &TempDir::new().with_file("switchboard.toml", FILE).with_file(
            "wrong.toml",
            "[breaker]\nfailure_treshold = 3\n[redis]\nurl = 'x'\n[routes.gpt-5]\nmodels = ['openai:gpt-5']\n",
        );
        for columns in ["40", "60", "80", "200"] {
            let variables = [("REDIS_URL", redis.url()), ("COLUMNS", columns.to_owned())];
            let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
            let printed = directory.run(arguments, &variables).await.stdout;
            let limit: usize = columns.parse().expect("a number");
            for line in printed.lines() {
                assert!(line.chars().count() <= limit, "{arguments:?} at {columns}: {line:?}\n{printed}");
                assert_eq!(line, line.trim_end(), "{arguments:?} at {columns}");
            }
            assert!(!printed.is_empty(), "{arguments:?}");
        }
    }
}

#[tokio::test]
async fn the_list_says_what_matters_at_each_width() {
    let (redis, directory) = fleet().await;
    for columns in ["40", "60", "80", "200"] {
        let variables = [("REDIS_URL", redis.url()), ("COLUMNS", columns.to_owned())];
        let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
        let printed = directory.run(&["circuits"], &variables).await.stdout;
        for part in ["OPEN (forced)", "openai:gpt-5.4-mini", "groq:llama", "CLOSED", "in "] {
            assert!(printed.contains(part), "{part} at {columns}:\n{printed}");
        }
        assert_eq!(printed.contains('…'), columns != "200", "{columns}:\n{printed}");
        let wide = directory.run(&["circuits", "--wide"], &variables).await.stdout;
        assert!(!wide.contains('…') && wide.contains("platform team"), "{wide}");
    }
}

#[tokio::test]
async fn routes_say_where_calls_go_now() {
    let (redis, directory) = fleet().await;
    let url = redis.url();
    let printed = directory.run(&["routes"], &[("REDIS_URL", &url)]).await;
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    let row = printed.stdout.lines().nth(1).expect("a route");
    assert!(
        row.starts_with("assistant  groq:llama-4-maverick-17b-instruct  ✗ openai:gpt-5.4-mini (probe in "),
        "{row}"
    );
    assert!(row.ends_with(" → ✓ groq:llama-4-maverick-17b-instruct"), "{row}");
    let routes = directory.run(&["routes", "--json"], &[("REDIS_URL", &url)]).await.json();
    assert_eq!((&routes["shared"], &routes["routes"][0]["now"]), (&json!(true), &json!([LAST])));
    assert_eq!(routes["routes"][0]["chain"][0][0]["state"], "OPEN");
    let alone = directory.run(&["routes", "--json"], &[("REDIS_URL", "memory:")]).await.json();
    assert_eq!(
        (&alone["shared"], &alone["routes"][0]["now"]),
        (&json!(false), &json!(["openai:gpt-5.4-mini"]))
    );
    let unreachable = directory.run(&["routes"], &[("REDIS_URL", "redis://127.0.0.1:1")]).await;
    assert_eq!(unreachable.code, Some(1), "{}", unreachable.stdout);
}

#[tokio::test]
async fn colour_is_a_choice() {
    let (redis, directory) = fleet().await;
    let url = redis.url();
    for (choice, more, expected) in [
        ("auto", None, false),
        ("never", None, false),
        ("always", None, true),
        ("always", Some(("NO_COLOR", "1")), true),
    ] {
        let variables: Vec<_> = [("REDIS_URL", url.as_str())].into_iter().chain(more).collect();
        let printed = directory.run(&["circuits", "--color", choice], &variables).await.stdout;
        assert_eq!(printed.contains('\u{1b}'), expected, "{choice} {more:?}: {printed}");
    }
}
