//! Values and histories of circuits and heartbeats in Redis, whoever wrote them.

use breaker::{
    Context, Document, ExternalChange, InstanceId, KnownBefore, MAX_EPOCH, ModelKey, Policy, Record, Source,
    Timestamp, Transition, admit, adopt, describe, encode, merge, restore,
};
use circuits::{
    HeartbeatRecord,
    fuzzing::{read_history_entry, read_reply},
};

use crate::{features::Features, json_law::assert_json};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

pub(super) fn value(input: &[u8], features: &mut Features) {
    heartbeat(input, features);
    let policy = Policy::default();
    let document = Document::parse(input, &policy);
    features.add_variant("document", &document);
    features.add_variant("external", &Document::parse_as_external(input, &policy));
    if let Document::External(external, extras) = &document {
        let instance = InstanceId::new("i");
        let known = KnownBefore { record: None, last_epoch: 0, history_tail: None };
        let (adopted, _) = adopt(external, known, Context { instance: &instance, policy: &policy, now: NOW });
        check_written(&adopted, &encode(&adopted, extras), &policy, features);
        let (ExternalChange::Counts(obeyed) | ExternalChange::State(obeyed)) =
            external.change(known, &policy, NOW);
        check_record(&obeyed, &policy, features);
    }
    let is_native = matches!(document, Document::Native(..));
    let (record, extras) = document.into_parts();
    let written = encode(&record, &extras);
    assert_json("record", &written, features);
    if is_native {
        check_written(&record, &written, &policy, features);
    }
    check_record(&record, &policy, features);
}

/// What is taken of another instance is bounded, and reads back the same.
fn heartbeat(input: &[u8], features: &mut Features) {
    let Some(record) = HeartbeatRecord::parse(input) else { return };
    features.add_magnitude("open", u64::try_from(record.heartbeat.open.len()).unwrap_or(u64::MAX));
    assert!(record.heartbeat.open.len() <= 100 && record.traffic.requests.len() <= 90, "{record:?}");
    let again = serde_json::to_vec(&record).ok().and_then(|written| HeartbeatRecord::parse(&written));
    assert_eq!(again, Some(record), "written and read back");
}

pub(super) fn value_seeds() -> Vec<Vec<u8>> {
    let values = [
        r#"{"state":"CLOSED","failureCount":1,"lastFailureTime":1799999999000,"epoch":1799999990000,"trips":0,"window":{"rowSince":1799999999000,"buckets":[[1799999999000,1,1,0,""]]},"updatedBy":"i","updatedAt":1799999999000,"seal":{"state":"CLOSED","failureCount":1,"lastFailureTime":1799999999000}}"#,
        r#"{"state":"OPEN","failureCount":1,"lastFailureTime":1800000000000,"openedAt":1800000000000,"epoch":1800000000001,"retryAt":1800000180000,"trips":1,"probe":[{"id":"p","instance":"i","until":1800000010000}],"reason":{"kind":"status","rule":"row","status":529,"type":"overloaded_error"},"window":{"rowSince":1800000000000,"buckets":[[1800000000000,1,1,0,""]]},"updatedBy":"a","updatedAt":1800000000000,"seal":{"state":"OPEN","failureCount":1,"lastFailureTime":1800000000000,"openedAt":1800000000000},"z":1,"x":[]}"#,
        r#"{"state":"OPEN","forced":true,"retryAt":1800000100000,"epoch":3}"#,
        r#"{"state":"OPEN","openedAt":1799999999000,"failureCount":2,"lastFailureTime":1799999999000}"#,
        r#"{"state":"OPEN"}"#,
        r#"{"id":"a","version":"0.1.0","startedAt":1,"at":2,"store":"connected","inFlight":0,"requestsPerMinute":1,"failedPerMinute":0,"fallbacksPerMinute":0,"open":["openai:m"],"traffic":{"bucketMs":10000,"end":3,"requests":[1,2],"failed":[0,0],"fallbacks":[0,0]}}"#,
        "CLOSED",
    ];
    values.iter().map(|value| value.as_bytes().to_vec()).collect()
}

/// What is accepted as ours reads back the same.
fn check_written(record: &Record, written: &[u8], policy: &Policy, features: &mut Features) {
    assert_json("record", written, features);
    match Document::parse(written, policy) {
        Document::Native(again, extras) => {
            assert_eq!(&again, record, "written and read back");
            assert_eq!(encode(&again, &extras), written, "written twice");
        }
        other => assert!(record.epoch > MAX_EPOCH, "written as ours, read as {other:?}"),
    }
}

fn check_record(record: &Record, policy: &Policy, features: &mut Features) {
    features.add_variant("phase", &record.phase);
    let instance = InstanceId::new("i");
    let context = Context { instance: &instance, policy, now: NOW };
    let source = Some(Source { caller: None, tag: Some(1) });
    features.add_variant("admission", &admit(record, policy, &instance, &source, NOW));
    features.add(describe(record).len());
    let stored = Record::closed(5);
    for (local, remote) in [(record, &stored), (&stored, record)] {
        let merged = merge(local, remote, context);
        assert!(merged.record.epoch >= remote.epoch.min(MAX_EPOCH), "an epoch goes back");
        features.add_variant("merged", &merged.record.phase);
        features.add((merged.transition.is_some(), restore(local, Some(remote), context).is_some()));
    }
}

pub(super) fn reply(input: &[u8], features: &mut Features) {
    let Some(replies) = read_reply(input) else { return features.add("no reply") };
    features.add((replies.loaded.is_some(), replies.swapped.is_some(), replies.assigned_slots));
    for (value, tail) in [replies.loaded, replies.swapped].into_iter().flatten() {
        features.add_variant("value", &value);
        features.add_variant("tail", &tail);
        features.add((tail.state(), tail.epoch() > 0));
    }
    for key in replies.keys.iter().flatten() {
        assert_eq!(key.as_str().parse::<ModelKey>().as_ref(), Ok(key), "a key is read as it is written");
    }
    for entry in replies.history.iter().flatten() {
        features.add_variant("reason", &entry.reason.cause);
        assert_eq!(read_history_entry(&fields(entry)).as_ref(), Some(entry), "written and read back");
    }
}

/// An entry's fields as the script writes them.
fn fields(entry: &Transition) -> Vec<String> {
    let reason = serde_json::to_string(&entry.reason).unwrap_or_default();
    let values = [
        ("from", entry.from.as_str().to_owned()),
        ("to", entry.to.as_str().to_owned()),
        ("epoch", entry.epoch.to_string()),
        ("reason", reason),
        ("instance", entry.instance.as_str().to_owned()),
        ("at", entry.at.as_millis().to_string()),
    ];
    values.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect()
}

pub(super) fn reply_seeds() -> Vec<Vec<u8>> {
    let bulk = |text: &str| format!("${}\r\n{text}\r\n", text.len());
    let array = |items: &[String]| format!("*{}\r\n{}", items.len(), items.concat());
    let texts = |texts: &[&str]| array(&texts.iter().map(|text| bulk(text)).collect::<Vec<_>>());
    let entry = texts(&[
        "from",
        "CLOSED",
        "to",
        "OPEN",
        "epoch",
        "1799999999000",
        "reason",
        r#"{"kind":"status","rule":"row","status":529,"type":"t"}"#,
        "instance",
        "i",
        "at",
        "1799999999000",
    ]);
    let node = |port: &str| {
        array(&[bulk("host"), format!(":{port}\r\n"), bulk("07c37dfeb235213a872192d90877d0cd55635b91")])
    };
    let replies = [
        array(&[":1\r\n".to_owned(), bulk("OPEN 3"), bulk("text"), bulk(r#"{"state":"OPEN"}"#)]),
        array(&[bulk("changed"), ":1\r\n".to_owned(), bulk(""), bulk("digest"), bulk("00ff")]),
        array(&[array(&[bulk("1-0"), entry])]),
        array(&[bulk("0"), texts(&["circuit_breaker:openai:gpt-5", "circuit_breaker:x"])]),
        array(&[array(&[":0\r\n".to_owned(), ":8191\r\n".to_owned(), node("7000"), node("7001")])]),
        "07c37dfeb235213a872192d90877d0cd55635b91 127.0.0.1:7000@17000 master - 0 1426238317239 4 connected 0-5460\r\n".to_owned(),
        "*-1\r\n".to_owned(),
        ">2\r\n$10\r\ninvalidate\r\n*1\r\n$3\r\nkey\r\n".to_owned(),
    ];
    replies.into_iter().map(String::into_bytes).collect()
}
