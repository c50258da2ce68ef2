//! Where the credentials of a signature are from, and what happens without any.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, SystemTime};

use dialects::Endpoint;
use futures_util::future::join_all;
use providers::{ErrorDetail, FailureClass, Provider, ProviderErrorKind};
use serde_json::{Value, json};

use crate::aws::{ANSWER, KEYS, SECRET, TOKEN, ask, bedrock, verified_key};
use crate::http_server::{HttpServer, Received, Reply};

const DISABLED: (&str, &str) = ("AWS_EC2_METADATA_DISABLED", "true");

/// Credentials that expire then, as containers and instances get them.
fn handed_out(key: &str, seconds: u64) -> Reply {
    let end = jiff::Timestamp::try_from(SystemTime::now() + Duration::from_secs(seconds)).unwrap();
    let body = json!({
        "Code": "Success", "AccessKeyId": key, "SecretAccessKey": SECRET, "Token": TOKEN, "Expiration": end.to_string(),
    });
    Reply::json(200, body.to_string())
}

async fn bedrock_server() -> HttpServer {
    HttpServer::start(|_| Reply::json(200, ANSWER)).await
}

async fn call(provider: &Provider) {
    ask(provider, Endpoint::Messages, false).await.unwrap();
}

/// The key of the last request, whose signature is checked.
fn last_key(server: &HttpServer) -> String {
    let last = server.received().pop().unwrap();
    verified_key(&last, SECRET).unwrap()
}

#[tokio::test]
async fn a_containers_role() {
    let file = std::env::temp_dir().join(format!("switchboard-token-{}", std::process::id()));
    std::fs::write(&file, "the-pods-token\n").unwrap();
    let role = HttpServer::start(|_| handed_out("AKIDCONTAINER", 3600)).await;
    let server = bedrock_server().await;
    let url = format!("{}/v1/credentials?a=b", role.url);
    let provider = bedrock(
        &server.url,
        &[
            DISABLED,
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file.to_str().unwrap()),
        ],
    );
    // At the same time, and once more: one fetch.
    join_all([call(&provider), call(&provider), call(&provider)]).await;
    call(&provider).await;
    let fetched = role.received();
    assert_eq!(fetched.len(), 1);
    assert_eq!(
        (fetched[0].path.as_str(), fetched[0].header("authorization")),
        ("/v1/credentials?a=b", "the-pods-token")
    );
    assert_eq!(last_key(&server), "AKIDCONTAINER");
    assert_eq!(server.received()[0].header("x-amz-security-token"), TOKEN);
    let shown = format!("{provider:?}");
    assert!(!shown.contains(SECRET) && !shown.contains(TOKEN), "{shown}");
    std::fs::remove_file(file).unwrap();
}

#[tokio::test]
async fn an_instances_role() {
    fn metadata(request: &Received) -> Reply {
        let with_token = request.header("x-aws-ec2-metadata-token") == "the-token";
        match (request.method.as_str(), request.path.as_str()) {
            ("PUT", "/latest/api/token")
                if !request.header("x-aws-ec2-metadata-token-ttl-seconds").is_empty() =>
            {
                Reply::json(200, "the-token")
            }
            ("GET", "/latest/meta-data/iam/security-credentials/") if with_token => {
                Reply::json(200, "the-role")
            }
            ("GET", "/latest/meta-data/iam/security-credentials/the-role") if with_token => {
                handed_out("AKIDINSTANCE", 3600)
            }
            _ => Reply::json(401, ""),
        }
    }
    let instance = HttpServer::start(metadata).await;
    let server = bedrock_server().await;
    call(&bedrock(&server.url, &[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &instance.url)])).await;
    assert_eq!(last_key(&server), "AKIDINSTANCE");
    assert_eq!(instance.received().len(), 3);
}

const STS_REPLY: &str = "<AssumeRoleResponse><AssumeRoleResult><Credentials>\
    <AccessKeyId>AKIDROLE</AccessKeyId><SecretAccessKey>the-secret/access+key</SecretAccessKey>\
    <SessionToken>the-session/token==</SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration>\
    </Credentials></AssumeRoleResult></AssumeRoleResponse>";

#[tokio::test]
async fn a_web_identity() {
    let file = std::env::temp_dir().join(format!("switchboard-identity-{}", std::process::id()));
    std::fs::write(&file, "the.web.token").unwrap();
    let sts = HttpServer::start(|_| Reply::json(200, STS_REPLY)).await;
    let server = bedrock_server().await;
    let variables = [
        ("AWS_ENDPOINT_URL_STS", sts.url.as_str()),
        ("AWS_ROLE_ARN", "arn:aws:iam::1:role/r"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", file.to_str().unwrap()),
    ];
    call(&bedrock(&server.url, &variables)).await;
    assert_eq!(last_key(&server), "AKIDROLE");
    let form = String::from_utf8(sts.received()[0].body.to_vec()).unwrap();
    assert_eq!(
        form,
        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr\
         &RoleSessionName=switchboard&WebIdentityToken=the.web.token"
    );
    assert_eq!(sts.received()[0].header("authorization"), "");
    std::fs::remove_file(file).unwrap();
}

#[tokio::test]
async fn a_profile_and_the_role_of_one() {
    let file = std::env::temp_dir().join(format!("switchboard-profiles-{}", std::process::id()));
    let profiles = format!(
        "[default]\naws_access_key_id = AKIDPROFILE\naws_secret_access_key = {SECRET}\n\
         [role]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = default\nexternal_id = e\n\
         [sso]\nsso_session = corp\n[loop]\nrole_arn = a\nsource_profile = pool\n[pool]\nrole_arn = a\nsource_profile = loop\n"
    );
    std::fs::write(&file, profiles).unwrap();
    let sts = HttpServer::start(|_| Reply::json(200, STS_REPLY)).await;
    let server = bedrock_server().await;
    let provider = |profile: &'static str| {
        let path = file.to_str().unwrap();
        let variables = [DISABLED, ("AWS_SHARED_CREDENTIALS_FILE", path), ("AWS_ENDPOINT_URL_STS", &sts.url)];
        let named = (!profile.is_empty()).then_some(("AWS_PROFILE", profile));
        bedrock(&server.url, &variables.into_iter().chain(named).collect::<Vec<_>>())
    };
    call(&provider("")).await;
    assert_eq!(last_key(&server), "AKIDPROFILE");
    call(&provider("role")).await;
    assert_eq!(last_key(&server), "AKIDROLE");
    assert_eq!(
        verified_key(&sts.received()[0], SECRET).as_deref(),
        Some("AKIDPROFILE"),
        "the role is asked for by it"
    );
    for (profile, expected) in [
        ("sso", "the AWS profile \"sso\" uses sso_session, which is not supported"),
        ("loop", "profiles lead to each other in a circle"),
        ("none", "there is no AWS profile \"none\" in "),
    ] {
        let error = ask(&provider(profile), Endpoint::Messages, false).await.unwrap_err();
        assert_eq!((error.kind, error.class), (ProviderErrorKind::Credentials, FailureClass::Auth));
        assert!(error.to_string().contains(expected), "{error}");
    }
    std::fs::remove_file(file).unwrap();
}

#[tokio::test]
async fn without_credentials_nothing_is_sent() {
    let server = bedrock_server().await;
    for (variables, expected) in [
        (&[DISABLED][..], "there are no AWS credentials: set AWS_BEARER_TOKEN_BEDROCK, or"),
        (&[DISABLED, KEYS[0]], "AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not: set both"),
        (
            &[DISABLED, ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://elsewhere/")],
            "AWS_CONTAINER_CREDENTIALS_FULL_URI is not an address of this machine",
        ),
        (&[KEYS[0], KEYS[1], ("AWS_SESSION_TOKEN", "two\nlines")], "have characters that are invalid"),
    ] {
        let error = ask(&bedrock(&server.url, variables), Endpoint::Messages, false).await.unwrap_err();
        assert_eq!((error.kind, error.class), (ProviderErrorKind::Credentials, FailureClass::Auth));
        assert!(error.to_string().contains(expected), "{error}");
        assert!(matches!(error.detail.as_deref(), Some(ErrorDetail::Credentials(_))));
    }
    assert!(server.received().is_empty());
}

#[tokio::test]
async fn a_service_that_is_away_is_nobodys_failure() {
    let server = bedrock_server().await;
    let failing = HttpServer::start(|_| Reply::json(503, "")).await;
    for (url, expected) in [
        (
            "http://127.0.0.1:1/".to_owned(),
            "the container's credentials endpoint cannot be reached (connection refused)",
        ),
        (failing.url.clone(), "answered with HTTP 503"),
    ] {
        let variables = [DISABLED, ("AWS_CONTAINER_CREDENTIALS_FULL_URI", url.as_str())];
        let error = ask(&bedrock(&server.url, &variables), Endpoint::Messages, false).await.unwrap_err();
        assert_eq!((error.kind, error.class), (ProviderErrorKind::Credentials, FailureClass::LocalResource));
        assert!(error.to_string().contains(expected), "{error}");
    }
    assert!(server.received().is_empty());
}

#[tokio::test]
async fn credentials_are_renewed_in_the_background_before_they_expire() {
    let fetches = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&fetches);
    // The first ones expire in 5 minutes: good for calls, but due for renewal.
    let role = HttpServer::start(move |_| match count.fetch_add(1, SeqCst) {
        0 => handed_out("AKIDFIRST", 300),
        _ => handed_out("AKIDSECOND", 3600),
    })
    .await;
    let server = bedrock_server().await;
    let provider = bedrock(&server.url, &[DISABLED, ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &role.url)]);
    call(&provider).await;
    call(&provider).await;
    assert_eq!(
        (last_key(&server).as_str(), fetches.load(SeqCst)),
        ("AKIDFIRST", 1),
        "not more often than every 5 s"
    );
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(6)).await;
    tokio::time::resume();
    call(&provider).await;
    assert_eq!(last_key(&server), "AKIDFIRST", "the call did not wait");
    while last_key(&server) != "AKIDSECOND" {
        call(&provider).await;
    }
    assert_eq!(fetches.load(SeqCst), 2);
}

#[tokio::test]
async fn credentials_that_are_refused_are_fetched_again_once() {
    let fetches = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&fetches);
    let role = HttpServer::start(move |_| match count.fetch_add(1, SeqCst) {
        0 => handed_out("AKIDREVOKED", 3600),
        _ => handed_out("AKIDNEW", 3600),
    })
    .await;
    let server = HttpServer::start(|request| {
        if verified_key(request, SECRET).as_deref() == Some("AKIDREVOKED") {
            let words = r#"{"message":"The security token included in the request is expired"}"#;
            return Reply::json(403, words).with("x-amzn-errortype", "ExpiredTokenException");
        }
        Reply::json(200, ANSWER)
    })
    .await;
    let provider = bedrock(&server.url, &[DISABLED, ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &role.url)]);
    let error = ask(&provider, Endpoint::Messages, false).await.unwrap_err();
    assert_eq!(
        (error.class, fetches.load(SeqCst)),
        (FailureClass::Auth, 1),
        "they are new: others would be the same"
    );
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(11)).await;
    tokio::time::resume();
    call(&provider).await;
    assert_eq!((server.received().len(), fetches.load(SeqCst)), (3, 2));
}

#[tokio::test]
async fn a_check_tells_a_wrong_key_from_a_missing_right() {
    for (status, name, is_refused) in [
        (400, "ValidationException", false),
        (403, "AccessDeniedException", false),
        (403, "UnrecognizedClientException", true),
        (404, "UnknownOperationException", false),
    ] {
        let reply = Reply::json(status, "{}").with("x-amzn-errortype", name);
        let server = HttpServer::start(move |_| reply.clone()).await;
        let access = bedrock(&server.url, &KEYS).check_access(Duration::from_secs(5)).await.unwrap();
        assert_eq!((access.status.as_u16(), access.is_refused), (status, is_refused), "{name}");
        assert_eq!(access.credentials.unwrap().to_string(), "AWS_ACCESS_KEY_ID");
        let received = &server.received()[0];
        assert!(verified_key(received, SECRET).is_some());
        assert_eq!(serde_json::from_slice::<Value>(&received.body).unwrap(), json!({}));
    }
}
