//! What is asked and responded: a case is written into the request, where the upstream finds it behind any proxy.

use std::str::FromStr;
use std::time::Duration;

use memchr::memmem;

/// Comes before the name of the case in a request's body.
const MARK: &[u8] = b"\"content\":\"";
/// Bytes of the message in a request, so that its body is about 0.6 kB.
const MESSAGE_LEN: usize = 540;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Case {
    /// A body of so many bytes, as one.
    Whole { bytes: usize },
    /// So many server-sent events, each written by itself, the gap between two.
    Stream { events: usize, gap: Duration },
}

/// What is wrong with the name of a case.
#[derive(Debug, thiserror::Error)]
#[error("expected plain:BYTES, stream:EVENTS or stream:EVENTS:MILLISECONDS, not {0:?}")]
pub(crate) struct InvalidCase(String);

impl FromStr for Case {
    type Err = InvalidCase;

    fn from_str(name: &str) -> Result<Self, InvalidCase> {
        let invalid = || InvalidCase(name.to_owned());
        let number = |text: &str| text.parse::<u32>().map_err(|_| invalid());
        match *name.split(':').collect::<Vec<_>>() {
            ["plain", bytes] => Ok(Self::Whole { bytes: number(bytes)? as usize }),
            ["stream", events] => Ok(Self::Stream { events: number(events)? as usize, gap: Duration::ZERO }),
            ["stream", events, gap] => Ok(Self::Stream {
                events: number(events)? as usize,
                gap: Duration::from_millis(number(gap)?.into()),
            }),
            _ => Err(invalid()),
        }
    }
}

impl Case {
    /// The case that a request's body asks for; `None` if it is not a request of this program.
    pub(crate) fn of_request(body: &[u8]) -> Option<Self> {
        let start = memmem::find(body, MARK)? + MARK.len();
        let end = start + memchr::memchr(b' ', &body[start..])?;
        std::str::from_utf8(&body[start..end]).ok()?.parse().ok()
    }

    /// The whole request.
    pub(crate) fn request(self) -> Vec<u8> {
        let (name, stream) = match self {
            Self::Whole { bytes } => (format!("plain:{bytes}"), ""),
            Self::Stream { events, gap } => {
                (format!("stream:{events}:{}", gap.as_millis()), ",\"stream\":true")
            }
        };
        let mut message = format!("{name} ");
        while message.len() < MESSAGE_LEN {
            message.push_str("Hello, how are you? ");
        }
        let body = format!(
            r#"{{"model":"gpt-5-mini","messages":[{{"role":"user","content":"{message}"}}]{stream}}}"#
        );
        format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }

    /// What the upstream writes, in one piece each.
    pub(crate) fn response(self) -> Vec<Vec<u8>> {
        match self {
            Self::Whole { .. } => {
                let body = self.body();
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                    body.len()
                );
                vec![[head.into_bytes(), body].concat()]
            }
            Self::Stream { events, .. } => {
                let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
                let chunks = (0..events).map(|index| {
                    let event = event(index, events);
                    let end = if index + 1 == events { "0\r\n\r\n" } else { "" };
                    format!("{:x}\r\n{event}\r\n{end}", event.len()).into_bytes()
                });
                std::iter::once(head.as_bytes().to_vec()).chain(chunks).collect()
            }
        }
    }

    /// The body of the response, without framing.
    pub(crate) fn body(self) -> Vec<u8> {
        match self {
            Self::Whole { bytes } => completion(bytes).into_bytes(),
            Self::Stream { events, .. } => {
                (0..events).map(|index| event(index, events)).collect::<String>().into_bytes()
            }
        }
    }
}

const COMMON: &str = r#"{"id":"chatcmpl-C1dGf9Y3q7hVnUbT5rKzWm2LxPaE8","created":1754000000,"model":"gpt-5-mini","object":"chat.completion"#;

fn completion(bytes: usize) -> String {
    let around = |content: &str| {
        format!(
            r#"{COMMON}","choices":[{{"index":0,"message":{{"role":"assistant","content":"{content}","refusal":null}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":140,"completion_tokens":80,"total_tokens":220}},"service_tier":"default"}}"#
        )
    };
    let missing = bytes.saturating_sub(around("").len());
    around(&"All is well, thank you. ".repeat(missing / 24 + 1)[..missing])
}

/// The role, the words, the end and `[DONE]`.
fn event(index: usize, events: usize) -> String {
    let (delta, reason) = match index {
        _ if index + 1 == events => return "data: [DONE]\n\n".to_owned(),
        0 => (r#""role":"assistant","content":"""#, "null"),
        _ if index + 2 == events => ("", r#""stop""#),
        _ => (r#""content":" word""#, "null"),
    };
    format!(
        "data: {COMMON}.chunk\",\"choices\":[{{\"index\":0,\"delta\":{{{delta}}},\"logprobs\":null,\"finish_reason\":{reason}}}]}}\n\n"
    )
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn upstream_finds_the_case_in_the_request() {
        for name in ["plain:665", "stream:23", "stream:500:10"] {
            let case: Case = name.parse().unwrap();
            assert_eq!(Case::of_request(&case.request()), Some(case), "{name}");
        }
        assert_eq!(Case::of_request(br#"{"content":"Hello there"}"#), None);
    }

    #[test]
    fn responses_are_as_long_as_asked() {
        for bytes in [665, 20_000] {
            assert_eq!(Case::Whole { bytes }.body().len(), bytes);
        }
        let stream = Case::Stream { events: 23, gap: Duration::ZERO };
        assert_eq!(memmem::find_iter(&stream.body(), b"data: ").count(), 23);
        assert_eq!(stream.response().len(), 24);
    }

    #[test]
    fn responses_are_json() {
        type Object = HashMap<String, serde_json::Value>;
        assert!(serde_json::from_slice::<Object>(&Case::Whole { bytes: 665 }.body()).is_ok());
        let stream = Case::Stream { events: 4, gap: Duration::ZERO }.body();
        let text = String::from_utf8(stream).unwrap();
        let events: Vec<_> =
            text.split_terminator("\n\n").map(|event| event.strip_prefix("data: ").unwrap()).collect();
        assert!(events[..3].iter().all(|event| serde_json::from_str::<Object>(event).is_ok()), "{events:?}");
        assert_eq!(events[3], "[DONE]");
    }
}
