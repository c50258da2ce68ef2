//! A client that takes what comes.

use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use simulator::Simulator;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    OpenAi,
    Responses,
    Anthropic,
    Gemini,
}

pub(crate) const ALL_APIS: [Api; 4] = [Api::OpenAi, Api::Responses, Api::Anthropic, Api::Gemini];

impl Api {
    /// The events before the first word.
    pub(crate) fn preamble(self) -> usize {
        match self {
            Self::OpenAi => 1,
            Self::Responses => 4,
            Self::Anthropic => 3,
            Self::Gemini => 0,
        }
    }

    /// All events of "Hello from MODEL.", without usage.
    pub(crate) fn stream_length(self) -> usize {
        match self {
            Self::OpenAi => 6,
            Self::Responses => 11,
            Self::Anthropic => 9,
            Self::Gemini => 4,
        }
    }
}

pub(crate) fn http() -> Client {
    // Reading the system's certificates would take most of a test's time.
    Client::builder().no_proxy().tls_certs_only([]).build().unwrap()
}

/// The same request in the API's own format; what it does not know stays as it is.
pub(crate) fn request(client: &Client, simulator: &Simulator, api: Api, body: &Value) -> RequestBuilder {
    let mut body = body.clone();
    match api {
        Api::OpenAi => client.post(format!("{}/chat/completions", simulator.openai_base_url())),
        Api::Responses => {
            let input = body.as_object_mut().unwrap().remove("messages");
            body["input"] = body.get("input").cloned().or(input).unwrap();
            let limit = body.as_object_mut().unwrap().remove("max_tokens");
            body["max_output_tokens"] = limit.unwrap();
            client.post(format!("{}/responses", simulator.openai_base_url()))
        }
        Api::Anthropic => client
            .post(format!("{}/v1/messages", simulator.anthropic_base_url()))
            .header("anthropic-version", "2023-06-01"),
        Api::Gemini => {
            let method =
                if body["stream"] == true { "streamGenerateContent?alt=sse" } else { "generateContent" };
            let url = gemini_url(simulator, body["model"].as_str().unwrap(), method);
            let user = json!([{"role": "user", "parts": [{"text": "Hello?"}]}]);
            body = json!({"contents": body.get("contents").cloned().unwrap_or(user)});
            client.post(url)
        }
    }
    .json(&body)
}

pub(crate) fn gemini_url(simulator: &Simulator, model: &str, method: &str) -> String {
    let model = model.replace('%', "%25").replace('?', "%3F");
    format!("{}/models/{model}:{method}", simulator.gemini_base_url())
}

pub(crate) fn body(model: &str, stream: bool) -> Value {
    let messages = json!([{"role": "user", "content": "Hello?"}]);
    json!({"model": model, "max_tokens": 100, "stream": stream, "messages": messages})
}

pub(crate) async fn try_call(
    simulator: &Simulator,
    api: Api,
    model: &str,
    stream: bool,
) -> reqwest::Result<Response> {
    request(&http(), simulator, api, &body(model, stream)).send().await
}

pub(crate) async fn call(simulator: &Simulator, api: Api, model: &str) -> Response {
    try_call(simulator, api, model, false).await.unwrap()
}

pub(crate) async fn stream(simulator: &Simulator, api: Api, model: &str) -> Response {
    try_call(simulator, api, model, true).await.unwrap()
}

pub(crate) async fn json_of(response: Response) -> Value {
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

/// The events that came, and whether the body ended as a body should.
pub(crate) async fn events_of(mut response: Response) -> (Vec<String>, bool) {
    let mut text = String::new();
    let clean = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => text.push_str(std::str::from_utf8(&chunk).unwrap()),
            Ok(None) => break true,
            Err(_) => break false,
        }
    };
    (text.split_terminator("\n\n").map(str::to_owned).collect(), clean)
}

/// Reads exactly so many events and no further.
pub(crate) async fn read_events(response: &mut Response, count: usize) -> Vec<String> {
    let mut text = String::new();
    while text.matches("\n\n").count() < count {
        let chunk = response.chunk().await.unwrap().expect("the stream ended early");
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    text.split_terminator("\n\n").map(str::to_owned).collect()
}

/// The JSON of an event's data line.
pub(crate) fn data(event: &str) -> Value {
    let line = event.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
    serde_json::from_str(line).unwrap()
}
