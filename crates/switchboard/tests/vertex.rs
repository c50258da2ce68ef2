//! Vertex AI through the real program: callers of every API format, Gemini, Claude and models with OpenAI's API, plain and
//! streamed, with the credentials of a machine, of a file and of an API key, and its own ways to fail.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

mod callers;

use callers::{Caller, header, read_stream};
use http::StatusCode;
use reqwest::Response;
use serde_json::{Value, json};
use simulator::{Behaviour, Fault, ProviderError, Script, Simulator};
use testbed::Program;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

const GEMINI: &str = "gemini-2.5-flash";
const CLAUDE: &str = "claude-haiku-4-5@20251001";
const LLAMA: &str = "meta/llama-4-maverick-17b-128e-instruct-maas";

const MODELS: [(&str, &str); 3] = [(GEMINI, "gemini"), (CLAUDE, "anthropic"), (LLAMA, "openai-chat")];

/// What says that Vertex AI is used.
const ASKED_FOR: [(&str, &str); 2] =
    [("GOOGLE_GENAI_USE_VERTEXAI", "true"), ("GOOGLE_CLOUD_PROJECT", "the-project")];

/// The metadata server of a machine with a service account, and the token endpoint of any file.
struct TokenServer {
    address: String,
    task: AbortHandle,
}

impl TokenServer {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let task = tokio::spawn(async move {
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    let mut read = vec![0; 16 * 1024];
                    let count = socket.read(&mut read).await.unwrap();
                    let of_machine = read[..count].starts_with(b"GET ");
                    let token = if of_machine { "hush-hush-machine" } else { "hush-hush-file" };
                    let body = json!({"access_token": token, "expires_in": 3599, "token_type": "Bearer"})
                        .to_string();
                    let head = format!(
                        "HTTP/1.1 200 OK\r\nmetadata-flavor: Google\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                        body.len()
                    );
                    let _ = socket.write_all(format!("{head}{body}").as_bytes()).await;
                });
            }
        });
        Self { address, task: task.abort_handle() }
    }
}

impl Drop for TokenServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct World {
    simulator: Simulator,
    program: Program,
    url: String,
    tokens: TokenServer,
}

impl World {
    /// On a machine with a service account.
    async fn new(file: &str) -> Self {
        let tokens = TokenServer::start().await;
        let host = tokens.address.clone();
        Self::with(tokens, &[&ASKED_FOR[..], &[("GCE_METADATA_HOST", &host)]].concat(), file).await
    }

    async fn with(tokens: TokenServer, variables: &[(&str, &str)], file: &str) -> Self {
        let simulator = Simulator::start().await.unwrap();
        let endpoint = simulator.vertex_base_url();
        let path = temporary_file("toml", &format!("server.listen = '127.0.0.1:0'\n{file}"));
        let fixed = [
            ("SWITCHBOARD_CONFIG", path.as_str()),
            ("REDIS_URL", "memory:"),
            ("GOOGLE_VERTEX_BASE_URL", &endpoint),
            ("HOME", env!("CARGO_TARGET_TMPDIR")),
        ];
        let variables: Vec<_> = fixed.into_iter().chain(variables.iter().copied()).collect();
        let program = Program::start(env!("CARGO_BIN_EXE_switchboard"), &["serve"], variables);
        let line = program.wait_for_line("listening").await;
        let url = line.split("address=").nth(1).expect("its address").split(' ').next().unwrap().to_owned();
        Self { simulator, program, url, tokens }
    }

    async fn send(&self, caller: Caller, model: &str, stream: bool) -> Response {
        let url = format!("{}{}", self.url, caller.path(model, stream));
        reqwest::Client::new().post(url).json(&caller.body(model, stream)).send().await.unwrap()
    }

    async fn circuit(&self, model: &str) -> Value {
        let all = reqwest::get(format!("{}/circuits", self.url)).await.unwrap();
        let all: Value = all.json().await.unwrap();
        let circuits = all["circuits"].as_array().unwrap_or_else(|| panic!("{all}"));
        circuits.iter().find(|circuit| circuit["key"] == model).cloned().unwrap_or_default()
    }

    /// A failure is recorded a moment after the caller has its error.
    async fn wait_for_one_failure(&self, model: &str) {
        let recorded = async { while self.circuit(model).await["failureCount"] != 1 {} };
        let waited = tokio::time::timeout(std::time::Duration::from_secs(10), recorded).await;
        assert!(waited.is_ok(), "no failure of {model}: {}", self.circuit(model).await);
    }
}

fn temporary_file(kind: &str, content: &str) -> String {
    let path = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("{}.{kind}", uuid::Uuid::new_v4()));
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_caller_reaches_every_model() {
    let world = World::new("").await;
    for caller in Caller::ALL {
        for (model, api) in MODELS {
            // The path of Gemini's API holds the name in one piece.
            if caller == Caller::Gemini && model == LLAMA {
                continue;
            }
            let key = format!("vertex:{model}");
            let expected = format!("Hello from {model}.");
            for stream in [false, true] {
                let response = world.send(caller, &key, stream).await;
                let name = format!("{caller:?} {model} {stream}");
                assert_eq!(response.status(), 200, "{name}: {}", response.text().await.unwrap());
                assert_eq!(header(&response, "x-switchboard-model"), key, "{name}");
                let own = caller.format();
                let translated = if own == api { String::new() } else { format!("{own}>{api}") };
                assert_eq!(header(&response, "x-switchboard-translated"), translated, "{name}");
                if stream {
                    assert!(header(&response, "content-type").starts_with("text/event-stream"), "{name}");
                    let (events, text) = read_stream(response).await;
                    assert_eq!(caller.streamed_text(&events), expected, "{name}: {text}");
                    assert!(text.trim_end().lines().last().unwrap().contains(caller.end()), "{name}: {text}");
                } else {
                    let answer: Value = response.json().await.unwrap();
                    assert_eq!(caller.text(&answer), expected, "{name}");
                }
            }
        }
    }
    for received in world.simulator.traffic().received() {
        assert_eq!(received.headers["authorization"], "Bearer hush-hush-machine");
        let place = "/v1/projects/the-project/locations/global/";
        assert!(received.path.starts_with(place), "{}", received.path);
    }
    assert!(!world.program.lines().concat().contains("hush-hush"), "a secret in the log");
}

#[tokio::test]
async fn the_credentials_of_a_file_and_of_an_api_key() {
    let table: Value =
        serde_json::from_str(include_str!("../../providers/tests/google-auth/assertions.json")).unwrap();
    let tokens = TokenServer::start().await;
    let account = json!({
        "type": "service_account", "project_id": "the-files-project", "private_key_id": "k1",
        "private_key": table["keys"]["pkcs8-2048"], "client_email": "a@b.iam.gserviceaccount.com",
        "token_uri": format!("http://{}/token", tokens.address),
    });
    let account = temporary_file("json", &account.to_string());
    let file = format!(
        "[providers.file]\nkind = 'vertex'\nlocation = 'us-east5'\ncredentials = '{account}'\n\
         [providers.express]\nkind = 'vertex'\napi_key = 'hush-hush-key'\n"
    );
    let world = World::with(tokens, &[("NO_GCE_CHECK", "true")], &file).await;
    for caller in Caller::ALL {
        for model in [format!("file:{GEMINI}"), format!("file:{CLAUDE}"), format!("express:{GEMINI}")] {
            let response = world.send(caller, &model, true).await;
            assert_eq!(response.status(), 200, "{caller:?} {model}: {}", response.text().await.unwrap());
        }
    }
    for received in world.simulator.traffic().received() {
        let key = received.headers.get("x-goog-api-key").map(|key| key.to_str().unwrap());
        let (expected, place) = match received.headers.get("authorization") {
            Some(token) => {
                assert_eq!(token, "Bearer hush-hush-file");
                (None, "/v1/projects/the-files-project/locations/us-east5/publishers/")
            }
            None => (Some("hush-hush-key"), "/v1/publishers/google/models/gemini-2.5-flash:"),
        };
        assert_eq!(key, expected);
        assert!(received.path.starts_with(place), "{}", received.path);
    }
    let log = world.program.lines().concat();
    assert!(!log.contains("hush-hush") && !log.contains("PRIVATE KEY"), "a secret in the log");
}

const ROUTES: &str = "retry.max_attempts = 1\n\
    [routes.gemini]\nmodels = ['vertex:gemini-2.5-flash', 'vertex:spare']\n\
    [routes.claude]\nmodels = ['vertex:claude-haiku-4-5@20251001', 'vertex:spare']\n";

#[tokio::test]
async fn until_the_first_token_the_next_model_takes_over_unseen() {
    let world = World::new(ROUTES).await;
    for (route, model) in [("gemini", GEMINI), ("claude", CLAUDE)] {
        for fault in [
            Fault::ErrorEvent { after: 0, error: ProviderError::overloaded() },
            Fault::Cut { after: 0 },
            Fault::Garbage { after: 0 },
            Fault::End { after: 0 },
            Fault::Error(ProviderError::status(StatusCode::SERVICE_UNAVAILABLE)),
        ] {
            world.simulator.script(model, Script::always(fault.clone()));
            for caller in Caller::ALL {
                let response = world.send(caller, route, true).await;
                let (events, text) = read_stream(response).await;
                let name = format!("{route} {caller:?} {fault:?}: {text}");
                assert_eq!(caller.streamed_text(&events), "Hello from spare.", "{name}");
            }
        }
        let circuit = world.circuit(&format!("vertex:{model}")).await;
        assert_eq!(circuit["state"], "OPEN", "{circuit}");
    }
}

#[tokio::test]
async fn behind_the_first_token_the_caller_gets_an_error_of_its_format() {
    let world = World::new(ROUTES).await;
    for (route, model, after) in [("gemini", GEMINI, 1), ("claude", CLAUDE, 4)] {
        for fault in [Fault::ErrorEvent { after, error: ProviderError::overloaded() }, Fault::Cut { after }] {
            for caller in Caller::ALL {
                let key = format!("vertex:{model}");
                let reset = format!("{}/circuits/{key}/reset", world.url);
                reqwest::Client::new().post(reset).send().await.unwrap();
                world.simulator.script(model, Script::always(fault.clone()));
                let response = world.send(caller, route, true).await;
                let (events, text) = read_stream(response).await;
                let name = format!("{route} {caller:?} {fault:?}: {text}");
                assert!(caller.streamed_text(&events).starts_with("Hello"), "{name}");
                assert!(events.last().is_some_and(|event| caller.is_error(event)), "{name}");
                world.wait_for_one_failure(&key).await;
            }
        }
    }
}

#[tokio::test]
async fn errors_are_told_in_the_callers_format() {
    let world = World::new("retry.max_attempts = 1").await;
    for (model, _) in MODELS {
        let key = format!("vertex:{model}");
        world.simulator.script(model, Script::always(ProviderError::status(StatusCode::BAD_REQUEST)));
        for caller in Caller::ALL {
            if caller == Caller::Gemini && model == LLAMA {
                continue;
            }
            for stream in [false, true] {
                let response = world.send(caller, &key, stream).await;
                let name = format!("{caller:?} {model}");
                assert_eq!(response.status(), 400, "{name}");
                let error: Value = response.json().await.unwrap();
                let type_field = if caller == Caller::Gemini { "status" } else { "type" };
                assert!(error["error"]["message"].is_string(), "{name}: {error}");
                assert!(error["error"][type_field].is_string(), "{name}: {error}");
            }
        }
        let failures = world.circuit(&key).await["failureCount"].as_u64().unwrap_or_default();
        assert_eq!(failures, 0, "the caller's own mistake");
        // A 429 that names no wait is a failure.
        world.simulator.script(model, Script::always(ProviderError::status(StatusCode::TOO_MANY_REQUESTS)));
        let response = world.send(Caller::Messages, &key, false).await;
        assert_eq!(response.status(), 429, "{model}: {}", response.text().await.unwrap());
        world.wait_for_one_failure(&key).await;
        world.simulator.script(model, Behaviour::ok());
    }
}

#[tokio::test]
async fn a_rate_limit_rests_the_model_for_as_long_as_google_says() {
    let world = World::new("retry.max_attempts = 1").await;
    let limited = ProviderError::rate_limited().retry_after(std::time::Duration::from_secs(40));
    world.simulator.script(GEMINI, Script::always(limited));
    let key = format!("vertex:{GEMINI}");
    let response = world.send(Caller::Chat, &key, false).await;
    assert_eq!((response.status().as_u16(), header(&response, "retry-after").as_str()), (429, "40"));
    let resting = world.send(Caller::Chat, &key, false).await;
    assert_eq!(resting.status(), 503);
    assert_eq!(world.simulator.traffic().received().len(), 1);
}

#[tokio::test]
async fn tokens_are_counted() {
    let world = World::new("").await;
    for model in [GEMINI, CLAUDE] {
        let body =
            json!({"model": format!("vertex:{model}"), "messages": [{"role": "user", "content": "Hello?"}]});
        let url = format!("{}/v1/messages/count_tokens", world.url);
        let response = reqwest::Client::new().post(url).json(&body).send().await.unwrap();
        let status = response.status();
        let count: Value = response.json().await.unwrap();
        assert!(status == 200 && count["input_tokens"].is_u64(), "{model}: {status} {count}");
        let contents = json!([{"parts": [{"text": "Hello?"}]}]);
        for body in [
            json!({"contents": contents}),
            json!({"generateContentRequest": {"model": "models/m", "contents": contents}}),
        ] {
            let url = format!("{}/v1beta/models/vertex:{model}:countTokens", world.url);
            let response = reqwest::Client::new().post(url).json(&body).send().await.unwrap();
            let status = response.status();
            let count: Value = response.json().await.unwrap();
            assert!(status == 200 && count["totalTokens"].is_u64(), "{model}: {status} {count}");
        }
    }
}

#[tokio::test]
async fn a_try_of_each_api() {
    let world = World::new("").await;
    let endpoint = world.simulator.vertex_base_url();
    for (model, _) in MODELS {
        for options in [&[][..], &["--stream"]] {
            let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_switchboard"));
            command.arg("try").arg(format!("vertex:{model}")).args(options).env_clear().envs(ASKED_FOR);
            command.env("REDIS_URL", "memory:").env("GOOGLE_VERTEX_BASE_URL", &endpoint);
            command.env("GCE_METADATA_HOST", &world.tokens.address);
            let output = command.output().await.unwrap();
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
            assert!(text.contains(&format!("Hello from {model}.")), "{text}");
        }
    }
}

#[tokio::test]
async fn without_credentials_it_is_said_at_once_and_no_circuit_counts_it() {
    let tokens = TokenServer::start().await;
    let world = World::with(tokens, &[&ASKED_FOR[..], &[("NO_GCE_CHECK", "true")]].concat(), "").await;
    for caller in Caller::ALL {
        for model in [GEMINI, CLAUDE] {
            let response = world.send(caller, &format!("vertex:{model}"), true).await;
            assert_eq!(response.status(), 401);
            let error: Value = response.json().await.unwrap();
            let message = error["error"]["message"].as_str().unwrap();
            let expected = "there are no Google credentials: set GOOGLE_APPLICATION_CREDENTIALS";
            assert!(message.contains(expected), "{message}");
        }
    }
    assert!(world.simulator.traffic().received().is_empty());
    for model in [GEMINI, CLAUDE] {
        let circuit = world.circuit(&format!("vertex:{model}")).await;
        assert_eq!(circuit["failureCount"].as_u64().unwrap_or_default(), 0, "{circuit}");
    }
}
