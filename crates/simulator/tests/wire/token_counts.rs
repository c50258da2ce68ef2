//! Counts of a prompt's tokens.

use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};
use simulator::{Behaviour, ProviderError, Script, Simulator, Usage};

use crate::client::{Api, body, gemini_url, http, json_of};

const COUNTING_APIS: [(Api, &str); 3] =
    [(Api::Responses, "input_tokens"), (Api::Anthropic, "input_tokens"), (Api::Gemini, "totalTokens")];

fn count(simulator: &Simulator, api: Api, model: &str) -> RequestBuilder {
    let request = match api {
        Api::Responses => http().post(format!("{}/responses/input_tokens", simulator.openai_base_url())),
        Api::Gemini => http().post(gemini_url(simulator, model, "countTokens")),
        _ => http()
            .post(format!("{}/v1/messages/count_tokens", simulator.anthropic_base_url()))
            .header("anthropic-version", "2023-06-01"),
    };
    request.json(&body(model, true))
}

#[tokio::test]
async fn a_count_is_no_answer() {
    let simulator = Simulator::start().await.unwrap();
    simulator.script("m", Behaviour::ok().usage(Usage { input: 77, ..Usage::default() }));
    for (api, field) in COUNTING_APIS {
        let counted = json_of(count(&simulator, api, "m").send().await.unwrap()).await;
        assert_eq!(counted[field], 77, "{api:?}");
        assert_eq!(counted.get("usage").or(counted.get("candidates")), None);
        let by_length = json_of(count(&simulator, api, "other").send().await.unwrap()).await;
        assert_eq!(by_length[field], json!(body("other", true).to_string().len() / 4));
    }
}

#[tokio::test]
async fn a_count_shows_the_models_faults() {
    let simulator = Simulator::start().await.unwrap();
    for (api, field) in COUNTING_APIS {
        simulator.script("m", Script::first(1, ProviderError::rate_limited()));
        let failed = count(&simulator, api, "m").send().await.unwrap();
        assert_eq!(failed.status(), StatusCode::TOO_MANY_REQUESTS);
        let counted: Value = json_of(count(&simulator, api, "m").send().await.unwrap()).await;
        assert!(counted[field].is_u64());
    }
    assert_eq!(simulator.traffic().calls("m"), 2 * COUNTING_APIS.len());
}
