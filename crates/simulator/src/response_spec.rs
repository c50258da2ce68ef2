//! What a good response consists of, whatever the API format.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::content::{Content, Finish, Thinking, Usage};
use crate::signature::SignatureKind;

/// What a good response consists of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResponseSpec<'a> {
    /// The number of the request since the start; makes the response's id.
    pub(crate) number: u64,
    /// Unix seconds.
    pub(crate) created: i64,
    pub(crate) model: &'a str,
    /// How many words the text has.
    pub(crate) words: usize,
    pub(crate) content: &'a Content,
    pub(crate) prompt_tokens: usize,
    /// Whether a stream ends with its usage, where the API format leaves that to the client.
    pub(crate) include_usage: bool,
    /// How many choices are requested (chat completions' `n`); the other APIs give one.
    pub(crate) choices: u8,
    /// The simulator's name, which is in the signatures and ids that only it accepts.
    pub(crate) simulator: &'a str,
    /// Whether the response is stored, which only the Responses API does.
    pub(crate) store: bool,
    pub(crate) previous_response_id: Option<&'a str>,
}

impl<'a> ResponseSpec<'a> {
    /// The text, word by word, each word after the first with the blank before it.
    pub(crate) fn text_words(&self) -> impl Iterator<Item = String> {
        (0..self.words).map(|index| {
            let blank = if index == 0 { "" } else { " " };
            match index % 3 {
                0 => format!("{blank}Hello"),
                1 => format!("{blank}from"),
                _ => format!("{blank}{}.", self.model),
            }
        })
    }

    /// The whole text.
    pub(crate) fn text(&self) -> String {
        self.text_words().collect()
    }

    /// Whether there is a text: an empty one, too, if there is nothing else.
    pub(crate) fn has_text(&self) -> bool {
        self.words > 0 || (self.content.thinking.is_none() && self.content.tool_calls.is_empty())
    }

    /// The thinking and its signature of this kind.
    pub(crate) fn thinking(&self, kind: SignatureKind) -> Option<(&'a Thinking, String)> {
        let thinking = self.content.thinking.as_ref()?;
        Some((thinking, kind.sign(self.simulator, thinking)))
    }

    /// Whether the client must run tools now.
    pub(crate) fn awaits_tools(&self) -> bool {
        self.content.finish == Finish::Complete && !self.content.tool_calls.is_empty()
    }

    /// The token counts of one choice: the scripted ones, or else a token for each word.
    pub(crate) fn usage(&self) -> Usage {
        self.content.usage.unwrap_or_else(|| {
            let reasoning = self.content.thinking.as_ref().map_or(0, |thinking| thinking.words().count());
            let arguments: usize =
                self.content.tool_calls.iter().map(|call| call.argument_pieces().count()).sum();
            let output = reasoning + self.words + arguments;
            Usage { input: self.prompt_tokens, output, reasoning, ..Usage::default() }
        })
    }
}

/// The id of the request with this number.
pub(crate) fn request_id(number: u64) -> String {
    format!("req_simulated_{number}")
}

/// Only for types whose map keys are strings: those cannot fail to serialise.
pub(crate) fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// JSON that is sent as it is. A text that is no JSON becomes a string.
pub(crate) fn raw_json(text: &str) -> Box<RawValue> {
    let raw = RawValue::from_string(text.to_owned());
    raw.or_else(|_| serde_json::value::to_raw_value(text)).unwrap_or_else(|_| RawValue::NULL.to_owned())
}
