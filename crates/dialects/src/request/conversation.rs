//! What tells the requests of one conversation from those of others.

use serde::Deserialize;
use serde_json::value::RawValue;

/// What a request has of that, each part as the JSON that stands in its body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conversation<'a> {
    /// `prompt_cache_key`, by which the caller itself says which requests share a prompt.
    pub cache_key: Option<&'a str>,
    /// `user`, or `metadata.user_id` of Anthropic's API, which for Claude Code names the session.
    pub user: Option<&'a str>,
    /// The system prompt, and the messages up to the first of the user's: later turns begin with the same.
    pub beginning: Vec<&'a str>,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    prompt_cache_key: Option<&'a RawValue>,
    #[serde(borrow)]
    user: Option<&'a RawValue>,
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
    #[serde(borrow)]
    system: Option<&'a RawValue>,
    #[serde(borrow)]
    instructions: Option<&'a RawValue>,
    #[serde(borrow, rename = "systemInstruction", alias = "system_instruction")]
    system_instruction: Option<&'a RawValue>,
    #[serde(borrow, alias = "input", alias = "contents")]
    messages: Option<&'a RawValue>,
    /// Of the older completions; of Responses, a template that many conversations have.
    #[serde(borrow)]
    prompt: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Metadata<'a> {
    #[serde(borrow)]
    user_id: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    role: Option<&'a RawValue>,
}

impl<'a> Conversation<'a> {
    /// Reads a body; one that cannot be read has nothing of it.
    pub(super) fn read(body: &'a [u8]) -> Self {
        let Ok(body) = serde_json::from_slice::<Body<'a>>(body) else { return Self::default() };
        let in_metadata = body.metadata.and_then(|raw| serde_json::from_str::<Metadata<'a>>(raw.get()).ok());
        let user_id = in_metadata.and_then(|metadata| metadata.user_id);
        let system = [body.system, body.instructions, body.system_instruction];
        let mut beginning: Vec<_> = system.into_iter().flatten().map(RawValue::get).collect();
        beginning.extend(body.messages.or(body.prompt).map(first_messages).unwrap_or_default());
        Self { cache_key: text(body.prompt_cache_key), user: text(body.user.or(user_id)), beginning }
    }
}

/// A text that is not empty, quotes included.
fn text(raw: Option<&RawValue>) -> Option<&str> {
    raw.map(RawValue::get).filter(|raw| raw.starts_with('"') && *raw != r#""""#)
}

fn first_messages(raw: &RawValue) -> Vec<&str> {
    // Of the Responses API, a prompt may be a text alone.
    let Ok(messages) = serde_json::from_str::<Vec<&RawValue>>(raw.get()) else { return vec![raw.get()] };
    let is_user = |message: &RawValue| {
        let message = serde_json::from_str::<Message<'_>>(message.get());
        // Gemini's first turn is the user's, also without a role.
        message.is_ok_and(|message| message.role.is_none_or(|role| role.get() == r#""user""#))
    };
    let end = messages.iter().position(|message| is_user(message)).map_or(messages.len(), |index| index + 1);
    messages[..end].iter().map(|message| message.get()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_turn_begins_with_the_same() {
        let table = [
            (
                r#"{"messages":[{"role":"system","content":"s"},{"role":"user","content":"a"}],"model":"m"}"#,
                r#"{"model":"n","messages":[{"role":"system","content":"s"},{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}]}"#,
            ),
            (
                r#"{"system":[{"type":"text","text":"s"}],"messages":[{"role":"user","content":"a"}]}"#,
                r#"{"system":[{"type":"text","text":"s"}],"messages":[{"role":"user","content":"a"},{"role":"user","content":"b"}]}"#,
            ),
            (
                r#"{"instructions":"s","input":[{"role":"user","content":"a"}]}"#,
                r#"{"instructions":"s","input":[{"role":"user","content":"a"},{"type":"function_call"}]}"#,
            ),
            (
                r#"{"systemInstruction":{"parts":[]},"contents":[{"parts":[{"text":"a"}]}]}"#,
                r#"{"systemInstruction":{"parts":[]},"contents":[{"parts":[{"text":"a"}]},{"role":"model"}]}"#,
            ),
        ];
        for (first, second) in table {
            let beginning = Conversation::read(first.as_bytes()).beginning;
            assert_eq!(beginning.len(), 2, "{first}");
            assert_eq!(beginning, Conversation::read(second.as_bytes()).beginning, "{second}");
        }
        assert_eq!(Conversation::read(br#"{"input":"a"}"#).beginning, [r#""a""#]);
        assert_eq!(Conversation::read(br#"{"prompt":"a"}"#).beginning, [r#""a""#]);
        assert_eq!(Conversation::read(br#"{"prompt":{"id":"p"},"input":"a"}"#).beginning, [r#""a""#]);
    }

    #[test]
    fn what_the_caller_says_itself_is_read() {
        let read = |body: &'static str| Conversation::read(body.as_bytes());
        assert_eq!(read(r#"{"prompt_cache_key":"k","user":"u"}"#).cache_key, Some(r#""k""#));
        assert_eq!(read(r#"{"prompt_cache_key":"k","user":"u"}"#).user, Some(r#""u""#));
        assert_eq!(read(r#"{"metadata":{"user_id":"u"}}"#).user, Some(r#""u""#));
        for nothing in [
            r#"{"prompt_cache_key":null,"user":5,"metadata":"x"}"#,
            r#"{"user":""}"#,
            "{}",
            "[",
            r#"{"user":"a","user":"b"}"#,
        ] {
            assert_eq!(read(nothing), Conversation::default(), "{nothing}");
        }
    }
}
