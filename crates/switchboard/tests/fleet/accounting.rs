//! One line in the log for each call, however it ends, with who answered, how many calls that took and what it cost.

use std::time::Duration;

use serde_json::json;
use simulator::{Behaviour, Fault, Simulator};

use crate::support::{ConfigFile, Instance};

const CONFIG: &str = "retry.max_attempts = 1\n\
    [breaker]\nmode = 'off'\n\
    [routes.relayed]\nmodels = ['anthropic:bad', 'anthropic:good']\n\
    [routes.held]\nmodels = ['anthropic:cut', 'anthropic:good']\nstream = 'buffer'\n\
    [routes.hedged]\nmodels = ['anthropic:slow', 'anthropic:good']\nhedge_after = '10ms'\n\
    [routes.patient]\nmodels = ['anthropic:slow']\n";

impl Instance {
    fn send_request(&self, id: &str, model: &str, stream: bool) -> reqwest::RequestBuilder {
        let messages = json!([{"role": "user", "content": "the secret prompt"}]);
        let body = json!({"model": model, "max_tokens": 9, "messages": messages, "stream": stream});
        self.client.post(format!("{}/v1/messages", self.url)).header("x-request-id", id).json(&body)
    }

    /// The line of a call.
    async fn log_line(&self, id: &str) -> LogLine {
        let request = format!(" request=\"{id}\" ");
        self.program.wait_for_line(&request).await;
        let mut lines = self.program.lines();
        lines.retain(|line| line.contains(&request));
        assert_eq!(lines.len(), 1, "{lines:?}");
        LogLine(lines.remove(0))
    }
}

#[derive(Debug)]
struct LogLine(String);

impl LogLine {
    /// A field as it is written; `None`: it is not there.
    fn field(&self, name: &str) -> Option<&str> {
        self.0
            .split(' ')
            .find_map(|field| Some(field.strip_prefix(name)?.strip_prefix('=')?.trim_matches('"')))
    }

    fn number(&self, name: &str) -> Option<f64> {
        self.field(name)?.parse().ok()
    }
}

#[tokio::test]
async fn each_call_leaves_one_line() {
    let simulator = Simulator::start().await.unwrap();
    simulator.script("bad", Fault::Cut { after: 0 });
    simulator.script("cut", Behaviour::ok().words(9).with(Fault::Cut { after: 6 }));
    simulator.script("slow", Fault::Silence { after: 1 });
    let config = ConfigFile::new(CONFIG);
    let variables = [("SWITCHBOARD_CONFIG", config.path()), ("REDIS_URL", "memory:")];
    let instance = Instance::start_with(None, &simulator, &variables).await;
    for (id, model, stream, attempts) in [
        ("plain", "relayed", false, 2.0),
        ("relayed", "relayed", true, 2.0),
        ("held", "held", true, 2.0),
        ("hedged", "hedged", true, 2.0),
        ("direct", "anthropic:good", true, 1.0),
    ] {
        instance.send_request(id, model, stream).send().await.unwrap().text().await.unwrap();
        let line = instance.log_line(id).await;
        assert_eq!(line.field("outcome"), Some("answered"), "{line:?}");
        assert_eq!(line.field("answered_by"), Some("anthropic:good"), "{line:?}");
        assert_eq!(line.number("attempts"), Some(attempts), "{line:?}");
        assert_eq!(line.field("model"), Some(model), "{line:?}");
        assert_eq!(line.field("stream"), Some(if stream { "true" } else { "false" }), "{line:?}");
        assert_eq!(line.field("path"), Some("/v1/messages"), "{line:?}");
        for name in ["tokens_in", "tokens_out", "duration_ms"] {
            assert!(line.number(name) > Some(0.0), "{name}: {line:?}");
        }
        assert_eq!(line.number("first_token_ms").is_some(), stream, "{line:?}");
    }

    let leaving = instance.send_request("left", "patient", true).timeout(Duration::from_millis(300));
    leaving.send().await.unwrap_err();
    let line = instance.log_line("left").await;
    assert_eq!(
        (line.field("outcome"), line.number("attempts")),
        (Some("client_disconnected"), Some(1.0)),
        "{line:?}"
    );
    assert_eq!((line.field("answered_by"), line.field("tokens_out")), (None, None), "{line:?}");

    instance.send_request("nobody", "bedrock:x", false).send().await.unwrap();
    let line = instance.log_line("nobody").await;
    assert_eq!(
        (line.field("outcome"), line.number("attempts")),
        (Some("unknown_model"), Some(0.0)),
        "{line:?}"
    );
    let all = instance.program.lines().concat();
    assert!(
        !all.contains("secret prompt") && !all.contains("Hello") && !all.contains("anthropic-key"),
        "{all}"
    );
}
