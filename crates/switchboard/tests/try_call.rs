//! `switchboard try` against simulated providers: what is told of one call, and the exit code.

#![expect(
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    reason = "helpers that several test programs share"
)]

#[path = "support/program.rs"]
mod program;

use http::StatusCode;
use program::{ProgramOutput, TempDir};
use simulator::{Behaviour, Fault, Simulator};
use testbed::RedisServer;

/// Providers of all kinds on one simulator, and routes over them.
struct World {
    simulator: Simulator,
    directory: TempDir,
}

impl World {
    async fn start() -> Self {
        let simulator = Simulator::start().await.expect("a simulator");
        let config = format!(
            r#"
            redis.url = "memory:"
            retry.max_attempts = 1
            [providers]
            chat = {{ kind = "openai", base_url = "{openai}" }}
            responses = {{ kind = "openai", base_url = "{openai}", speaks = ["responses"] }}
            claude = {{ kind = "anthropic", base_url = "{anthropic}" }}
            gemini = {{ kind = "google-genai", base_url = "{gemini}" }}
            [routes.planner]
            models = ["claude:down", "responses:up"]
            [routes.kept]
            models = ["chat:up"]
            stream = "buffer"
            "#,
            openai = simulator.openai_base_url(),
            anthropic = simulator.anthropic_base_url(),
            // The path before the version's, which a kind adds by itself.
            gemini = simulator.gemini_base_url().trim_end_matches("/v1beta"),
        );
        simulator.script("down", Behaviour::status(StatusCode::SERVICE_UNAVAILABLE));
        Self { simulator, directory: TempDir::new().with_file("switchboard.toml", &config) }
    }

    async fn run(&self, arguments: &[&str]) -> ProgramOutput {
        self.directory.run(&[&["try"], arguments].concat(), &[]).await
    }
}

#[tokio::test]
async fn each_step_is_reported() {
    let world = World::start().await;
    let output = world.run(&["planner", "How are you?", "--stream"]).await;
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    let lines: Vec<&str> = output.stdout.lines().collect();
    assert_eq!(
        lines[..3],
        [
            "Asked       planner in Anthropic Messages",
            "Chain       1. claude:down (Anthropic Messages)",
            "            2. responses:up (OpenAI Responses)",
        ]
    );
    assert!(lines[3].starts_with("Skipped     claude:down: ") && lines[3].contains("503"), "{lines:?}");
    assert_eq!(
        lines[4..9],
        [
            "Answered    responses:up, after 2 requests to providers",
            "Translated  from Anthropic Messages to OpenAI Responses (anthropic>openai-responses)",
            "",
            "Hello from up.",
            "",
        ]
    );
    assert!(lines[9].starts_with("Time        ") && lines[9].contains("first token after"), "{lines:?}");
    assert!(lines[10].starts_with("Tokens      "), "{lines:?}");
    assert!(
        world
            .simulator
            .traffic()
            .received_for("up")
            .any(|request| { String::from_utf8_lossy(&request.body).contains("How are you?") })
    );
}

#[tokio::test]
async fn every_format_reaches_every_provider() {
    let world = World::start().await;
    for (format, label) in [
        ("chat", "openai-chat"),
        ("responses", "openai-responses"),
        ("anthropic", "anthropic"),
        ("gemini", "gemini"),
    ] {
        for (model, own) in [
            ("chat:up", "openai-chat"),
            ("responses:up", "openai-responses"),
            ("claude:up", "anthropic"),
            ("gemini:up", "gemini"),
        ] {
            for stream in [&[][..], &["--stream"]] {
                let arguments = [&[model, "--json", "--dialect", format], stream].concat();
                let output = world.run(&arguments).await;
                let report = output.json();
                assert_eq!(output.code, Some(0), "{arguments:?}: {report}");
                assert_eq!(report["text"], "Hello from up.", "{arguments:?}: {report}");
                assert_eq!((&report["answered_by"], &report["format"]), (&model.into(), &label.into()));
                let translated = (label != own).then(|| format!("{label}>{own}"));
                assert_eq!(report["translated"].as_str(), translated.as_deref(), "{arguments:?}");
                assert_eq!(report["dropped"], serde_json::json!([]), "{arguments:?}");
                assert!(report["tokens_out"].as_u64() > Some(0), "{arguments:?}: {report}");
                assert_eq!(report["first_token_ms"].is_number(), !stream.is_empty(), "{arguments:?}");
            }
        }
    }
}

#[tokio::test]
async fn without_a_format_nothing_is_translated() {
    let world = World::start().await;
    for (model, format) in [("chat:up", "openai-chat"), ("gemini:up", "gemini"), ("kept", "openai-chat")] {
        let report = world.run(&[model, "--json", "--stream"]).await.json();
        assert_eq!((&report["format"], &report["translated"]), (&format.into(), &serde_json::Value::Null));
        assert_eq!((&report["answered"], &report["text"]), (&true.into(), &"Hello from up.".into()));
    }
}

/// A try is a call like any other: the fleet's circuits decide it, and learn from it.
#[tokio::test]
async fn shared_circuits_decide_and_count() {
    let world = World::start().await;
    let redis = RedisServer::start().await;
    let variables = [("REDIS_URL", &*redis.url())];
    let run = async |arguments: &[&str]| world.directory.run(arguments, &variables).await;
    let failed = run(&["try", "planner", "--json"]).await.json();
    assert!(failed["skipped"][0]["reason"].as_str().is_some_and(|reason| reason.contains("503")), "{failed}");
    let circuit = run(&["circuits", "show", "claude:down", "--json"]).await.json();
    assert_eq!(circuit["failureCount"], 1, "{circuit}");

    run(&["circuits", "open", "claude:down", "--reason", "upgrade"]).await;
    let calls = world.simulator.traffic().calls("down");
    let output = run(&["try", "planner"]).await;
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    let skipped = output.stdout.lines().find(|line| line.starts_with("Skipped")).unwrap_or_default();
    assert!(skipped.contains("claude:down: ") && skipped.contains("upgrade"), "{}", output.stdout);
    assert_eq!(world.simulator.traffic().calls("down"), calls, "an open circuit is not called");
}

#[tokio::test]
async fn an_unreachable_redis_is_told_and_stops_nothing() {
    let world = World::start().await;
    let port = testbed::free_port();
    let url = format!("redis://127.0.0.1:{port}");
    let output = world.directory.run(&["try", "chat:up"], &[("REDIS_URL", &url)]).await;
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    assert!(output.stdout.starts_with("Circuits    not shared: Redis is unreachable"), "{}", output.stdout);
}

/// The error event is one of the caller's format, though the provider has another (T6).
#[tokio::test]
async fn a_translated_stream_that_is_cut_is_no_answer() {
    let world = World::start().await;
    world.simulator.script("cut", Fault::Cut { after: 6 });
    for format in ["chat", "anthropic", "gemini"] {
        let output = world.run(&["responses:cut", "--stream", "--json", "--dialect", format]).await;
        let report = output.json();
        assert_eq!(output.code, Some(1), "{format}: {report}");
        assert_eq!(report["error"]["code"], "stream_interrupted", "{format}: {report}");
        assert_eq!(report["answered_by"], "responses:cut", "{format}: {report}");
        assert!(report["text"].as_str().is_some_and(|text| text.starts_with("Hello")), "{format}: {report}");
    }
}

#[tokio::test]
async fn no_answer_exits_with_1() {
    let world = World::start().await;
    world.simulator.script("cut", Fault::Cut { after: 6 });
    world.simulator.script("wrong", Behaviour::status(StatusCode::BAD_REQUEST));
    for (arguments, code) in [
        (&["claude:down"][..], "attempts_exhausted"),
        (&["responses:cut", "--stream"], "stream_interrupted"),
        (&["chat:wrong"], "rejected_by_provider"),
        (&["bedrock:nova"], "unknown_model"),
    ] {
        let output = world.run(&[arguments, &["--json"]].concat()).await;
        let report = output.json();
        assert_eq!((output.code, &report["error"]["code"]), (Some(1), &code.into()), "{report}");
        assert_eq!(report["answered"], false, "{report}");
        let output = world.run(arguments).await;
        assert_eq!(output.code, Some(1), "{}", output.stdout);
        assert!(output.stdout.contains(&format!("Failed      {code}: ")), "{}", output.stdout);
    }
}
