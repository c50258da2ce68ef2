//! Our requests to Vertex AI against those of Google's and Anthropic's SDKs: `tests/google-sdk/record.py` writes the table.

use dialects::Endpoint;
use http::HeaderMap;
use providers::{ProviderRequest, Timeouts};
use serde_json::{Value, json};

use crate::aws::ANSWER;
use crate::google::{GEMINI_ANSWER, TemporaryFile, vertex};
use crate::http_server::{HttpServer, Reply};

const TABLE: &str = include_str!("../google-sdk/requests.json");

/// What a caller of the maker's own API sends for the same.
fn own_request(row: &Value, model: &str) -> (Endpoint, Value) {
    let call = row["call"].as_str().unwrap();
    if row["sdk"] == "claude" {
        let mut body = row["body"].clone();
        body.as_object_mut().unwrap().remove("anthropic_version");
        body["model"] = json!(model);
        return (if call == "count" { Endpoint::CountTokens } else { Endpoint::Messages }, body);
    }
    let endpoint = if call == "count" { Endpoint::GeminiCountTokens } else { Endpoint::GenerateContent };
    (endpoint, json!({"contents": [{"parts": [{"text": "Hello?"}]}]}))
}

#[tokio::test]
async fn requests_are_those_of_the_sdks() {
    let table: Value = serde_json::from_str(TABLE).unwrap();
    let rows = table["rows"].as_array().unwrap();
    assert!(rows.len() >= 9);
    let tokens =
        HttpServer::start(|_| Reply::json(200, r#"{"access_token":"the-token","expires_in":3599}"#)).await;
    let person = json!({
        "type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r", "quota_project_id": "the-quota",
        "token_uri": tokens.url,
    });
    let person = TemporaryFile::new("person", &person);
    for row in rows {
        let model = row["model"].as_str().unwrap();
        let (endpoint, body) = own_request(row, model);
        let is_claude = row["sdk"] == "claude";
        let server =
            HttpServer::start(move |_| Reply::json(200, if is_claude { ANSWER } else { GEMINI_ANSWER }))
                .await;
        let location = row["location"].as_str().unwrap_or("global");
        let project = ("GOOGLE_CLOUD_PROJECT", "the-project");
        let machine = tokens.url.strip_prefix("http://").unwrap();
        let account = match row["sdk"].as_str().unwrap() {
            "gemini" => vec![project, ("GOOGLE_APPLICATION_CREDENTIALS", person.path())],
            "claude" => vec![project, ("GCE_METADATA_HOST", machine)],
            _ => vec![("api_key", "the-key")],
        };
        let provider = vertex(&server.url, &[&account[..], &[("GOOGLE_CLOUD_LOCATION", location)]].concat());
        let mut headers = HeaderMap::new();
        // To Anthropic the SDK sends the same version in the header.
        let version = row["body"]["anthropic_version"].as_str().unwrap_or("2023-06-01");
        headers.insert("anthropic-version", version.parse().unwrap());
        if let Some(beta) = row["headers"]["anthropic-beta"].as_str() {
            headers.insert("anthropic-beta", beta.parse().unwrap());
        }
        let answer = provider
            .call(&ProviderRequest {
                beta: false,
                wants_meta: true,
                withhold_usage: false,
                endpoint,
                model,
                body: &body.to_string().into(),
                translation: None,
                tail: None,
                stream: row["call"] == "stream",
                json_array: false,
                headers: &headers,
                timeouts: &Timeouts::default(),
            })
            .await;
        // A plain answer is none to whoever asked for a stream; the request is what counts here.
        assert!(answer.is_ok() || row["call"] == "stream", "{row}: {answer:?}");
        let received = &server.received()[0];
        assert_eq!(received.path, row["path"].as_str().unwrap(), "{row}");
        for name in
            ["authorization", "x-goog-api-key", "x-goog-user-project", "anthropic-beta", "anthropic-version"]
        {
            let expected = row["headers"][name].as_str().unwrap_or_default();
            assert_eq!(received.header(name), expected, "{name}: {row}");
        }
        let sent: Value = serde_json::from_slice(&received.body).unwrap();
        assert_eq!(sent, row["body"], "{row}");
    }
}
