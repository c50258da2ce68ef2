//! A provider behind a proxy: what the caller, the log, the circuit and `doctor` say of each failure on the way (F7), and that
//! none of them has the proxy's password.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    reason = "helpers of tests fail as tests do"
)]

#[path = "support/program.rs"]
mod program;

use std::path::{Path, PathBuf};

use program::TempDir;
use serde_json::{Value, json};
use testbed::{ConnectProxy, ConnectReply, Program, serve_tls, tls_acceptor};

const PASSWORD: &str = "hush-hush";
/// `user:hush-hush` as a proxy gets it.
const BASIC: &str = "dXNlcjpodXNoLWh1c2g=";
const ANSWER: &str = r#"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"Hi"}}]}"#;

fn certificate(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../providers/tests/calls/certificates").join(name)
}

/// What was said of one call through a proxy.
struct Said {
    status: u16,
    answer: Value,
    log: String,
    circuit: Value,
    doctor: Value,
}

/// Calls a provider through the proxy of this URL.
async fn call(proxy: &str, ca_file: &Path) -> Said {
    let text = format!(
        "server.listen = '127.0.0.1:0'\ntimeouts.connect = '500ms'\nretry.max_attempts = 1\n\
         breaker.failure_threshold = 1\nbreaker.min_failure_span = '1ms'\nbreaker.burst_threshold = 1\n\
         [providers.far]\nkind = 'openai'\nbase_url = 'https://provider.example/v1'\napi_key = 'k'\n\
         ca_file = '{}'\n",
        ca_file.display()
    );
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.toml", uuid::Uuid::new_v4()));
    let directory = TempDir::new().with_file("switchboard.toml", &text);
    std::fs::write(&file, &text).unwrap();
    let variables = [
        ("SWITCHBOARD_CONFIG", file.to_str().unwrap()),
        ("REDIS_URL", "memory:"),
        ("HTTPS_PROXY", proxy),
        ("SWITCHBOARD_LOG", "manager=debug,info"),
    ];
    let program = Program::start(env!("CARGO_BIN_EXE_switchboard"), &["serve"], variables);
    let line = program.wait_for_line("listening").await;
    let url = line.split("address=").nth(1).expect("its address").split(' ').next().unwrap().to_owned();
    let client = reqwest::Client::new();
    let body = json!({ "model": "far:m", "messages": [{ "role": "user", "content": "hi" }] });
    let response = client.post(format!("{url}/v1/chat/completions")).json(&body).send().await.unwrap();
    let status = response.status().as_u16();
    let answer = response.json().await.unwrap();
    program.wait_for_line("path=\"/v1/chat/completions\"").await;
    let circuit = circuit(&client, &url).await;
    let doctor = directory.run(&["doctor", "--json"], &variables[1..]).await.json();
    let checks = doctor["checks"].as_array().unwrap();
    let doctor = checks.iter().find(|check| check["check"] == "provider_access").unwrap().clone();
    let said = Said { status, answer, log: program.lines().join("\n"), circuit, doctor };
    for text in [said.answer.to_string(), said.log.clone(), said.circuit.to_string(), said.doctor.to_string()]
    {
        assert!(!text.contains(PASSWORD) && !text.contains(BASIC), "{text}");
    }
    said
}

/// The circuit of the model. One that no configuration names begins with its first failure, a moment after that was reported.
async fn circuit(client: &reqwest::Client, url: &str) -> Value {
    loop {
        let response = client.get(format!("{url}/circuits/far:m")).send().await.unwrap();
        if response.status() != 404 {
            return response.json().await.unwrap();
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// Checks that everybody who says why has these words, and the circuit has the code.
fn assert_failed(said: &Said, code: &str, words: &str) {
    assert_eq!(said.status, 502, "{}", said.answer);
    for text in [said.answer["error"]["message"].as_str().unwrap(), &said.log] {
        assert!(text.contains(words), "{words:?} in {text}");
    }
    let reason = said.circuit["reason"].to_string();
    assert!(reason.contains(code), "{code} in {}", said.circuit);
    assert_eq!(said.doctor["verdict"], "warning");
    assert!(said.doctor["found"].as_str().unwrap().contains(words), "{words:?} in {}", said.doctor);
}

async fn provider() -> std::net::SocketAddr {
    serve_tls(tls_acceptor(&certificate("proxy_server.pem"), &certificate("server.key")), ANSWER).await
}

#[tokio::test]
async fn a_provider_is_called_through_a_tunnel() {
    let acceptor = tls_acceptor(&certificate("proxy_server.pem"), &certificate("server.key"));
    for (scheme, tls) in [("http", None), ("https", Some(acceptor))] {
        let proxy = ConnectProxy::start(ConnectReply::Tunnel(provider().await), tls).await;
        let url = format!("{scheme}://user:{PASSWORD}@localhost:{}", proxy.port());
        let said = call(&url, &certificate("proxy_ca.pem")).await;
        assert_eq!(said.status, 200, "{}", said.answer);
        assert_eq!(said.answer["choices"][0]["message"]["content"], "Hi");
        assert_eq!(said.doctor["verdict"], "ok", "{}", said.doctor);
        assert!(proxy.requests().iter().all(|request| request.contains(BASIC)));
    }
}

#[tokio::test]
async fn what_a_proxy_refuses_is_said_everywhere() {
    for (reply, words) in [
        (
            ConnectReply::Refuse("407 Proxy Authentication Required"),
            "it does not accept the user and password (HTTP 407)",
        ),
        (ConnectReply::Refuse("403 Forbidden"), "it refuses the connection (HTTP 403)"),
        (ConnectReply::Refuse("502 Bad Gateway"), "it does not reach provider.example:443 (HTTP 502)"),
        (ConnectReply::Silence, "it made no connection to provider.example within "),
    ] {
        let proxy = ConnectProxy::start(reply, None).await;
        let said =
            call(&format!("http://user:{PASSWORD}@127.0.0.1:{}", proxy.port()), &certificate("proxy_ca.pem"))
                .await;
        assert_failed(&said, "proxy", &format!("proxy 127.0.0.1:{}: {words}", proxy.port()));
        assert!(said.doctor["advice"].as_str().unwrap().contains("HTTPS_PROXY"), "{}", said.doctor);
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_reached_is_named_everywhere() {
    let said = call(&format!("http://user:{PASSWORD}@127.0.0.1:1"), &certificate("proxy_ca.pem")).await;
    assert_failed(&said, "proxy", "proxy 127.0.0.1:1: ");
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_named_through_a_tunnel() {
    let proxy = ConnectProxy::start(ConnectReply::Tunnel(provider().await), None).await;
    let said = call(&format!("http://127.0.0.1:{}", proxy.port()), &certificate("ca.pem")).await;
    let words = "the certificate \"provider.example\" leads to the authority \"Example Company CA 2, Example Company\"";
    assert_failed(&said, "tls", words);
    assert!(said.doctor["advice"].as_str().unwrap().contains("ca_file"), "{}", said.doctor);
}

#[tokio::test]
async fn a_proxy_that_cannot_be_obeyed_stops_the_start_by_name() {
    let variables = [
        ("REDIS_URL", "memory:"),
        ("OPENAI_API_KEY", "k"),
        ("ALL_PROXY", "socks://user:hush-hush@proxy.example"),
    ];
    for command in [&["serve", "--listen", "127.0.0.1:0"][..], &["config", "check"], &["doctor"]] {
        let ended = TempDir::new().run(command, &variables).await;
        let said = [ended.stdout, ended.stderr].concat();
        assert!(
            ended.code == Some(1) && said.contains("ALL_PROXY names a proxy by socks://, expected"),
            "{said}"
        );
        assert!(!said.contains(PASSWORD), "{said}");
    }
}

#[tokio::test]
async fn exceptions_are_called_without_a_proxy() {
    let proxy = ConnectProxy::start(ConnectReply::Refuse("403 Forbidden"), None).await;
    let url = format!("http://127.0.0.1:{}", proxy.port());
    let variables = [
        ("REDIS_URL", "memory:"),
        ("OPENAI_API_KEY", "k"),
        ("OPENAI_BASE_URL", "https://no-such-host.invalid/v1"),
        ("HTTPS_PROXY", &*url),
        ("NO_PROXY", ".invalid"),
    ];
    let ended = TempDir::new().run(&["doctor"], &variables).await;
    assert!(ended.stdout.contains("host unknown: no-such-host.invalid"), "{}", ended.stdout);
    assert!(proxy.requests().is_empty());
}
