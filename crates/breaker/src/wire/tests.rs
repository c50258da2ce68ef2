use super::*;
use crate::{AdmissionToken, Context, Event, Failure, Outcome, SourceScope, TransitionCause, apply};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn parse(text: &str) -> Document {
    Document::parse(text.as_bytes(), &Policy::default())
}

fn external(text: &str) -> Record {
    match parse(text) {
        Document::External(External { record, .. }, _) => record,
        other => panic!("not foreign: {other:?}"),
    }
}

fn opened() -> Record {
    let (instance, policy) = (InstanceId::new("a"), Policy { failure_threshold: 1, ..Policy::open_swe() });
    let context = Context { instance: &instance, policy: &policy, now: NOW };
    let closed = Record::fresh(0, &instance, NOW);
    let stamp = AdmissionToken { epoch: closed.epoch, lease_id: None };
    let failure = Failure { error_type: Some("overloaded_error".to_owned()), ..Failure::status(529) };
    apply(
        &closed,
        &Event::CallCompleted { token: stamp, outcome: Outcome::Failed(failure), source: None, at: NOW },
        context,
    )
    .record
}

#[test]
fn an_open_circuit_is_written_as_documented() {
    let text = String::from_utf8(encode(&opened(), &Extras::default())).unwrap();
    let expected = concat!(
        r#"{"state":"OPEN","failureCount":1,"lastFailureTime":1800000000000,"openedAt":1800000000000,"#,
        r#""epoch":1800000000001,"retryAt":1800000180000,"trips":1,"#,
        r#""reason":{"kind":"status","rule":"row","status":529,"type":"overloaded_error"},"#,
        r#""window":{"rowSince":1800000000000,"buckets":[[1800000000000,1,1,0,""]]},"updatedBy":"a","updatedAt":1800000000000,"#,
        r#""seal":{"state":"OPEN","failureCount":1,"lastFailureTime":1800000000000,"openedAt":1800000000000}}"#,
    );
    assert_eq!(text, expected);
}

#[test]
fn what_was_written_is_read_again() {
    let record = opened();
    let read = Document::parse(&encode(&record, &Extras::default()), &Policy::default());
    assert_eq!(read, Document::Native(record, Extras::default()));
}

#[test]
fn every_sealed_field_reveals_an_external_write() {
    let ours = String::from_utf8(encode(&opened(), &Extras::default())).unwrap();
    for (field, changed) in [
        (r#"{"state":"OPEN""#, r#"{"state":"CLOSED""#),
        (
            r#","failureCount":1,"lastFailureTime":1800000000000,"openedAt":1800000000000,"epoch""#,
            r#","epoch""#,
        ),
        (r#""failureCount":1,"#, r#""failureCount":2,"#),
        (r#""openedAt":1800000000000,"epoch""#, r#""openedAt":1800000000001,"epoch""#),
        (r#""seal""#, r#""lacks""#),
    ] {
        let text = ours.replacen(field, changed, 1);
        assert_ne!(text, ours);
        assert!(matches!(parse(&text), Document::External(..)), "{text}");
    }
}

#[test]
fn another_field_does_not_break_the_seal_and_survives() {
    let ours = String::from_utf8(encode(&opened(), &Extras::default())).unwrap();
    let text = ours.replacen('{', r#"{"note":[1,{"a":null}],"#, 1);
    let Document::Native(record, extras) = parse(&text) else { panic!("not ours: {text}") };
    let again = String::from_utf8(encode(&record, &extras)).unwrap();
    assert!(again.contains(r#""note":[1,{"a":null}]"#), "{again}");
}

/// Else a value that nothing has changed would be another one, byte for byte, each time that it is written.
#[test]
fn unknown_fields_keep_their_order() {
    let (record, extras) =
        parse(r#"{"seal":{"state":"CLOSED"},"state":"CLOSED","z":1,"y":[],"x":{"b":1,"a":2}}"#).into_parts();
    let written = String::from_utf8(encode(&record, &extras)).unwrap();
    assert!(written.ends_with(r#","z":1,"y":[],"x":{"b":1,"a":2}}"#), "{written}");
    let (record, extras) = parse(&written).into_parts();
    assert_eq!(String::from_utf8(encode(&record, &extras)).unwrap(), written);
}

/// As JavaScript's `JSON` reads and writes them: to the nearest double, and then the same each time.
#[test]
fn numbers_of_unknown_fields_do_not_drift() {
    let (record, extras) = parse(r#"{"state":"OPEN","x":1000014917596495384192023,"y":0.1}"#).into_parts();
    let written = String::from_utf8(encode(&record, &extras)).unwrap();
    let (record, extras) = parse(&written).into_parts();
    assert_eq!(String::from_utf8(encode(&record, &extras)).unwrap(), written);
}

#[test]
fn open_swe_values() {
    assert_eq!(external(r#"{"state":"CLOSED"}"#).phase, Phase::Closed);
    assert_eq!(external(r#"{"state":"OPEN"}"#).phase, Phase::ForcedOpen { until: None });
    assert_eq!(external(r#"{"state":"OPEN","openedAt":0}"#).phase, Phase::ForcedOpen { until: None });
    let open = external(r#"{"state":"OPEN","failureCount":2,"lastFailureTime":7000,"openedAt":7000}"#);
    let Phase::Open(outage) = open.phase else { panic!("{:?}", open.phase) };
    assert_eq!((outage.opened_at.as_millis(), outage.retry_at.as_millis()), (7_000, 12_000));
    assert_eq!(
        (open.consecutive_failures.count, open.consecutive_failures.last.as_millis(), open.trips),
        (2, 7_000, 0)
    );
}

#[test]
fn forced_outranks_an_external_state() {
    let forced = external(r#"{"state":"CLOSED","forced":true,"retryAt":9000}"#);
    assert_eq!(forced.phase, Phase::ForcedOpen { until: Some(Timestamp::from_millis(9_000)) });
    assert_eq!(external(r#"{"state":"CLOSED","forced":false}"#).phase, Phase::Closed);
}

#[test]
fn invalid_numbers_are_zero_and_huge_ones_the_largest_that_fit() {
    let text = r#"{"state":"CLOSED","failureCount":-3,"lastFailureTime":"soon","epoch":1e300}"#;
    let record = external(text);
    assert_eq!((record.consecutive_failures.count, record.consecutive_failures.last), (0, Timestamp::NEVER));
    assert_eq!(record.epoch, 0, "no epoch is that large");
    let far = external(r#"{"state":"OPEN","failureCount":99999999999,"openedAt":1e300}"#);
    assert_eq!(far.consecutive_failures.count, u32::MAX);
    let Phase::Open(outage) = far.phase else { panic!("{:?}", far.phase) };
    assert_eq!(outage.opened_at, Timestamp::MAX);
}

#[test]
fn anything_else_is_invalid() {
    for text in
        ["", "OPEN", "null", "[]", "7", "{}", r#"{"state":7}"#, r#"{"state":"HALF_OPEN"}"#, "{\"state\":"]
    {
        assert_eq!(parse(text), Document::Invalid, "{text:?}");
    }
    assert_eq!(Document::parse(&[0xff, 0x00], &Policy::default()), Document::Invalid);
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(parse(&deep), Document::Invalid);
}

/// Two failures of one request: bound to it, and the failure of an instance that names nobody besides.
fn bound() -> Record {
    let mut record = opened();
    let source = crate::Source { caller: "ci".parse().ok(), tag: Some(161) };
    record.consecutive_failures.count = 3;
    record.consecutive_failures.by.add(&source);
    record.consecutive_failures.by.add(&source);
    let scope = SourceScope { caller: source.caller, tag: source.tag };
    if let Phase::Open(outage) = &mut record.phase {
        outage.bound_to = Some(scope.clone());
        outage.waiting = Some(SourceBlock { scope: SourceScope::of_caller(None), until: NOW });
    }
    record.blocked_sources = vec![SourceBlock { scope, until: NOW }];
    record
}

#[test]
fn a_bound_circuit_is_written_as_documented() {
    let record = bound();
    let bytes = encode(&record, &Extras::default());
    let value: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(value["state"], "OPEN", "an Open SWE instance refuses all");
    assert_eq!(value["alone"], json!({"caller": "ci", "tag": 161}));
    assert_eq!(value["window"]["by"], json!([["ci", 161, 2]]));
    assert_eq!(value["window"]["refused"], json!([{"caller": "ci", "tag": 161, "until": NOW}]));
    assert_eq!(value["window"]["waiting"], json!({"until": NOW}));
    let read = Document::parse(&bytes, &Policy::default());
    assert_eq!(read, Document::Native(record, Extras::default()));
}

#[test]
fn an_external_open_is_for_all() {
    let text = String::from_utf8(encode(&bound(), &Extras::default())).unwrap();
    let record = external(&text.replacen(r#""failureCount":3"#, r#""failureCount":4"#, 1));
    assert_eq!((record.bound_to(), record.blocked_sources.len()), (None, 0));
    assert_eq!(record.consecutive_failures.by.total(), 0, "all are others' failures");
}

#[test]
fn an_external_value_carries_our_record() {
    let ours = String::from_utf8(encode(&bound(), &Extras::default())).unwrap();
    let text = ours.replacen(r#""failureCount":3"#, r#""failureCount":4"#, 1);
    let Document::External(external, _) = parse(&text) else { panic!("{text}") };
    assert_eq!(external.carried.as_deref(), Some(&bound()));
    for without in [
        ours.replacen(r#""seal""#, r#""lacks""#, 1),
        text.replacen(r#""epoch":1800000000001"#, r#""epoch":18000000000010000"#, 1),
        text.replacen(r#""seal":{"state":"OPEN""#, r#""seal":{"state":"WRONG""#, 1),
    ] {
        let Document::External(external, _) = parse(&without) else { panic!("{without}") };
        assert_eq!(external.carried, None, "{without}");
    }
}

#[test]
fn what_an_operator_opens_for_a_while_has_an_end_for_all() {
    let until = NOW + std::time::Duration::from_secs(20);
    let record =
        Record { phase: Phase::ForcedOpen { until: Some(until) }, ..Record::closed(NOW.as_millis()) };
    let bytes = encode(&record, &Extras::default());
    let value: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(value["openedAt"], json!(until.as_millis() - 180_000), "Open SWE comes back at its end");
    assert_eq!(record.ttl(NOW).unwrap().as_secs(), 24 * 60 * 60 + 20);
    assert_eq!(Document::parse(&bytes, &Policy::default()), Document::Native(record, Extras::default()));
}

#[test]
fn a_value_without_sources_is_read() {
    let text = String::from_utf8(encode(&opened(), &Extras::default())).unwrap();
    assert!(!text.contains("alone") && !text.contains(r#""by""#), "{text}");
    let Document::Native(record, _) = parse(&text) else { panic!("{text}") };
    assert_eq!((record.bound_to(), record.window.buckets.len()), (None, 1));
}

#[test]
fn a_reason_of_a_later_version_is_read() {
    let mut record = opened();
    record.reason = Some(Reason::new(TransitionCause::Manual));
    let text = String::from_utf8(encode(&record, &Extras::default())).unwrap();
    let Document::Native(read, _) = parse(&text.replace(r#""manual""#, r#""cosmic_rays""#)) else {
        panic!("{text}")
    };
    assert_eq!(read.reason, Some(Reason::new(TransitionCause::Other)));
}

#[test]
fn a_reason_says_whose_word_it_is() {
    let policy = Policy::default();
    let by = Some("ci".parse().unwrap());
    let reason = Reason { by, ..Reason::new(crate::TransitionCause::Manual) };
    let record = Record { reason: Some(reason), ..Record::closed(7) };
    let text = String::from_utf8(encode(&record, &Extras::default())).unwrap();
    assert!(text.contains(r#""by":"ci""#), "{text}");
    assert_eq!(Document::parse(text.as_bytes(), &policy).into_parts().0.reason, record.reason);
    for wrong in [r#""two words""#, "5", "null", r#"{"a":1}"#] {
        let text = text.replace(r#""ci""#, wrong);
        let read = Document::parse(text.as_bytes(), &policy).into_parts().0.reason;
        assert_eq!(read, Some(Reason::new(crate::TransitionCause::Manual)), "{wrong}");
    }
}
