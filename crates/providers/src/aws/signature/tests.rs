//! Our signatures against those of botocore: `tests/botocore/sign.py` writes the table.

use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::*;
use crate::credentials::CredentialsSource;

const TABLE: &str = include_str!("../../../tests/botocore/signatures.json");

fn time(text: &str) -> SystemTime {
    let time = DateTime::strptime("%Y%m%dT%H%M%SZ", text).unwrap();
    time.to_zoned(TimeZone::UTC).unwrap().timestamp().into()
}

#[test]
fn signatures_are_those_of_botocore() {
    let table: Value = serde_json::from_str(TABLE).unwrap();
    let rows = table["rows"].as_array().unwrap();
    assert!(rows.len() >= 16);
    for row in rows {
        let text = |name: &str| row[name].as_str().unwrap();
        let given = row["headers"].as_object().unwrap().iter().map(|(name, value)| {
            let name = HeaderName::try_from(name.as_str()).unwrap();
            (name, HeaderValue::try_from(value.as_str().unwrap()).unwrap())
        });
        let mut headers: HeaderMap = given.collect();
        // Neither of these is signed: proxies may change them.
        headers.insert("user-agent", HeaderValue::from_static("x"));
        headers.insert("traceparent", HeaderValue::from_static("00-1-2-01"));
        let credentials = Credentials {
            access_key_id: text("key").to_owned(),
            secret_access_key: text("secret").into(),
            session_token: row["token"].as_str().map(Into::into),
            expires_at: None,
            source: CredentialsSource::Variables,
        };
        let parts = Parts {
            method: text("method"),
            path: text("path"),
            host: &HeaderValue::from_str(text("host")).unwrap(),
            body: &BodyHash::of(text("body").as_bytes()),
        };
        let scope = Scope { region: text("region"), service: text("service") };
        sign(&mut headers, parts, &credentials, scope, time(text("time"))).unwrap();
        let name = text("name");
        assert_eq!(headers["x-amz-date"], text("time"), "{name}");
        assert_eq!(headers.get("x-amz-security-token").map(|it| it.to_str().unwrap()), row["token"].as_str());
        assert_eq!(headers["authorization"], text("authorization"), "{name}");
        let shown = format!("{headers:?} {credentials:?}");
        assert!(!shown.contains(text("secret")) && !shown.contains("AWS4-HMAC"), "{shown}");
        assert!(row["token"].as_str().is_none_or(|token| !shown.contains(token)), "{shown}");
    }
}

#[test]
fn what_cannot_stand_in_a_header() {
    let credentials = Credentials {
        access_key_id: "two\nlines".to_owned(),
        secret_access_key: "s".into(),
        session_token: None,
        expires_at: None,
        source: CredentialsSource::Variables,
    };
    let parts =
        Parts { method: "POST", path: "/", host: &HeaderValue::from_static("h"), body: &BodyHash::of(b"") };
    let scope = Scope { region: "r", service: "s" };
    assert!(sign(&mut HeaderMap::new(), parts, &credentials, scope, SystemTime::UNIX_EPOCH).is_err());
}
