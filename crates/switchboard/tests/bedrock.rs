//! Amazon Bedrock through the real program, without a configuration file: callers of every API format, models of each of its
//! APIs, plain and streamed, and its own ways to fail.

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

const CLAUDE: &str = "us.anthropic.claude-haiku-4-5-20251001-v1:0";
const NOVA: &str = "amazon.nova-pro-v1:0";
const GPT_OSS: &str = "openai.gpt-oss-120b-1:0";
const PROFILE: &str = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123";

const KEYS: [(&str, &str); 3] = [
    ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
    ("AWS_SECRET_ACCESS_KEY", "hush-hush-secret"),
    ("AWS_SESSION_TOKEN", "hush-hush-token"),
];

struct World {
    simulator: Simulator,
    program: Program,
    url: String,
}

impl World {
    /// Only variables tell the program of Bedrock.
    async fn new(variables: &[(&str, &str)], file: &str) -> Self {
        let simulator = Simulator::start().await.unwrap();
        let endpoint = simulator.bedrock_base_url();
        let variables: Vec<_> = variables
            .iter()
            .copied()
            .chain([("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", endpoint.as_str())])
            .collect();
        Self { simulator, ..Self::without_address(&variables, file).await }
    }

    /// Nothing names Bedrock.
    async fn without_address(variables: &[(&str, &str)], file: &str) -> Self {
        let simulator = Simulator::start().await.unwrap();
        let path = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("{}.toml", uuid::Uuid::new_v4()));
        std::fs::write(&path, format!("server.listen = '127.0.0.1:0'\n{file}")).unwrap();
        let fixed = [
            ("SWITCHBOARD_CONFIG", path.to_str().unwrap()),
            ("REDIS_URL", "memory:"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ];
        let variables: Vec<_> = fixed.into_iter().chain(variables.iter().copied()).collect();
        let program = Program::start(env!("CARGO_BIN_EXE_switchboard"), &["serve"], variables);
        let line = program.wait_for_line("listening").await;
        let url = line.split("address=").nth(1).expect("its address").split(' ').next().unwrap().to_owned();
        Self { simulator, program, url }
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
    async fn wait_for_one_failure(&self, model: &str, name: &str) {
        let recorded = async { while self.circuit(model).await["failureCount"] != 1 {} };
        let waited = tokio::time::timeout(std::time::Duration::from_secs(10), recorded).await;
        assert!(waited.is_ok(), "no failure of {name}: {}", self.circuit(model).await);
    }
}

#[tokio::test]
async fn every_caller_reaches_every_model() {
    let world = World::new(&KEYS, "").await;
    for caller in Caller::ALL {
        for (model, api) in [
            (CLAUDE, "anthropic"),
            (NOVA, "bedrock-converse"),
            (GPT_OSS, "openai-chat"),
            (PROFILE, "bedrock-converse"),
        ] {
            // The path of Gemini's API holds the name in one piece.
            if caller == Caller::Gemini && model == PROFILE {
                continue;
            }
            let key = format!("bedrock:{model}");
            let expected = format!("Hello from {model}.");
            for stream in [false, true] {
                let response = world.send(caller, &key, stream).await;
                let name = format!("{caller:?} {model} {stream}");
                assert_eq!(response.status(), 200, "{name}: {}", response.text().await.unwrap());
                assert_eq!(header(&response, "x-switchboard-model"), key, "{name}");
                assert!(!header(&response, "x-upstream-request-id").is_empty(), "{name}");
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
    let traffic = world.simulator.traffic();
    for received in traffic.received() {
        let authorization = received.headers["authorization"].to_str().unwrap();
        assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"), "{authorization}");
        assert_eq!(received.headers["x-amz-security-token"], "hush-hush-token");
    }
    assert!(!world.program.lines().concat().contains("hush-hush"), "a secret in the log");
}

#[tokio::test]
async fn an_api_key_is_sent_as_it_is() {
    let world = World::new(&[("AWS_BEARER_TOKEN_BEDROCK", "an-api-key")], "").await;
    for model in [CLAUDE, NOVA, GPT_OSS] {
        let response = world.send(Caller::Chat, &format!("bedrock:{model}"), false).await;
        assert_eq!(response.status(), 200, "{}", response.text().await.unwrap());
    }
    let traffic = world.simulator.traffic();
    assert!(
        traffic.received().iter().all(|received| received.headers["authorization"] == "Bearer an-api-key")
    );
}

const ROUTES: &str = "retry.max_attempts = 1\n\
    [routes.claude]\nmodels = ['bedrock:us.anthropic.claude-haiku-4-5-20251001-v1:0', 'bedrock:spare']\n\
    [routes.nova]\nmodels = ['bedrock:amazon.nova-pro-v1:0', 'bedrock:spare']\n";

#[tokio::test]
async fn until_the_first_token_the_next_model_takes_over_unseen() {
    let world = World::new(&KEYS, ROUTES).await;
    for (route, model, before) in [("claude", CLAUDE, 2), ("nova", NOVA, 1)] {
        for after in [0, before] {
            for fault in [
                Fault::ErrorEvent { after, error: ProviderError::overloaded() },
                Fault::Cut { after },
                Fault::Garbage { after },
                Fault::End { after },
            ] {
                world.simulator.script(model, Script::always(fault.clone()));
                for caller in Caller::ALL {
                    let response = world.send(caller, route, true).await;
                    let (events, text) = read_stream(response).await;
                    let name = format!("{route} {caller:?} {fault:?}: {text}");
                    assert_eq!(caller.streamed_text(&events), "Hello from spare.", "{name}");
                }
            }
        }
        let circuit = world.circuit(&format!("bedrock:{model}")).await;
        assert_eq!(circuit["state"], "OPEN", "{circuit}");
    }
}

#[tokio::test]
async fn behind_the_first_token_the_caller_gets_an_error_of_its_format() {
    let world = World::new(&KEYS, ROUTES).await;
    for (route, model, after) in [("claude", CLAUDE, 3), ("nova", NOVA, 2)] {
        for fault in [
            Fault::ErrorEvent { after, error: ProviderError::overloaded() },
            Fault::Cut { after },
            Fault::Garbage { after },
        ] {
            for caller in Caller::ALL {
                let world_model = format!("bedrock:{model}");
                let reset = format!("{}/circuits/{world_model}/reset", world.url);
                reqwest::Client::new().post(reset).send().await.unwrap();
                world.simulator.script(model, Script::always(fault.clone()));
                let response = world.send(caller, route, true).await;
                let (events, text) = read_stream(response).await;
                let name = format!("{route} {caller:?} {fault:?}: {text}");
                assert!(caller.streamed_text(&events).starts_with("Hello"), "{name}");
                assert!(events.last().is_some_and(|event| caller.is_error(event)), "{name}");
                assert!(!text.contains("[DONE]") && !text.contains("message_stop"), "a false end: {name}");
                world.wait_for_one_failure(&world_model, &name).await;
            }
        }
    }
}

#[tokio::test]
async fn errors_are_told_in_the_callers_format() {
    let world = World::new(&KEYS, "retry.max_attempts = 1").await;
    for model in [CLAUDE, NOVA, GPT_OSS] {
        let key = format!("bedrock:{model}");
        let invalid = ProviderError::status(StatusCode::BAD_REQUEST);
        world.simulator.script(model, Script::always(invalid));
        for caller in Caller::ALL {
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
        assert_eq!(
            world.circuit(&key).await["failureCount"].as_u64().unwrap_or_default(),
            0,
            "the caller's own mistake"
        );
        // A 429 that names no wait is a failure.
        world.simulator.script(model, Script::always(ProviderError::status(StatusCode::TOO_MANY_REQUESTS)));
        let response = world.send(Caller::Messages, &key, false).await;
        assert_eq!(response.status(), 429, "{model}: {}", response.text().await.unwrap());
        world.wait_for_one_failure(&key, model).await;
        world.simulator.script(model, Behaviour::ok());
    }
}

#[tokio::test]
async fn a_try_of_each_api() {
    let world = World::new(&KEYS, "").await;
    let endpoint = world.simulator.bedrock_base_url();
    for model in [CLAUDE, NOVA, GPT_OSS, PROFILE] {
        for options in [&[][..], &["--stream"]] {
            let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_switchboard"));
            command.arg("try").arg(format!("bedrock:{model}")).args(options).env_clear().envs(KEYS);
            command.env("REDIS_URL", "memory:").env("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", &endpoint);
            let output = command.output().await.unwrap();
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
            assert!(text.contains(&format!("Hello from {model}.")), "{text}");
        }
    }
}

#[tokio::test]
async fn tokens_are_counted() {
    let world = World::new(&KEYS, "").await;
    for model in [CLAUDE, NOVA] {
        let body =
            json!({"model": format!("bedrock:{model}"), "messages": [{"role": "user", "content": "Hello?"}]});
        let url = format!("{}/v1/messages/count_tokens", world.url);
        let response = reqwest::Client::new().post(url).json(&body).send().await.unwrap();
        let status = response.status();
        let count: Value = response.json().await.unwrap();
        assert!(status == 200 && count["input_tokens"].is_u64(), "{model}: {status} {count}");
    }
}

#[tokio::test]
async fn without_credentials_it_is_said_at_once_and_no_circuit_counts_it() {
    let world = World::new(&[], "[providers.bedrock]\n").await;
    for caller in Caller::ALL {
        let response = world.send(caller, &format!("bedrock:{NOVA}"), true).await;
        assert_eq!(response.status(), 401);
        let error: Value = response.json().await.unwrap();
        let message = error["error"]["message"].as_str().unwrap();
        assert!(message.contains("there are no AWS credentials: set AWS_BEARER_TOKEN_BEDROCK"), "{message}");
    }
    assert!(world.simulator.traffic().received().is_empty());
    let circuit = world.circuit(&format!("bedrock:{NOVA}")).await;
    assert_eq!(circuit["failureCount"].as_u64().unwrap_or_default(), 0, "{circuit}");
}

/// The machine's AWS account is for something else: Bedrock refuses it, or is not reached at all.
#[tokio::test]
async fn credentials_for_something_else_do_not_hide_an_outage() {
    let openai = Simulator::start().await.unwrap();
    openai.script("gpt-5.4", Script::always(Behaviour::status(StatusCode::SERVICE_UNAVAILABLE)));
    let url = openai.openai_base_url();
    let variables: Vec<_> =
        KEYS.into_iter().chain([("OPENAI_API_KEY", "hush"), ("OPENAI_BASE_URL", url.as_str())]).collect();
    let world =
        World::without_address(&variables, "[breaker]\nmode = 'observe'\n[open_swe]\nenabled = true").await;
    for caller in Caller::ALL {
        let response = world.send(caller, "planner", false).await;
        let answered = (response.status(), header(&response, "x-switchboard-error"));
        assert_eq!(
            answered,
            (StatusCode::SERVICE_UNAVAILABLE, "attempts_exhausted".to_owned()),
            "{caller:?}"
        );
        assert!(header(&response, "retry-after").parse::<u64>().unwrap() <= 60, "{caller:?}");
        assert_eq!(header(&response, "x-should-retry"), "", "{caller:?}");
    }
}
