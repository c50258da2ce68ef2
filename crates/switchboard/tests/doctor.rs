//! `switchboard doctor` against real servers, healthy and broken.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail tests")]
#![expect(
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    reason = "helpers that two test programs share"
)]

#[path = "support/program.rs"]
mod program;

use program::{ProgramOutput, TempDir};
use serde_json::Value;
use testbed::{Program, RedisServer};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

const SECRET: &str = "hush-hush";

async fn doctor(directory: &TempDir, variables: &[(&str, &str)]) -> ProgramOutput {
    let ended = directory.run(&["doctor", "--json"], variables).await;
    assert!(
        !ended.stdout.contains(SECRET) && !ended.stderr.contains(SECRET),
        "{}{}",
        ended.stdout,
        ended.stderr
    );
    ended
}

/// Nothing listens there, so no test asks a real provider.
const CLOSED_PROVIDER: &str = "http://127.0.0.1:1/v1";

async fn run_doctor(url: &str) -> ProgramOutput {
    let provider = ("OPENAI_BASE_URL", CLOSED_PROVIDER);
    doctor(&TempDir::new(), &[("REDIS_URL", url), ("OPENAI_API_KEY", SECRET), provider]).await
}

/// The finding of one check.
fn finding(ended: &ProgramOutput, check: &str) -> Value {
    let report = ended.json();
    let checks = report["checks"].as_array().unwrap();
    checks
        .iter()
        .find(|finding| finding["check"] == check)
        .unwrap_or_else(|| panic!("no {check}: {report}"))
        .clone()
}

/// The verdict of one check; a problem must come with advice.
fn check_status(ended: &ProgramOutput, check: &str) -> String {
    let finding = finding(ended, check);
    let verdict = finding["verdict"].as_str().unwrap();
    assert_eq!(finding["advice"].is_string(), matches!(verdict, "warning" | "failed"), "{finding}");
    verdict.to_owned()
}

fn assert_check_says(ended: &ProgramOutput, check: &str, part: &str, text: &str) {
    let finding = finding(ended, check);
    assert!(finding[part].as_str().is_some_and(|found| found.contains(text)), "{text:?} expected: {finding}");
}

#[tokio::test]
async fn a_route_named_like_a_model_is_a_warning() {
    let text = "[routes.gpt-5]\nmodels = [\"openai:gpt-5\"]\n[routes.claude-sonnet-5]\nmodels = [\"openai:gpt-5\"]\n\
                [routes.'anthropic:claude-sonnet-5']\nmodels = [\"openai:gpt-5\"]\n";
    let directory = TempDir::new().with_file("switchboard.toml", text);
    let variables =
        [("REDIS_URL", "memory:"), ("OPENAI_API_KEY", SECRET), ("OPENAI_BASE_URL", CLOSED_PROVIDER)];
    let ended = doctor(&directory, &variables).await;
    assert_eq!(check_status(&ended, "configuration"), "warning");
    for (name, model) in [
        ("gpt-5", "openai:gpt-5"),
        ("claude-sonnet-5", "anthropic:claude-sonnet-5"),
        ("\"anthropic:claude-sonnet-5\"", "anthropic:claude-sonnet-5"),
    ] {
        let text = format!("[routes.{name}] is named like the model {model}: ");
        assert_check_says(&ended, "configuration", "found", &text);
    }
}

#[tokio::test]
async fn a_base_url_that_ends_in_an_endpoint_is_a_warning() {
    let base_url = "http://127.0.0.1:1/v1/chat/completions";
    let variables = [("REDIS_URL", "memory:"), ("OPENAI_API_KEY", SECRET), ("OPENAI_BASE_URL", base_url)];
    let ended = doctor(&TempDir::new(), &variables).await;
    assert_eq!(check_status(&ended, "configuration"), "warning");
    let expected = "OPENAI_BASE_URL: ends in /chat/completions, which is added automatically; \
                    expected \"http://127.0.0.1:1/v1\"";
    assert_check_says(&ended, "configuration", "found", expected);
    let program = env!("CARGO_BIN_EXE_switchboard");
    let program = Program::start(program, &["serve", "--listen", "127.0.0.1:0"], variables);
    let line = program.wait_for_line(expected).await;
    assert!(line.contains("WARN"), "{line}");
}

#[tokio::test]
async fn a_loop_is_an_error() {
    for (listen, base_url) in [
        ("127.0.0.1:4100", "http://0.0.0.0:4100/v1"),
        ("127.0.0.1:4100", "http://[::ffff:127.0.0.1]:4100/v1"),
        ("0.0.0.0:4100", "http://localhost:4100/v1"),
        ("[::]:4100", "http://127.0.0.1:4100/v1"),
    ] {
        let variables = [
            ("REDIS_URL", "memory:"),
            ("SWITCHBOARD_LISTEN", listen),
            ("SWITCHBOARD_API_KEY", SECRET),
            ("OPENAI_API_KEY", SECRET),
            ("OPENAI_BASE_URL", base_url),
        ];
        let directory = TempDir::new();
        let expected = "OPENAI_BASE_URL: is the address that Switchboard listens on";
        let ended = doctor(&directory, &variables).await;
        assert_eq!(check_status(&ended, "configuration"), "failed", "{base_url} at {listen}");
        assert_check_says(&ended, "configuration", "found", expected);
        for command in [["config", "check"], ["serve", "--log-format=text"]] {
            let ended = directory.run(&command, &variables).await;
            let said = [ended.stdout, ended.stderr].concat();
            assert!(ended.code == Some(1) && said.contains(expected), "{command:?}: {said}");
        }
    }
}

#[tokio::test]
async fn all_checks_pass() {
    let redis = RedisServer::start_with(&["--appendonly", "yes"]).await;
    let simulator = simulator::Simulator::start().await.unwrap();
    let (url, base_url) = (redis.url(), simulator.openai_base_url());
    let variables = [("REDIS_URL", &*url), ("OPENAI_API_KEY", SECRET), ("OPENAI_BASE_URL", &*base_url)];
    let ended = doctor(&TempDir::new(), &variables).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    assert_check_says(&ended, "provider_access", "found", "openai: reached (HTTP ");
    let report = ended.json();
    assert_eq!(report["ok"], true);
    for finding in report["checks"].as_array().unwrap() {
        if finding["check"] == "models" {
            continue; // depends on the date of the test run
        }
        let expected = if finding["check"] == "tls" { "skipped" } else { "ok" };
        assert_eq!(finding["verdict"], expected, "{finding}");
    }
    assert_check_says(&ended, "providers", "found", "openai (key present)");
    assert_check_says(&ended, "server", "found", "Redis ");
    assert_eq!(redis.cli(&["DBSIZE"]).await, "0", "nothing is written");
    assert!(!redis.cli(&["INFO", "commandstats"]).await.contains("cmdstat_set:"));
}

#[tokio::test]
async fn text_has_one_line_per_check() {
    let redis = RedisServer::start().await;
    let ended = TempDir::new().run(&["doctor"], &[("REDIS_URL", &redis.url())]).await;
    assert_eq!(ended.code, Some(0), "a warning is no failure");
    let lines: Vec<_> = ended.stdout.lines().collect();
    assert_eq!(lines[0], "✓ configuration   environment (no switchboard.toml): valid");
    assert!(lines[1].starts_with("! providers       none configured"), "{lines:?}");
    let advice: Vec<_> = lines.iter().filter(|line| line.starts_with("                  → ")).collect();
    assert_eq!(advice.len(), 2, "{lines:?}");
    assert!(advice[1].ends_with("start it with --appendonly yes"), "{lines:?}");
    assert_eq!((lines.len(), lines[21]), (22, "OK, 2 warnings."));
}

#[tokio::test]
async fn a_provider_that_is_not_reached_is_told_with_the_cause() {
    for (base_url, found, advice) in [
        (
            CLOSED_PROVIDER,
            "openai: could not connect to the provider (connection refused: 127.0.0.1:1: ",
            "the port",
        ),
        ("http://no-such-host.invalid/v1", "(host unknown: no-such-host.invalid: ", "name servers"),
    ] {
        let variables = [("REDIS_URL", "memory:"), ("OPENAI_API_KEY", SECRET), ("OPENAI_BASE_URL", base_url)];
        let ended = doctor(&TempDir::new(), &variables).await;
        assert_eq!((ended.code, check_status(&ended, "provider_access")), (Some(0), "warning".to_owned()));
        assert_check_says(&ended, "provider_access", "found", found);
        assert_check_says(&ended, "provider_access", "advice", advice);
    }
}

#[tokio::test]
async fn a_model_that_has_ended() {
    let variables = [
        ("REDIS_URL", "memory:"),
        ("OPENAI_API_KEY", SECRET),
        ("OPENAI_BASE_URL", CLOSED_PROVIDER),
        ("DEFAULT_PLANNER_MODEL", "openai:gpt-4-32k"),
    ];
    let ended = doctor(&TempDir::new(), &variables).await;
    assert_eq!((ended.code, check_status(&ended, "models")), (Some(0), "warning".to_owned()));
    assert_check_says(
        &ended,
        "models",
        "found",
        "openai:gpt-4-32k ended on 2025-06-06 according to OpenAI: route planner",
    );
    assert_check_says(&ended, "models", "advice", "DEFAULT_PLANNER_MODEL");

    let broken = doctor(&TempDir::new(), &[("REDIS_URL", "memory:"), ("DEFAULT_PLANNER_MODEL", "x")]).await;
    assert_eq!(check_status(&broken, "models"), "skipped");
    assert_check_says(&broken, "models", "found", "needs a valid configuration");
}

#[tokio::test]
async fn a_port_that_is_closed() {
    let mut redis = RedisServer::start().await;
    redis.kill();
    let ended = run_doctor(&redis.url()).await;
    assert_eq!(ended.code, Some(1));
    assert_eq!(ended.json()["ok"], false);
    assert_eq!(
        (check_status(&ended, "host"), check_status(&ended, "port")),
        ("ok".to_owned(), "failed".to_owned())
    );
    assert_check_says(&ended, "port", "advice", "start it");
    assert_eq!(check_status(&ended, "circuits"), "skipped");
    assert_check_says(&ended, "circuits", "found", "needs port");
}

#[tokio::test]
async fn a_password_that_is_missing_wrong_or_right() {
    let redis = RedisServer::start_with(&["--requirepass", SECRET, "--appendonly", "yes"]).await;
    let at = |login: &str| format!("redis://{login}127.0.0.1:{}", redis.port());
    let wrong = format!("{SECRET}-not");
    for url in [at(""), at(&format!(":{wrong}@")), at(&format!("nobody:{SECRET}@"))] {
        let ended = run_doctor(&url).await;
        assert_eq!(
            (ended.code, check_status(&ended, "authentication")),
            (Some(1), "failed".to_owned()),
            "{url}"
        );
        assert_check_says(&ended, "authentication", "advice", "password in REDIS_URL");
        assert_eq!(check_status(&ended, "server"), "skipped");
    }
    let ended = run_doctor(&at(&format!(":{SECRET}@"))).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
}

#[tokio::test]
async fn a_user_without_a_needed_permission() {
    let redis = RedisServer::start().await;
    for (right, check) in [
        ("-client", "tracking"),
        ("-script", "scripts"),
        ("-evalsha", "scripts"),
        ("-time", "clock"),
        ("-scan", "circuits"),
        ("-info", "server"),
    ] {
        redis.cli(&["ACL", "SETUSER", "app", "reset", "on", "nopass", "~*", "&*", "+@all", right]).await;
        let ended = run_doctor(&format!("redis://app:x@127.0.0.1:{}", redis.port())).await;
        let expected = if check == "server" { "warning" } else { "failed" };
        assert_eq!(check_status(&ended, check), expected, "{right}: {}", ended.stdout);
        assert_check_says(&ended, check, "advice", "ACL SETUSER name +");
    }
}

#[tokio::test]
async fn a_replica_cannot_be_written_to() {
    let primary = RedisServer::start().await;
    let of = primary.port().to_string();
    let replica = RedisServer::start_with(&["--replicaof", "127.0.0.1", &of]).await;
    let ended = run_doctor(&replica.url()).await;
    assert_eq!((ended.code, check_status(&ended, "role")), (Some(1), "failed".to_owned()));
    assert_check_says(&ended, "role", "advice", &format!("127.0.0.1:{of}"));
}

#[tokio::test]
async fn a_redis_that_may_evict_circuits() {
    let redis = RedisServer::start_with(&["--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru"]).await;
    let ended = run_doctor(&redis.url()).await;
    assert_eq!((ended.code, check_status(&ended, "memory")), (Some(0), "warning".to_owned()));
    assert_check_says(&ended, "memory", "advice", "noeviction");
}

#[tokio::test]
async fn tls_where_there_is_none() {
    let redis = RedisServer::start().await;
    let ended = run_doctor(&format!("rediss://127.0.0.1:{}", redis.port())).await;
    assert_eq!((ended.code, check_status(&ended, "tls")), (Some(1), "failed".to_owned()), "{}", ended.stdout);
}

#[tokio::test]
async fn something_else_answers() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            // The first connection only checks that the port is open, and sends nothing.
            if connection.read(&mut [0; 512]).await.is_ok_and(|length| length > 0) {
                drop(connection.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await);
            }
        }
    });
    let ended = run_doctor(&format!("redis://127.0.0.1:{port}")).await;
    server.abort();
    assert_eq!(
        (ended.code, check_status(&ended, "server")),
        (Some(1), "failed".to_owned()),
        "{}",
        ended.stdout
    );
    assert_check_says(&ended, "server", "found", "not a Redis server");
}

#[tokio::test]
async fn a_redis_that_hangs() {
    let redis = RedisServer::start().await;
    redis.pause();
    let ended = run_doctor(&redis.url()).await;
    redis.resume();
    assert_eq!((ended.code, check_status(&ended, "port")), (Some(1), "ok".to_owned()));
    assert_eq!(check_status(&ended, "server"), "failed", "{}", ended.stdout);
    assert_check_says(&ended, "server", "found", "there is no response within 3 s");
}

#[tokio::test]
async fn keys_among_the_circuits() {
    let redis = RedisServer::start().await;
    let now = redis.cli(&["TIME"]).await.lines().next().unwrap().to_owned() + "000";
    let open = format!(r#"{{"state":"OPEN","failureCount":2,"lastFailureTime":{now},"openedAt":{now}}}"#);
    redis.cli(&["SET", "circuit_breaker:openai:open", &open]).await;
    redis.cli(&["SET", "circuit_breaker:openai:forced", r#"{"state":"OPEN"}"#]).await;
    redis.cli(&["SET", "circuit_breaker:openai:closed", r#"{"state":"CLOSED"}"#]).await;
    let ended = run_doctor(&redis.url()).await;
    assert_eq!(check_status(&ended, "circuits"), "ok", "{}", ended.stdout);
    assert_check_says(
        &ended,
        "circuits",
        "found",
        "2 OPEN (1 forced), 0 HALF_OPEN, 1 CLOSED; 3 written by Open SWE",
    );

    redis.cli(&["SET", "circuit_breaker:openai:garbage", "hello"]).await;
    redis.cli(&["LPUSH", "circuit_breaker:openai:list", "1"]).await;
    redis.cli(&["SET", "circuit_breaker:gpt 5", "x"]).await;
    let ended = run_doctor(&redis.url()).await;
    assert_eq!((ended.code, check_status(&ended, "circuits")), (Some(0), "warning".to_owned()));
    let garbage =
        r#"2 with an invalid value: "circuit_breaker:openai:garbage", "circuit_breaker:openai:list""#;
    assert_check_says(&ended, "circuits", "found", garbage);
    assert_check_says(&ended, "circuits", "found", r#"1 not named provider:model: "circuit_breaker:gpt 5""#);
    assert_eq!(redis.cli(&["GET", "circuit_breaker:openai:open"]).await, open, "nothing is adopted");
}

#[tokio::test]
async fn a_broken_configuration_does_not_end_it() {
    let redis = RedisServer::start().await;
    let file = format!(
        "[redis]\nurl = \"{}\"\n[breaker]\nfailure_threshold = 0\n[server]\nlissen = 1\n",
        redis.url()
    );
    let ended = doctor(&TempDir::new().with_file("switchboard.toml", &file), &[]).await;
    assert_eq!((ended.code, check_status(&ended, "configuration")), (Some(1), "failed".to_owned()));
    assert_check_says(&ended, "configuration", "found", "switchboard.toml:4: ");
    assert_check_says(&ended, "configuration", "found", "lissen");
    assert_eq!(
        (check_status(&ended, "providers"), check_status(&ended, "circuits")),
        ("skipped".to_owned(), "ok".to_owned())
    );

    let ended = doctor(&TempDir::new().with_file("switchboard.toml", "[redis"), &[]).await;
    assert_eq!(
        (check_status(&ended, "configuration"), check_status(&ended, "redis_url")),
        ("failed".to_owned(), "failed".to_owned())
    );
    let url = redis.url();
    let ended = doctor(&TempDir::new().with_file("switchboard.toml", "[redis"), &[("REDIS_URL", &url)]).await;
    assert_eq!(
        (check_status(&ended, "redis_url"), check_status(&ended, "circuits")),
        ("ok".to_owned(), "ok".to_owned())
    );
}

#[tokio::test]
async fn a_missing_file() {
    let redis = RedisServer::start().await;
    let variables = [("REDIS_URL", redis.url()), ("SWITCHBOARD_CONFIG", "no.toml".to_owned())];
    let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
    let ended = doctor(&TempDir::new(), &variables).await;
    assert_eq!((ended.code, check_status(&ended, "configuration")), (Some(1), "failed".to_owned()));
    assert_eq!(check_status(&ended, "circuits"), "ok");
}

#[tokio::test]
async fn addresses_that_lead_nowhere() {
    let ended = run_doctor("memory:").await;
    assert_eq!((ended.code, check_status(&ended, "redis_url")), (Some(0), "warning".to_owned()));
    assert_check_says(&ended, "circuits", "found", "no Redis configured");
    for url in [
        format!("localhost:{SECRET}"),
        format!("redis://:{SECRET}@localhost/seven"),
        "redis://a,b/1".to_owned(),
        format!("redis-sentinel://:{SECRET}@a,b"),
    ] {
        let ended = run_doctor(&url).await;
        assert_eq!(
            (ended.code, check_status(&ended, "redis_url")),
            (Some(1), "failed".to_owned()),
            "{}",
            ended.stdout
        );
        assert_eq!(check_status(&ended, "host"), "skipped");
    }
}

#[tokio::test]
async fn the_credentials_of_a_google_account() {
    for (status, file, verdict, part, text) in [
        (400, None, "ok", "found", "vertex: reached (HTTP 400; credentials: metadata server)"),
        (401, None, "failed", "found", "it rejects the token (HTTP 401; credentials: metadata server)"),
        (403, None, "failed", "advice", "aiplatform.endpoints.predict"),
        (
            400,
            Some("/no/such/file.json"),
            "failed",
            "found",
            "/no/such/file.json cannot be read: there is no such file",
        ),
        (
            400,
            Some("/no/such/file.json"),
            "failed",
            "advice",
            "correct the Google credentials of [providers.vertex]",
        ),
    ] {
        let server = google_server(status).await;
        let url = format!("http://{server}");
        let settings = format!("[providers.vertex]\nlocation = 'us-east5'\nbase_url = '{url}'");
        let directory = TempDir::new().with_file("switchboard.toml", &settings);
        let mut variables = vec![
            ("REDIS_URL", "memory:"),
            ("GOOGLE_CLOUD_PROJECT", "p"),
            ("GCE_METADATA_HOST", server.as_str()),
            ("CLOUDSDK_CONFIG", "/no/such"),
        ];
        variables.extend(file.map(|file| ("GOOGLE_APPLICATION_CREDENTIALS", file)));
        let ended = doctor(&directory, &variables).await;
        assert_eq!(check_status(&ended, "provider_access"), verdict, "{status} {file:?}");
        assert_check_says(&ended, "provider_access", part, text);
        assert_check_says(&ended, "providers", "found", "vertex (uses Google credentials for us-east5)");
    }
}

/// A metadata server that is Vertex AI, too, whose every response has this status.
async fn google_server(status: u16) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") && !request.ends_with(b"{}") {
                socket.read_buf(&mut request).await.unwrap();
            }
            let token = r#"{"access_token":"t-1","expires_in":3600}"#;
            let (status, body) = if request.starts_with(b"GET ") { (200, token) } else { (status, "{}") };
            let head =
                format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            socket.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        }
    });
    address
}

/// A server whose every response has this status and AWS' type of an error.
async fn aws_server(status: u16, error_type: &'static str, date: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"{}") {
                socket.read_buf(&mut request).await.unwrap();
            }
            let head = format!("HTTP/1.1 {status} x\r\nx-amzn-errortype: {error_type}\r\ndate: {date}\r\n");
            let response = format!("{head}content-length: 2\r\nconnection: close\r\n\r\n{{}}");
            socket.write_all(response.as_bytes()).await.unwrap();
        }
    });
    url
}

#[tokio::test]
async fn the_credentials_of_an_aws_account() {
    let now = "Tue, 01 Jul 2025 12:00:00 GMT";
    for (status, error_type, has_keys, verdict, part, text) in [
        (
            400,
            "ValidationException",
            true,
            "ok",
            "found",
            "reached (HTTP 400; credentials: AWS_ACCESS_KEY_ID)",
        ),
        (403, "AccessDeniedException", true, "ok", "found", "credentials: AWS_ACCESS_KEY_ID"),
        (
            403,
            "UnrecognizedClientException",
            true,
            "failed",
            "found",
            "rejects the signature (HTTP 403; credentials:",
        ),
        (403, "InvalidSignatureException", true, "failed", "advice", "this machine's clock is"),
        (400, "ValidationException", false, "failed", "found", "there are no AWS credentials"),
    ] {
        let url = aws_server(status, error_type, now).await;
        let directory =
            TempDir::new().with_file("switchboard.toml", "[providers.bedrock]\nregion = 'eu-west-1'");
        let keys = [("AWS_ACCESS_KEY_ID", "AKID"), ("AWS_SECRET_ACCESS_KEY", SECRET)];
        let mut variables = vec![
            ("REDIS_URL", "memory:"),
            ("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", url.as_str()),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ];
        variables.extend(keys.iter().filter(|_| has_keys));
        let ended = doctor(&directory, &variables).await;
        assert_eq!(check_status(&ended, "provider_access"), verdict, "{error_type}");
        assert_check_says(&ended, "provider_access", part, text);
        assert_check_says(&ended, "providers", "found", "bedrock (signs with AWS credentials for eu-west-1)");
    }
}
