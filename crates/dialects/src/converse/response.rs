//! Converse's answer.

use super::usage::ConverseUsage;
use crate::format::{Parsed, UnexpectedShape};
use crate::json::{self, Cursor};
use crate::lenient::{Items, fields};
use crate::usage::Usage;

#[derive(Default)]
struct Response {
    output: Option<Output>,
    usage: Option<ConverseUsage>,
}

fields!(Response: b"output" => output, b"usage" => usage);

#[derive(Default)]
struct Output {
    message: Option<Message>,
}

fields!(Output: b"message" => message);

#[derive(Default)]
struct Message {
    content: Items,
}

fields!(Message: b"content" => content);

/// Empty content is valid: a model may end its turn without output.
pub(super) fn read(body: &[u8]) -> Parsed<Usage> {
    let response: Option<Response> = json::read(body, Cursor::any)?;
    let Response { output, usage } = response.ok_or(UnexpectedShape)?;
    let message = output.and_then(|output| output.message);
    if message.is_none_or(|message| message.content.0.is_none()) {
        return Err(UnexpectedShape);
    }
    Ok(Some(usage.map(Into::into).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::format::UnexpectedShape;
    use crate::usage::Usage;

    #[test]
    fn answers() {
        let answer = br#"{"metrics":{"latencyMs":9},"output":{"message":{"content":[{"text":"Hi"}],"role":"assistant"}},
            "stopReason":"end_turn","usage":{"inputTokens":1,"outputTokens":2,"totalTokens":3}}"#;
        let usage = Usage { input: Some(1), output: Some(2) };
        assert_eq!(read(answer), Ok(Some(usage)));
        assert_eq!(read(br#"{"output":{"message":{"content":[]}}}"#), Ok(Some(Default::default())));
        for body in ["", "null", "{}", r#"{"message":"x"}"#, r#"{"output":{}}"#, r#"{"choices":[{}]}"#] {
            assert_eq!(read(body.as_bytes()), Err(UnexpectedShape), "{body}");
        }
    }
}
