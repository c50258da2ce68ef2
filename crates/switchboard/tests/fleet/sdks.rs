//! The official Python and Node SDKs as clients, with only their base URL changed.

use std::path::Path;

use simulator::{Fault, ProviderError, Script, Simulator};
use testbed::RedisServer;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    process::Command,
};

use crate::support::{ConfigFile, Instance};

/// Runs one of the scripts in `tests/sdk` with the project's own Python environment, or with Node.
async fn run_script(script: &str, instance: &Instance) {
    run_script_with(script, &[("GATEWAY", &instance.url)]).await;
}

async fn run_script_with(script: &str, variables: &[(&str, &str)]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let (interpreter, installed) = match script.ends_with(".mjs") {
        true => ("node".into(), root.join("tests/sdk/node_modules")),
        false => (root.join(".venv/bin/python"), root.join(".venv")),
    };
    assert!(installed.exists(), "the official SDKs are not installed: run ./test, which installs them");
    let output = Command::new(interpreter)
        .arg(root.join("tests/sdk").join(script))
        .env_clear()
        .envs(variables.iter().copied())
        .output()
        .await
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    println!("{stdout}");
    assert!(output.status.success(), "{stdout}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(stdout.trim_end().ends_with("all well"), "{stdout}");
}

async fn instance(simulator: &Simulator, redis: Option<&RedisServer>) -> Instance {
    let overloaded = || Script::always(ProviderError::overloaded());
    simulator.script("dead", overloaded());
    let variables = [
        ("DEFAULT_PLANNER_MODEL", "openai:dead"),
        ("FALLBACK_OPENAI_PLANNER_MODEL", "gpt-5"),
        ("DEFAULT_REVIEWER_MODEL", "anthropic:dead"),
        // Another maker's model would answer before Anthropic's second one.
        ("FALLBACK_OPENAI_REVIEWER_MODEL", "dead"),
        ("FALLBACK_ANTHROPIC_REVIEWER_MODEL", "claude-opus-4-5"),
    ];
    let url = redis.map(RedisServer::url);
    Instance::start_with(url.as_deref(), simulator, &variables).await
}

#[tokio::test]
async fn openai() {
    let (simulator, redis) = (Simulator::start().await.unwrap(), RedisServer::start().await);
    run_script("openai_calls.py", &instance(&simulator, Some(&redis)).await).await;
}

/// Embeddings, images, audio, …: all that are no conversation.
#[tokio::test]
async fn openais_other_calls() {
    let simulator = Simulator::start().await.unwrap();
    let instance = instance(&simulator, None).await;
    run_script("other_calls.py", &instance).await;
    run_script("other_calls.mjs", &instance).await;
}

#[tokio::test]
async fn anthropic() {
    let (simulator, redis) = (Simulator::start().await.unwrap(), RedisServer::start().await);
    run_script("anthropic_calls.py", &instance(&simulator, Some(&redis)).await).await;
}

/// Models of all API formats, each called in the four that callers have.
#[tokio::test]
async fn stream_helpers_across_formats() {
    let simulator = Simulator::start().await.unwrap();
    let openai = simulator.openai_base_url();
    let responses = format!(
        "[providers.responses]\nkind = 'openai'\nspeaks = ['responses']\nbase_url = '{openai}'\napi_key = 'key'\n\
         [providers.invoke]\nkind = 'bedrock'\nspeaks = ['anthropic']\n"
    );
    let bedrock = simulator.bedrock_base_url();
    // As Anthropic's, it has no version in it.
    let (config, google) = (ConfigFile::new(&responses), simulator.anthropic_base_url());
    let variables = [
        ("SWITCHBOARD_CONFIG", config.path()),
        ("GOOGLE_API_KEY", "google-key"),
        ("GOOGLE_GEMINI_BASE_URL", &google),
        ("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", &bedrock),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ];
    let instance = Instance::start_with(None, &simulator, &variables).await;
    let models = ["openai", "responses", "anthropic", "google-genai", "bedrock", "invoke"]
        .map(|name| format!("{name}:thinking-tool-call"));
    let variables = [("GATEWAY", instance.url.as_str()), ("MODELS", &models.join(" "))];
    run_script_with("translated_calls.py", &variables).await;
    run_script_with("translated_calls.mjs", &variables).await;
}

/// One connection to the first address, the next to the second, and so on.
async fn start_load_balancer(addresses: [String; 2]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        for address in addresses.iter().cycle() {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut instance = TcpStream::connect(address).await.unwrap();
            tokio::spawn(async move { copy_bidirectional(&mut client, &mut instance).await });
        }
    });
    url
}

#[tokio::test]
async fn a_stopping_instance_is_not_noticed_behind_a_load_balancer() {
    let (simulator, redis) = (Simulator::start().await.unwrap(), RedisServer::start().await);
    // The test kills it when all is done.
    let patient = ConfigFile::new("server.shutdown_timeout = '10m'\n");
    let variables = [("SWITCHBOARD_CONFIG", patient.path())];
    let stopping = Instance::start_with(Some(&redis.url()), &simulator, &variables).await;
    let other = Instance::start(Some(&redis.url()), &simulator).await;
    // A call under way keeps it from ending.
    simulator.script("slow", Fault::Hang);
    let under_way = stopping.chat("openai:slow");
    let script = async {
        simulator.wait_until(|seen| seen.in_flight() == 1).await;
        stopping.program.signal("TERM");
        stopping.program.wait_for_line("shutting down").await;
        let address = |instance: &Instance| instance.url.trim_start_matches("http://").to_owned();
        let balancer = start_load_balancer([address(&stopping), address(&other)]).await;
        run_script_with("stopping.py", &[("GATEWAY", &balancer), ("STOPPING", &stopping.url)]).await;
    };
    tokio::select! {
        () = script => {}
        answer = under_way => panic!("it ended: {answer:?}"),
    }
}
