//! What a good response consists of, whatever the API format.

use serde::Serialize;

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
    pub(crate) prompt_tokens: usize,
    /// Whether a stream ends with its usage, where the API format leaves that to the client.
    pub(crate) include_usage: bool,
    /// How many choices are requested (OpenAI's `n`); Anthropic's API gives one.
    pub(crate) choices: u8,
}

impl ResponseSpec<'_> {
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
}

/// The id of the request with this number.
pub(crate) fn request_id(number: u64) -> String {
    format!("req_simulated_{number}")
}

/// Only for types whose map keys are strings: those cannot fail to serialise.
pub(crate) fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
