//! States of a fleet as `GET /circuits` has them, for [`Canned`](crate::canned::Canned).

use serde_json::{Value, json};

use crate::canned::now;

pub(crate) const FIRST: &str = "openai:gpt-5";
pub(crate) const SECOND: &str = "anthropic:claude-sonnet-5-5";

const BUCKET_MS: u64 = 10_000;
const BUCKETS: usize = 90;
const HOUR: u64 = 3_600_000;

/// Requests in each bucket of the route `assistant`.
const REQUESTS: u64 = 120;

/// Two models of one route, both called, on three instances.
pub(crate) fn healthy() -> Value {
    let instances = ["814fd1ca", "7d90ab31", "c81e02f4"].map(instance);
    let mut state = json!({
        "now": now(), "instance": "814fd1ca", "version": "0.1.0", "role": "admin",
        "store": {"kind": "redis", "state": "connected", "url": "redis://10.0.3.11:6379"},
        "circuits": [closed(FIRST), closed(SECOND)],
        "latency": {},
        "routes": [
            {"name": "assistant", "models": [[FIRST], [SECOND]], "state": "healthy", "current": FIRST, "retryAt": null},
        ],
        "models": [FIRST, SECOND, "groq:llama-4"],
        "instances": instances,
        "traffic": {
            "scope": "fleet", "bucketMs": BUCKET_MS, "end": now().next_multiple_of(BUCKET_MS),
            "total": series(REQUESTS), "routes": {"assistant": series(REQUESTS)},
            "models": {FIRST: model_series(REQUESTS), SECOND: model_series(0)},
        },
    });
    state["instances"][1]["version"] = "0.0.9".into();
    state
}

/// The first model is open, the second one answers.
pub(crate) fn outage() -> Value {
    let mut state = healthy();
    state["circuits"][0] = open(FIRST);
    state["routes"][0]["state"] = "fallback".into();
    state["routes"][0]["current"] = SECOND.into();
    for place in ["/traffic/total", "/traffic/routes/assistant"] {
        set_newest(&mut state, &format!("{place}/fallbacks"), 6, REQUESTS);
    }
    set_newest(&mut state, &format!("/traffic/models/{FIRST}/requests"), 6, 0);
    set_newest(&mut state, &format!("/traffic/models/{SECOND}/requests"), 6, REQUESTS);
    set_newest(&mut state, &format!("/traffic/models/{SECOND}/tokensIn"), 6, REQUESTS * 400);
    for instance in 0..3 {
        state["instances"][instance]["open"] = json!([FIRST]);
    }
    state
}

/// Both models are open, and requests fail.
pub(crate) fn unavailable() -> Value {
    let mut state = outage();
    state["circuits"][1] = open(SECOND);
    state["routes"][0]["state"] = "unavailable".into();
    state["routes"][0]["current"] = Value::Null;
    state["routes"][0]["retryAt"] = (now() + 60_000).into();
    for place in ["/traffic/total", "/traffic/routes/assistant"] {
        set_newest(&mut state, &format!("{place}/fallbacks"), 6, 0);
        set_newest(&mut state, &format!("{place}/failed"), 3, REQUESTS);
    }
    state
}

/// The first model's provider asked for a pause.
pub(crate) fn cooldown() -> Value {
    let mut state = outage();
    state["circuits"][0]["reason"] =
        json!({"kind": "rate_limited", "rule": "rest", "status": 429, "code": "rate_limit_exceeded"});
    state["circuits"][0]["explanation"] =
        "rate limited by the provider (HTTP 429 rate_limit_exceeded), cooling down".into();
    state
}

/// The first model's open period is over since a minute.
pub(crate) fn half_open() -> Value {
    let mut state = healthy();
    state["circuits"][0] = open(FIRST);
    state["circuits"][0]["state"] = "HALF_OPEN".into();
    state["circuits"][0]["retryAt"] = (now() - 60_000).into();
    state
}

/// What a gateway without traffic, routes and instances answers.
pub(crate) fn older() -> Value {
    let state = healthy();
    let known = ["now", "instance", "store", "circuits", "latency"];
    known
        .iter()
        .map(|name| ((*name).to_owned(), state[*name].clone()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// Forty models with long names, and a dozen routes with long chains.
pub(crate) fn many() -> Value {
    let mut state = outage();
    let names: Vec<_> =
        (0..40).map(|at| format!("provider-{}:a-rather-long-model-name-{at}-instruct", at % 7)).collect();
    for (at, name) in names.iter().enumerate() {
        let report = if at % 9 == 0 { open(name) } else { closed(name) };
        state["circuits"].as_array_mut().unwrap().push(report);
        state["traffic"]["models"][name] = model_series(9);
    }
    for at in 0..12 {
        let chain = json!([[FIRST], [names[at], names[at + 1]], [names[at + 2]], [SECOND], [names[at + 3]]]);
        let name = format!("a-route-with-quite-a-long-name-{at}");
        state["traffic"]["routes"][&name] = series(30);
        state["routes"].as_array_mut().unwrap().push(
            json!({"name": name, "models": chain, "state": "healthy", "current": names[at], "retryAt": null}),
        );
    }
    state
}

/// The event `traffic` of the next bucket: so many requests to the route, and so many of them failed.
pub(crate) fn next_bucket(state: &Value, requests: u64, failed: u64) -> Value {
    let mut traffic = state["traffic"].clone();
    traffic["end"] = (traffic["end"].as_u64().unwrap() + BUCKET_MS).into();
    let ttft = json!([300, 300]);
    let newest = json!({
        "requests": [REQUESTS, requests], "failed": [0, failed], "fallbacks": [0, 0], "ttftP50Ms": ttft, "ttftP95Ms": ttft,
    });
    traffic["total"] = newest.clone();
    traffic["routes"]["assistant"] = newest;
    traffic["models"] = json!({});
    json!({"traffic": traffic, "routes": state["routes"], "instances": state["instances"]})
}

/// A transition of the history, so many ms ago.
pub(crate) fn transition(ago: u64, from: &str, to: &str, reason: &Value) -> Value {
    let at = now() - ago;
    json!({"from": from, "to": to, "epoch": at, "at": at, "reason": reason, "instance": "7d90ab31"})
}

fn closed(key: &str) -> Value {
    let since = now() - 2 * HOUR;
    json!({
        "key": key, "state": "CLOSED", "forced": false, "failureCount": 0, "lastFailureTime": 0, "trips": 0,
        "epoch": since, "since": since, "explanation": "no recent failures", "probing": [], "calls": 20, "failures": 0,
        "blockedInstances": [], "updatedBy": "814fd1ca", "updatedAt": since,
    })
}

fn open(key: &str) -> Value {
    let since = now() - 120_000;
    let mut report = closed(key);
    let changes = json!({
        "state": "OPEN", "failureCount": 3, "lastFailureTime": since, "trips": 1, "epoch": since, "since": since,
        "retryAt": now() + 60_000, "retryInMs": 60_000, "failures": 3,
        "reason": {"kind": "status", "rule": "row", "status": 503, "type": "overloaded_error"},
        "explanation": "3 consecutive failures, last HTTP 503 overloaded_error",
    });
    for (name, value) in changes.as_object().unwrap() {
        report[name] = value.clone();
    }
    report
}

fn instance(id: &str) -> Value {
    json!({
        "id": id, "version": "0.1.0", "startedAt": now() - 3 * HOUR, "at": now(), "store": "connected", "inFlight": 4,
        "requestsPerMinute": 240, "failedPerMinute": 0, "fallbacksPerMinute": 0, "open": [],
    })
}

fn series(requests: u64) -> Value {
    let all = |value: u64| vec![value; BUCKETS];
    json!({
        "requests": all(requests), "failed": all(0), "fallbacks": all(0), "ttftP50Ms": all(300), "ttftP95Ms": all(900),
    })
}

fn model_series(requests: u64) -> Value {
    let mut all = series(requests);
    for (name, value) in [
        ("durationP50Ms", 1500),
        ("durationP95Ms", 4200),
        ("tokensIn", requests * 400),
        ("tokensOut", requests * 100),
    ] {
        all[name] = vec![value; BUCKETS].into();
    }
    all["inFlight"] = 5.into();
    all
}

/// Sets the newest buckets of a series.
fn set_newest(state: &mut Value, pointer: &str, number: usize, value: u64) {
    // A model's name has no `~`, but may have a `/`, which a pointer would split.
    let buckets = state.pointer_mut(pointer).and_then(Value::as_array_mut).expect("a series");
    for bucket in buckets.iter_mut().rev().take(number) {
        *bucket = value.into();
    }
}
