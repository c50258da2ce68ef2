//! Where the token of a call to Vertex AI is from, and what happens without any.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use dialects::Endpoint;
use futures_util::future::join_all;
use providers::{ErrorDetail, FailureClass, Provider, ProviderErrorKind};
use serde_json::{Value, json};

use crate::google::{GEMINI_ANSWER, TemporaryFile, ask, service_account, vertex};
use crate::http_server::{HttpServer, Received, Reply};

const NO_SERVER: (&str, &str) = ("NO_GCE_CHECK", "true");
const PROJECT: (&str, &str) = ("GOOGLE_CLOUD_PROJECT", "the-project");

fn granted(token: &str, seconds: u64) -> Reply {
    let body = json!({"access_token": token, "expires_in": seconds, "token_type": "Bearer"});
    Reply::json(200, body.to_string())
}

async fn vertex_server() -> HttpServer {
    HttpServer::start(|_| Reply::json(200, GEMINI_ANSWER)).await
}

async fn call(provider: &Provider) {
    ask(provider, Endpoint::GenerateContent, false).await.unwrap();
}

fn last(server: &HttpServer) -> Received {
    server.received().pop().unwrap()
}

fn form(request: &Received) -> Vec<(String, String)> {
    url::form_urlencoded::parse(&request.body).into_owned().collect()
}

#[tokio::test]
async fn a_service_accounts_file() {
    let endpoint = HttpServer::start(|_| granted("ya29.hush", 3599)).await;
    let (content, key) = service_account(&format!("{}/token", endpoint.url));
    let file = TemporaryFile::new("service-account", &content);
    let server = vertex_server().await;
    let provider = vertex(&server.url, &[("GOOGLE_APPLICATION_CREDENTIALS", file.path())]);
    // At the same time, and once more: one fetch.
    join_all([call(&provider), call(&provider), call(&provider)]).await;
    call(&provider).await;
    let asked = endpoint.received();
    assert_eq!((asked.len(), asked[0].path.as_str()), (1, "/token"));
    let form = form(&asked[0]);
    assert_eq!(form[1].1, "urn:ietf:params:oauth:grant-type:jwt-bearer");
    let claims = form[0].1.split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&BASE64.decode(claims).unwrap()).unwrap();
    assert_eq!(claims["iss"], "switchboard@p.iam.gserviceaccount.com");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    assert!(now.abs_diff(claims["iat"].as_u64().unwrap()) < 60);
    let received = last(&server);
    assert_eq!(received.header("authorization"), "Bearer ya29.hush");
    assert_eq!(received.header("x-goog-user-project"), "");
    let place = "/v1/projects/the-files-project/locations/europe-west1";
    assert_eq!(received.path, format!("{place}/publishers/google/models/gemini-2.5-flash:generateContent"));
    let shown = format!("{provider:?}");
    assert!(!shown.contains("ya29") && !shown.contains(&key[30..60]), "{shown}");
}

#[tokio::test]
async fn a_persons_file_by_gcloud() {
    let endpoint = HttpServer::start(|_| granted("ya29.person", 3599)).await;
    let folder = std::env::temp_dir().join(format!("switchboard-gcloud-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("gcloud")).unwrap();
    let content = json!({
        "type": "authorized_user", "client_id": "the-client", "client_secret": "hush-client", "refresh_token": "hush-refresh",
        "quota_project_id": "the-quota", "token_uri": endpoint.url,
    });
    let path = folder.join("gcloud").join("application_default_credentials.json");
    std::fs::write(&path, content.to_string()).unwrap();
    let server = vertex_server().await;
    let gcloud = folder.join("gcloud");
    let variables = [("CLOUDSDK_CONFIG", gcloud.to_str().unwrap()), PROJECT];
    call(&vertex(&server.url, &variables)).await;
    let expected = [
        ("grant_type", "refresh_token"),
        ("client_id", "the-client"),
        ("client_secret", "hush-client"),
        ("refresh_token", "hush-refresh"),
    ];
    assert_eq!(
        form(&endpoint.received()[0]),
        expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
    let received = last(&server);
    assert_eq!(received.header("authorization"), "Bearer ya29.person");
    assert_eq!(received.header("x-goog-user-project"), "the-quota");
    assert!(received.path.starts_with("/v1/projects/the-project/"), "{}", received.path);
    // Without a project of its own, the one whose quota is used.
    call(&vertex(&server.url, &variables[..1])).await;
    assert!(last(&server).path.starts_with("/v1/projects/the-quota/"));
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn the_service_account_of_a_machine() {
    fn metadata(request: &Received) -> Reply {
        if request.header("metadata-flavor") != "Google" {
            return Reply::json(403, "");
        }
        match request.path.as_str() {
            "/computeMetadata/v1/instance/service-accounts/default/token" => granted("ya29.machine", 3599),
            "/computeMetadata/v1/project/project-id" => Reply::json(200, "the-machines-project"),
            _ => Reply::json(404, ""),
        }
    }
    let machine = HttpServer::start(metadata).await;
    let server = vertex_server().await;
    let host = machine.url.strip_prefix("http://").unwrap();
    call(&vertex(&server.url, &[("GCE_METADATA_HOST", host)])).await;
    let received = last(&server);
    assert_eq!(received.header("authorization"), "Bearer ya29.machine");
    assert!(received.path.starts_with("/v1/projects/the-machines-project/"), "{}", received.path);
    call(&vertex(&server.url, &[("GCE_METADATA_ROOT", host), PROJECT])).await;
    assert!(last(&server).path.starts_with("/v1/projects/the-project/"));
    assert_eq!(machine.received().len(), 3, "a project that is named is not asked for");
}

#[tokio::test]
async fn without_credentials_nothing_is_sent() {
    let server = vertex_server().await;
    let endpoint = HttpServer::start(|_| {
        Reply::json(400, r#"{"error":"invalid_grant","error_description":"hush: account not found"}"#)
    })
    .await;
    let no_account = HttpServer::start(|_| Reply::json(404, "")).await;
    let machine = no_account.url.strip_prefix("http://").unwrap().to_owned();
    let file = |name: &str, changes: &[(&str, Value)]| {
        let (mut content, _) = service_account(&endpoint.url);
        for (field, value) in changes {
            content[*field] = value.clone();
        }
        TemporaryFile::new(name, &content)
    };
    let federated = file("federated", &[("type", json!("external_account"))]);
    let other = file("other", &[("type", json!("hush hush"))]);
    let half = file("half", &[("client_email", Value::Null)]);
    let no_key = file("no-key", &[("private_key", json!("hush"))]);
    let clear = file("clear", &[("token_uri", json!("http://oauth2.googleapis.com/token"))]);
    let no_project = file("no-project", &[("project_id", Value::Null)]);
    let refused = file("refused", &[]);
    let no_json = TemporaryFile::new("no-json", &json!(["hush"]));
    let named =
        |file: &TemporaryFile| vec![("GOOGLE_APPLICATION_CREDENTIALS".to_owned(), file.path().to_owned())];
    let one = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    for (variables, expected) in [
        (
            one(NO_SERVER.0, NO_SERVER.1),
            "there are no Google credentials: set GOOGLE_APPLICATION_CREDENTIALS to",
        ),
        (
            one("GCE_METADATA_HOST", &machine),
            "there are no Google credentials: set GOOGLE_APPLICATION_CREDENTIALS to",
        ),
        (one("GCE_METADATA_HOST", "two hosts"), "GCE_METADATA_HOST is no host"),
        (
            one("GOOGLE_APPLICATION_CREDENTIALS", "/no/such.json"),
            "/no/such.json cannot be read: there is no such file",
        ),
        (
            named(&federated),
            "credentials of type \"external_account\", which is not supported: use the key of a service account, or",
        ),
        (
            named(&other),
            "credentials of type \"\", which is not supported: use the key of a service account, or run",
        ),
        (named(&half), "cannot be read: it has no client_email"),
        (named(&no_key), "cannot be read: its private_key is no RSA key in PEM format"),
        (named(&clear), "cannot be read: its token_uri is no https:// address"),
        (named(&no_json), "cannot be read: it is no JSON object of credentials"),
        (named(&no_project), "there is no Google Cloud project: set GOOGLE_CLOUD_PROJECT, or project"),
        (
            named(&refused),
            "Google credentials cannot be fetched: the token endpoint answered with HTTP 400 invalid_grant",
        ),
    ] {
        let variables: Vec<_> =
            variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let error = ask(&vertex(&server.url, &variables), Endpoint::Messages, false).await.unwrap_err();
        assert_eq!(
            (error.kind, error.class),
            (ProviderErrorKind::Credentials, FailureClass::Auth),
            "{error}"
        );
        assert!(error.to_string().contains(expected), "{error}");
        assert!(!error.to_string().contains("hush"), "{error}");
        assert!(matches!(error.detail.as_deref(), Some(ErrorDetail::Credentials(_))));
    }
    assert!(server.received().is_empty());
}

#[tokio::test]
async fn a_wrong_clock_is_named() {
    let endpoint = HttpServer::start(|_| {
        Reply::json(400, r#"{"error":"invalid_grant"}"#).with("date", "Tue, 01 Jul 2025 12:00:00 GMT")
    })
    .await;
    let (content, _) = service_account(&endpoint.url);
    let file = TemporaryFile::new("clock", &content);
    let provider = vertex(&endpoint.url, &[("GOOGLE_APPLICATION_CREDENTIALS", file.path())]);
    let error = ask(&provider, Endpoint::GenerateContent, false).await.unwrap_err();
    assert_eq!(error.class, FailureClass::Auth);
    let words = error.to_string();
    assert!(
        words.contains("this machine's clock is") && words.contains("ahead of that of the token endpoint"),
        "{words}"
    );
}

#[tokio::test]
async fn a_service_that_is_away_is_nobodys_failure() {
    let server = vertex_server().await;
    let failing = HttpServer::start(|_| Reply::json(503, "")).await;
    let host = failing.url.strip_prefix("http://").unwrap().to_owned();
    let (content, _) = service_account(&failing.url);
    let file = TemporaryFile::new("failing", &content);
    for (variable, expected) in [
        (("GCE_METADATA_HOST", "127.0.0.1:1"), "the metadata server cannot be reached (connection refused)"),
        (("GCE_METADATA_HOST", host.as_str()), "the metadata server answered with HTTP 503"),
        (("GOOGLE_APPLICATION_CREDENTIALS", file.path()), "the token endpoint answered with HTTP 503"),
    ] {
        let error =
            ask(&vertex(&server.url, &[variable]), Endpoint::GenerateContent, false).await.unwrap_err();
        assert_eq!((error.kind, error.class), (ProviderErrorKind::Credentials, FailureClass::LocalResource));
        assert!(error.to_string().contains(expected), "{error}");
    }
    assert!(server.received().is_empty());
}

#[tokio::test]
async fn tokens_are_renewed_in_the_background_before_they_expire() {
    let fetches = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&fetches);
    // The first one expires in 3 minutes: good for calls, but due for renewal.
    let machine = HttpServer::start(move |_| match count.fetch_add(1, SeqCst) {
        0 => granted("first", 180),
        _ => granted("second", 3600),
    })
    .await;
    let server = vertex_server().await;
    let host = machine.url.strip_prefix("http://").unwrap();
    let provider = vertex(&server.url, &[("GCE_METADATA_HOST", host), PROJECT]);
    call(&provider).await;
    call(&provider).await;
    assert_eq!((last(&server).header("authorization"), fetches.load(SeqCst)), ("Bearer first", 1));
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(6)).await;
    tokio::time::resume();
    call(&provider).await;
    assert_eq!(last(&server).header("authorization"), "Bearer first", "the call did not wait");
    while last(&server).header("authorization") != "Bearer second" {
        call(&provider).await;
    }
    assert_eq!(fetches.load(SeqCst), 2);
}

#[tokio::test]
async fn a_token_that_is_refused_is_fetched_again_once() {
    let fetches = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&fetches);
    let machine = HttpServer::start(move |_| match count.fetch_add(1, SeqCst) {
        0 => granted("revoked-token", 3600),
        _ => granted("new-token", 3600),
    })
    .await;
    let server = HttpServer::start(|request| {
        if request.header("authorization") == "Bearer revoked-token" {
            let words = r#"{"error":{"code":401,"message":"Request had invalid authentication credentials: revoked-token","status":"UNAUTHENTICATED"}}"#;
            return Reply::json(401, words);
        }
        Reply::json(200, GEMINI_ANSWER)
    })
    .await;
    let host = machine.url.strip_prefix("http://").unwrap();
    let provider = vertex(&server.url, &[("GCE_METADATA_HOST", host), PROJECT]);
    let error = ask(&provider, Endpoint::GenerateContent, false).await.unwrap_err();
    assert_eq!(
        (error.class, fetches.load(SeqCst)),
        (FailureClass::Auth, 1),
        "it is new: another would be the same"
    );
    let body = error.response.unwrap().body;
    assert!(!String::from_utf8_lossy(&body).contains("revoked-token"), "a token that is quoted: {body:?}");
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(11)).await;
    tokio::time::resume();
    call(&provider).await;
    assert_eq!((server.received().len(), fetches.load(SeqCst)), (3, 2));
}

#[tokio::test]
async fn a_check_costs_nothing_and_tells_a_wrong_token() {
    for (status, is_refused) in [(400, false), (401, true), (403, true), (404, false)] {
        let machine = HttpServer::start(|_| granted("token", 3600)).await;
        let server = HttpServer::start(move |_| Reply::json(status, "{}")).await;
        let host = machine.url.strip_prefix("http://").unwrap();
        let provider = vertex(&server.url, &[("GCE_METADATA_HOST", host), PROJECT]);
        let access = provider.check_access(Duration::from_secs(5)).await.unwrap();
        assert_eq!((access.status.as_u16(), access.is_refused), (status, is_refused));
        assert_eq!(access.credentials.unwrap().to_string(), "metadata server");
        let received = last(&server);
        assert!(received.path.ends_with("/publishers/google/models/gemini-2.5-flash:countTokens"));
        assert_eq!((received.header("authorization"), &received.body[..]), ("Bearer token", &b"{}"[..]));
    }
}
