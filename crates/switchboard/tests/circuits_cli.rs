//! `switchboard circuits` against a real Redis, run as a process.

#![expect(
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    reason = "helpers that two test programs share"
)]

#[path = "support/program.rs"]
mod program;

use std::{process::Stdio, time::Duration};

use program::{ProgramOutput, TempDir};
use serde_json::{Value, json};
use testbed::RedisServer;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    time::timeout,
};

const KEY: &str = "openai:gpt-5";
const REDIS_KEY: &str = "circuit_breaker:openai:gpt-5";

async fn run_circuits(redis: &RedisServer, arguments: &[&str]) -> ProgramOutput {
    let arguments = [&["circuits"], arguments].concat();
    TempDir::new().run(&arguments, &[("REDIS_URL", &redis.url()), ("USER", "ann")]).await
}

/// Runs a command that must succeed.
async fn run_circuits_ok(redis: &RedisServer, arguments: &[&str]) -> ProgramOutput {
    let ended = run_circuits(redis, arguments).await;
    assert_eq!(ended.code, Some(0), "{arguments:?}: {}{}", ended.stdout, ended.stderr);
    ended
}

/// The value in Redis.
async fn stored_value(redis: &RedisServer) -> Value {
    serde_json::from_str(&redis.cli(&["GET", REDIS_KEY]).await).unwrap_or(Value::Null)
}

#[tokio::test]
async fn none_yet() {
    let redis = RedisServer::start().await;
    assert!(run_circuits_ok(&redis, &[]).await.stdout.starts_with("No circuits yet"));
    assert_eq!(run_circuits_ok(&redis, &["list", "--json"]).await.json(), json!([]));
}

#[tokio::test]
async fn the_worst_is_listed_first_and_nothing_is_written() {
    let redis = RedisServer::start().await;
    let now = redis.cli(&["TIME"]).await.lines().next().unwrap().to_owned() + "000";
    for (key, value) in [
        ("a:closed", r#"{"state":"CLOSED"}"#.to_owned()),
        (
            "b:open",
            format!(r#"{{"state":"OPEN","failureCount":2,"lastFailureTime":{now},"openedAt":{now}}}"#),
        ),
        ("c:forced", r#"{"state":"OPEN"}"#.to_owned()),
        ("d:due", r#"{"state":"OPEN","openedAt":1}"#.to_owned()),
        ("e:garbage", "hello".to_owned()),
    ] {
        redis.cli(&["SET", &format!("circuit_breaker:{key}"), &value]).await;
    }
    redis.cli(&["LPUSH", "circuit_breaker:f:list", "1"]).await;
    let before = redis.cli(&["INFO", "commandstats"]).await.contains("cmdstat_evalsha");
    let text = run_circuits_ok(&redis, &["list"]).await.stdout;
    let place = |what: &str| text.find(what).unwrap_or_else(|| panic!("no {what}: {text}"));
    let places = ["c:forced", "b:open", "d:due", "e:garbage", "a:closed"].map(place);
    assert!(places.is_sorted(), "{text}");
    assert!(text.contains("HALF_OPEN") && text.contains("OPEN (forced)"), "{text}");
    _ = (place("e:garbage"), place("f:list"));
    assert!(!text.contains('\u{1b}'), "no colour in a pipe: {text}");

    let list = run_circuits_ok(&redis, &["--json"]).await.json();
    let keys: Vec<_> = list.as_array().unwrap().iter().filter_map(|report| report["key"].as_str()).collect();
    assert_eq!(keys, ["c:forced", "b:open", "d:due", "e:garbage", "f:list", "a:closed"]);
    assert_eq!((&list[0]["forced"], &list[1]["failureCount"]), (&json!(true), &json!(2)));
    assert!(list[1]["retryInMs"].as_u64().is_some_and(|left| left <= 5_000), "{list}");
    assert_eq!(redis.cli(&["GET", "circuit_breaker:c:forced"]).await, r#"{"state":"OPEN"}"#, "not adopted");
    assert!(!before && !redis.cli(&["KEYS", "*:events"]).await.contains("events"));
}

#[tokio::test]
async fn opened_closed_and_reset_manually() {
    let redis = RedisServer::start().await;
    let opened = run_circuits_ok(&redis, &["open", KEY, "--reason", "upgrade"]).await.stdout;
    assert!(
        opened.contains(KEY) && opened.contains("Forced open by cli-ann") && opened.contains("upgrade"),
        "{opened}"
    );
    let value = stored_value(&redis).await;
    assert_eq!(
        (&value["state"], &value["forced"], &value["openedAt"]),
        (&json!("OPEN"), &json!(true), &Value::Null)
    );
    assert_eq!(value["reason"]["by"], "cli-ann", "{value}");
    assert!(value["updatedBy"].as_str().unwrap().starts_with("cli-ann"), "{value}");
    assert_eq!(redis.cli(&["PTTL", REDIS_KEY]).await, "-1", "a forced one does not expire");

    let shown = run_circuits_ok(&redis, &["show", KEY]).await.stdout;
    assert!(shown.lines().next().unwrap().contains("upgrade") && shown.contains("epoch"), "{shown}");
    let report = run_circuits_ok(&redis, &["show", KEY, "--json"]).await.json();
    assert_eq!(
        (&report["key"], &report["state"], &report["forced"]),
        (&json!(KEY), &json!("OPEN"), &json!(true))
    );

    assert!(run_circuits_ok(&redis, &["close", KEY]).await.stdout.contains("CLOSED"));
    assert_eq!(stored_value(&redis).await["state"], "CLOSED");
    run_circuits_ok(&redis, &["reset", KEY]).await;
    assert_eq!(redis.cli(&["EXISTS", REDIS_KEY]).await, "0");

    let history = run_circuits_ok(&redis, &["history", KEY, "--json"]).await.json();
    let printed: Vec<_> =
        history.as_array().unwrap().iter().map(|entry| (&entry["to"], &entry["reason"]["kind"])).collect();
    let expected = [("CLOSED", "reset"), ("CLOSED", "manual"), ("OPEN", "manual")]
        .map(|(to, kind)| (json!(to), json!(kind)));
    assert_eq!(printed, expected.each_ref().map(|(to, kind)| (to, kind)), "newest first: {history}");
    assert!(history[0]["epoch"].as_u64() > history[1]["epoch"].as_u64());
    assert!(run_circuits_ok(&redis, &["history", KEY]).await.stdout.contains("upgrade"));
}

#[tokio::test]
async fn a_circuit_is_found_by_its_model_and_a_mistyped_one_by_the_nearest_name() {
    let redis = RedisServer::start().await;
    for key in ["openai:gpt-5", "azure:gpt-5", "anthropic:claude-sonnet-5"] {
        redis.cli(&["SET", &format!("circuit_breaker:{key}"), r#"{"state":"CLOSED"}"#]).await;
    }
    let shown = run_circuits_ok(&redis, &["show", "claude-sonnet-5"]).await.stdout;
    assert!(shown.starts_with("anthropic:claude-sonnet-5: CLOSED"), "{shown}");
    for (name, expected) in [
        ("gpt-5", "gpt-5 is several circuits: "),
        ("openai:gtp-5", "no circuit openai:gtp-5; did you mean openai:gpt-5?"),
        (
            "claude-sonet-5",
            "no circuit claude-sonet-5; did you mean anthropic:claude-sonnet-5?; a circuit is named",
        ),
        ("x:y", "no circuit x:y; `switchboard circuits` lists all circuits"),
    ] {
        let ended = run_circuits(&redis, &["show", name]).await;
        assert_eq!(ended.code, Some(1), "{name}");
        assert!(ended.stderr.contains(expected), "{name}: {}", ended.stderr);
    }
}

#[tokio::test]
async fn overrides_are_printed_for_scripts() {
    let redis = RedisServer::start().await;
    let opened = run_circuits_ok(&redis, &["open", KEY, "--yes", "--json"]).await.json();
    assert_eq!((&opened["key"], &opened["forced"]), (&json!(KEY), &json!(true)));
    assert_eq!(run_circuits_ok(&redis, &["close", KEY, "--json"]).await.json()["state"], "CLOSED");
    let reset = run_circuits_ok(&redis, &["reset", KEY, "--json"]).await.json();
    assert_eq!(reset, json!({"key": KEY, "reset": true}));
}

#[tokio::test]
async fn opened_for_a_while() {
    let redis = RedisServer::start().await;
    run_circuits_ok(&redis, &["open", KEY, "--for", "10m"]).await;
    let value = stored_value(&redis).await;
    let length = value["retryAt"].as_u64().unwrap() - value["updatedAt"].as_u64().unwrap();
    assert!((599_000..=600_000).contains(&length), "{value}");
}

#[tokio::test]
async fn a_failed_command_exits_with_1_and_says_why() {
    let mut redis = RedisServer::start().await;
    for command in ["show", "close", "reset"] {
        let ended = run_circuits(&redis, &[command, KEY]).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{command}");
        assert!(ended.stderr.contains("no circuit openai:gpt-5"), "{}", ended.stderr);
    }
    redis.cli(&["LPUSH", REDIS_KEY, "1"]).await;
    for command in ["show", "open", "close"] {
        let ended = run_circuits(&redis, &[command, KEY]).await;
        assert_eq!(ended.code, Some(1), "{command}: {}", ended.stdout);
        assert_eq!(redis.cli(&["LRANGE", REDIS_KEY, "0", "-1"]).await, "1", "unchanged");
    }
    redis.kill();
    for command in [&["list"][..], &["open", KEY], &["watch"]] {
        let ended = run_circuits(&redis, command).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{command:?}");
        assert!(ended.stderr.contains("switchboard doctor"), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn a_key_of_another_type_is_not_reset() {
    let redis = RedisServer::start().await;
    redis.cli(&["LPUSH", REDIS_KEY, "1"]).await;
    let ended = run_circuits(&redis, &["reset", KEY]).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{}", ended.stderr);
}

#[tokio::test]
async fn a_memory_store_cannot_be_read() {
    for command in [&["circuits"][..], &["circuits", "open", KEY]] {
        let directory = TempDir::new().with_file("switchboard.toml", "[redis]\nurl = \"memory:\"\n");
        let ended = directory.run(command, &[]).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
        assert!(ended.stderr.contains("memory"), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn transitions_are_printed_as_they_happen() {
    let redis = RedisServer::start().await;
    run_circuits_ok(&redis, &["open", "openai:before", "--reason", "old"]).await;
    let directory = TempDir::new();
    let url = redis.url();
    let mut watching = directory
        .command(&["circuits", "watch", "--json"], &[("REDIS_URL", &url)])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    // Its subscription is not visible from outside, so changes are made until the first one is printed.
    let first = loop {
        run_circuits_ok(&redis, &["open", KEY]).await;
        run_circuits_ok(&redis, &["close", KEY]).await;
        if let Ok(line) = timeout(Duration::from_millis(100), lines.next_line()).await {
            break line.unwrap().unwrap();
        }
    };
    let mut last: Value = serde_json::from_str(&first).unwrap();
    run_circuits_ok(&redis, &["open", KEY, "--reason", "the end"]).await;
    let reading = async {
        while last["reason"]["why"] != "the end" {
            let next: Value = serde_json::from_str(&lines.next_line().await.unwrap().unwrap()).unwrap();
            assert_eq!(next["key"], KEY, "earlier transitions are not printed");
            assert!(
                next["epoch"].as_u64() > last["epoch"].as_u64(),
                "each once and in order: {next} after {last}"
            );
            last = next;
        }
    };
    timeout(Duration::from_secs(10), reading).await.unwrap();
    let process = watching.id().unwrap().to_string();
    tokio::process::Command::new("kill").args(["-INT", &process]).status().await.unwrap();
    assert_eq!(watching.wait().await.unwrap().code(), Some(0), "Ctrl-C is a clean exit");
}

/// Whoever may write to Redis may not write to the operator's terminal.
#[tokio::test]
async fn nothing_hostile_in_redis_reaches_the_terminal() {
    let redis = RedisServer::start().await;
    let now = redis.cli(&["TIME"]).await.lines().next().unwrap().to_owned() + "000";
    let hostile = r"x\u001b[2J\u001b]0;owned\u0007\u009b31m\u202e\nb:forged CLOSED";
    let value = format!(
        r#"{{"state":"OPEN","failureCount":3,"lastFailureTime":{now},"openedAt":{now},"retryAt":9999999999999,
        "v":1,"epoch":5,"updatedBy":"{hostile}","updatedAt":{now},
        "probe":[{{"id":"{hostile}","instance":"{hostile}","until":9999999999999}}],
        "reason":{{"kind":"status","rule":"row","status":529,"type":"{hostile}","code":"{hostile}","why":"{hostile}"}}}}"#
    );
    redis.cli(&["SET", REDIS_KEY, &value]).await;
    redis.cli(&["SET", "circuit_breaker:b:bad\u{1b}[2J", "hello"]).await;
    for arguments in
        [&["list"][..], &["show", KEY], &["history", KEY], &["list", "--json"], &["show", KEY, "--json"]]
    {
        let printed = run_circuits_ok(&redis, arguments).await;
        for text in [&printed.stdout, &printed.stderr] {
            let is_hostile = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
            assert!(!text.contains(is_hostile), "{arguments:?}: {text:?}");
            assert!(!text.lines().any(|line| line.starts_with("b:forged")), "{arguments:?}: {text}");
        }
    }
    // What an operator says goes the same way, to the history and back.
    let said = "maintenance\u{1b}[2J\nb:forged CLOSED";
    run_circuits_ok(&redis, &["open", KEY, "--reason", said]).await;
    for arguments in [&["show", KEY][..], &["history", KEY], &["list"]] {
        let text = run_circuits_ok(&redis, arguments).await.stdout;
        assert!(!text.contains('\u{1b}') && !text.contains("\nb:forged"), "{arguments:?}: {text}");
    }
}
