//! Callers of every API format: what they send, and what they read of an answer.

use reqwest::Response;
use serde_json::{Value, json};

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    Chat,
    Responses,
    Messages,
    Gemini,
}

impl Caller {
    pub(crate) const ALL: [Self; 4] = [Self::Chat, Self::Responses, Self::Messages, Self::Gemini];

    /// The name of its API format in headers.
    pub(crate) const fn format(self) -> &'static str {
        match self {
            Self::Chat => "openai-chat",
            Self::Responses => "openai-responses",
            Self::Messages => "anthropic",
            Self::Gemini => "gemini",
        }
    }

    pub(crate) fn path(self, model: &str, stream: bool) -> String {
        match (self, stream) {
            (Self::Chat, _) => "/v1/chat/completions".to_owned(),
            (Self::Responses, _) => "/v1/responses".to_owned(),
            (Self::Messages, _) => "/v1/messages".to_owned(),
            (Self::Gemini, false) => format!("/v1beta/models/{model}:generateContent"),
            (Self::Gemini, true) => format!("/v1beta/models/{model}:streamGenerateContent?alt=sse"),
        }
    }

    pub(crate) fn body(self, model: &str, stream: bool) -> Value {
        let messages = json!([{"role": "user", "content": "Hello?"}]);
        match self {
            Self::Chat => json!({"model": model, "stream": stream, "messages": messages}),
            Self::Responses => json!({"model": model, "stream": stream, "input": "Hello?"}),
            Self::Messages => {
                json!({"model": model, "stream": stream, "max_tokens": 99, "messages": messages})
            }
            Self::Gemini => json!({"contents": [{"role": "user", "parts": [{"text": "Hello?"}]}]}),
        }
    }

    pub(crate) fn text(self, answer: &Value) -> String {
        let text = match self {
            Self::Chat => &answer["choices"][0]["message"]["content"],
            Self::Responses => &answer["output"][0]["content"][0]["text"],
            Self::Messages => &answer["content"][0]["text"],
            Self::Gemini => &answer["candidates"][0]["content"]["parts"][0]["text"],
        };
        text.as_str().unwrap_or_else(|| panic!("no text: {answer}")).to_owned()
    }

    pub(crate) fn streamed_text(self, events: &[Value]) -> String {
        let text = |event: &Value| match self {
            Self::Chat => event["choices"][0]["delta"]["content"].as_str().map(str::to_owned),
            Self::Responses => (event["type"] == "response.output_text.delta")
                .then(|| event["delta"].as_str().unwrap().to_owned()),
            Self::Messages => event["delta"]["text"].as_str().map(str::to_owned),
            Self::Gemini => event["candidates"][0]["content"]["parts"][0]["text"].as_str().map(str::to_owned),
        };
        events.iter().filter_map(text).collect()
    }

    /// What stands in the last event of a whole stream.
    pub(crate) const fn end(self) -> &'static str {
        match self {
            Self::Chat => "[DONE]",
            Self::Responses => "response.completed",
            Self::Messages => "message_stop",
            Self::Gemini => "finishReason",
        }
    }

    pub(crate) fn is_error(self, event: &Value) -> bool {
        match self {
            Self::Chat | Self::Gemini => event["error"]["message"].is_string(),
            Self::Responses => event["type"] == "error" || event["type"] == "response.failed",
            Self::Messages => event["type"] == "error" && event["error"]["type"].is_string(),
        }
    }
}

/// The data of a stream's events that are JSON, and all of its text.
pub(crate) async fn read_stream(response: Response) -> (Vec<Value>, String) {
    let text = response.text().await.unwrap();
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    (data.filter_map(|data| serde_json::from_str(data).ok()).collect(), text)
}

pub(crate) fn header(response: &Response, name: &str) -> String {
    response.headers().get(name).map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
}
