//! Converse's answer.

use serde::Deserialize;
use serde::de::{IgnoredAny, SeqAccess};

use super::usage::ConverseUsage;
use crate::format::{Parsed, UnexpectedShape};
use crate::lenient::{FromAny, Lenient, Object, read_json};
use crate::response_meta::ResponseMeta;
use crate::usage::Usage;

#[derive(Deserialize)]
struct Response {
    #[serde(default)]
    output: Object<Output>,
    #[serde(default)]
    usage: Object<ConverseUsage>,
}

#[derive(Deserialize)]
struct Output {
    #[serde(default)]
    message: Object<Message>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    content: Lenient<IsList>,
}

#[derive(Default)]
struct IsList(bool);

impl<'de> FromAny<'de> for IsList {
    fn from_seq<A: SeqAccess<'de>>(mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self(true))
    }
}

/// Empty content is valid: a model may end its turn without output.
pub(super) fn read(body: &[u8]) -> Parsed<(Usage, ResponseMeta)> {
    let response = read_json(body, |body| Ok(serde_json::from_slice::<Object<Response>>(body)?.get()))?;
    let Response { output, usage } = response.ok_or(UnexpectedShape)?;
    let message = output.get().and_then(|output| output.message.get());
    if !message.is_some_and(|message| message.content.0.0) {
        return Err(UnexpectedShape);
    }
    Ok(Some((usage.get().map(Into::into).unwrap_or_default(), ResponseMeta::default())))
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::format::UnexpectedShape;
    use crate::response_meta::ResponseMeta;
    use crate::usage::Usage;

    #[test]
    fn answers() {
        let answer = br#"{"metrics":{"latencyMs":9},"output":{"message":{"content":[{"text":"Hi"}],"role":"assistant"}},
            "stopReason":"end_turn","usage":{"inputTokens":1,"outputTokens":2,"totalTokens":3}}"#;
        let usage = Usage { input: Some(1), output: Some(2) };
        assert_eq!(read(answer), Ok(Some((usage, ResponseMeta::default()))));
        assert_eq!(read(br#"{"output":{"message":{"content":[]}}}"#), Ok(Some(Default::default())));
        for body in ["", "null", "{}", r#"{"message":"x"}"#, r#"{"output":{}}"#, r#"{"choices":[{}]}"#] {
            assert_eq!(read(body.as_bytes()), Err(UnexpectedShape), "{body}");
        }
    }
}
