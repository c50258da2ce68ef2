//! Helpers of the tests about Vertex AI.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use dialects::Endpoint;
use http::HeaderMap;
use providers::{
    GoogleEnvironment, GoogleSettings, Provider, ProviderConfig, ProviderError, ProviderKind,
    ProviderRequest, ProviderResponse, Timeouts,
};
use serde_json::{Value, json};

pub(crate) const LOCATION: &str = "europe-west1";
pub(crate) const CLAUDE: &str = "claude-haiku-4-5@20251001";
pub(crate) const GEMINI: &str = "gemini-2.5-flash";

pub(crate) const GEMINI_ANSWER: &str = r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"Hi"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":2,"totalTokenCount":3,"trafficType":"ON_DEMAND"},"modelVersion":"gemini-2.5-flash"}"#;

/// A provider of Vertex AI whose account these variables describe.
pub(crate) fn vertex(base_url: &str, variables: &[(&str, &str)]) -> Provider {
    let variables: BTreeMap<_, _> = variables.iter().copied().collect();
    let environment = GoogleEnvironment::read(|name| variables.get(name).map(|value| (*value).to_owned()));
    let config = ProviderConfig {
        api_key: variables.get("api_key").map(|key| (*key).into()),
        google: Some(GoogleSettings {
            project: environment.project().map(str::to_owned),
            location: environment.location().unwrap_or(LOCATION).to_owned(),
            credentials: None,
            environment,
        }),
        ..ProviderConfig::new("vertex", ProviderKind::Vertex, base_url.parse().unwrap())
    };
    Provider::new(config, Duration::from_secs(5)).unwrap()
}

/// A call of Claude by Anthropic's API, or of Gemini by Google's.
pub(crate) async fn ask(
    provider: &Provider,
    endpoint: Endpoint,
    stream: bool,
) -> Result<ProviderResponse, ProviderError> {
    let mut headers = HeaderMap::new();
    headers.insert("anthropic-beta", "context-1m-2025-08-07".parse().unwrap());
    headers.insert("anthropic-version", "2023-06-01".parse().unwrap());
    headers.insert("x-vertex-ai-llm-request-type", "shared".parse().unwrap());
    let (model, body) = match endpoint {
        Endpoint::Messages | Endpoint::CountTokens => (
            CLAUDE,
            json!({"model": "planner", "max_tokens": 9, "stream": stream, "messages": [{"role": "user", "content": "my secret"}]}),
        ),
        _ => (GEMINI, json!({"contents": [{"parts": [{"text": "my secret"}]}]})),
    };
    provider
        .call(&ProviderRequest {
            beta: false,
            wants_meta: true,
            withhold_usage: false,
            endpoint,
            model,
            body: &body.to_string().into(),
            translation: None,
            tail: None,
            stream,
            json_array: false,
            headers: &headers,
            timeouts: &Timeouts::default(),
        })
        .await
}

/// A file that is deleted at the end of its test.
pub(crate) struct TemporaryFile(PathBuf);

impl TemporaryFile {
    pub(crate) fn new(name: &str, content: &Value) -> Self {
        let path = std::env::temp_dir().join(format!("switchboard-{name}-{}.json", std::process::id()));
        std::fs::write(&path, content.to_string()).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A service account, whose tokens come from `token_uri`, and its private key.
pub(crate) fn service_account(token_uri: &str) -> (Value, String) {
    let table: Value = serde_json::from_str(include_str!("../google-auth/assertions.json")).unwrap();
    let key = table["keys"]["pkcs8-2048"].as_str().unwrap().to_owned();
    let file = json!({
        "type": "service_account", "project_id": "the-files-project", "private_key_id": "k1", "private_key": key,
        "client_email": "switchboard@p.iam.gserviceaccount.com", "token_uri": token_uri,
    });
    (file, key)
}
