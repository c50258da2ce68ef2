//! Our assertions against those of google-auth: `tests/google-auth/assert.py` writes the table.

use serde_json::Value;

use super::*;

const TABLE: &str = include_str!("../../../tests/google-auth/assertions.json");

fn signer(table: &Value, row: &Value) -> Signer {
    let key = row["key"].as_str().unwrap();
    Signer {
        email: row["email"].as_str().unwrap().to_owned(),
        key_id: row["key_id"].as_str().map(str::to_owned),
        private_key: table["keys"][key].as_str().unwrap().into(),
    }
}

#[test]
fn assertions_are_those_of_google_auth() {
    let table: Value = serde_json::from_str(TABLE).unwrap();
    let rows = table["rows"].as_array().unwrap();
    assert!(rows.len() >= 8);
    for row in rows {
        let at = UNIX_EPOCH + Duration::from_secs(row["unix_seconds"].as_u64().unwrap());
        let assertion = signer(&table, row).assertion(at).unwrap();
        let expected = row["assertion"].as_str().unwrap();
        let part = |text: &str, index| text.split('.').nth(index).map(|part| BASE64.decode(part).unwrap());
        for (index, name) in ["header", "claims", "signature"].into_iter().enumerate() {
            let (ours, theirs) = (part(&assertion, index).unwrap(), part(expected, index).unwrap());
            let shown = (String::from_utf8_lossy(&ours), String::from_utf8_lossy(&theirs));
            assert_eq!(ours, theirs, "{}: {name} {shown:?}", row["name"]);
        }
        assert_eq!(assertion, expected, "{}", row["name"]);
    }
}

#[test]
fn what_is_no_rsa_key() {
    let elliptic = "-----BEGIN PRIVATE KEY-----\n\
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg\n-----END PRIVATE KEY-----\n";
    for key in ["", "hush", elliptic, "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"] {
        let signer = Signer { email: "a@b".to_owned(), key_id: None, private_key: key.into() };
        assert!(signer.assertion(UNIX_EPOCH).is_err(), "{key}");
    }
}
