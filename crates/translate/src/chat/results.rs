//! Results of calls: which call each answers, and by which id.

use std::collections::{HashMap, VecDeque};

use crate::form::{Message, Part, PartKind, ToolResult};
use crate::names::{self, CHAT_CALL_ID, Charset, derived_id};
use crate::target::Target;

/// OpenAI's limit is one of length; Kimi's models want the dots of their ids again.
const CALL_ID: Charset = Charset { others: ".:", ..CHAT_CALL_ID };

/// Results by the id of their call, each with its turn's place.
#[derive(Default)]
pub(super) struct Results<'a> {
    by_id: HashMap<&'a str, VecDeque<(usize, &'a Part, &'a ToolResult)>>,
}

impl<'a> Results<'a> {
    pub(super) fn of(turns: &'a [Message]) -> Self {
        let mut results = Self::default();
        for (place, turn) in turns.iter().enumerate() {
            for part in &turn.parts {
                if let PartKind::ToolResult(result) = &part.kind {
                    results.by_id.entry(&result.id).or_default().push_back((place, part, result));
                }
            }
        }
        results
    }

    /// The first result of a call that comes at a place or later.
    pub(super) fn take(&mut self, id: &str, from: usize) -> Option<(&'a Part, &'a ToolResult)> {
        let queue = self.by_id.get_mut(id)?;
        let (place, part, result) = *queue.front()?;
        (place >= from).then(|| queue.pop_front())?;
        Some((part, result))
    }

    /// Whether a result was not taken by any call.
    pub(super) fn is_left(&self, result: &ToolResult, place: usize) -> bool {
        let queue = self.by_id.get(result.id.as_str());
        queue.is_some_and(|queue| {
            queue.iter().any(|(at, _, left)| *at == place && std::ptr::eq(*left, result))
        })
    }
}

/// The id by which the target knows a call: the same in the call and in its result, on every turn.
pub(super) fn call_id(id: &str, target: &Target<'_>) -> String {
    const MISTRAL: [&str; 7] =
        ["mistral", "ministral", "magistral", "codestral", "devstral", "pixtral", "open-mixtral"];
    let model = target.model.rsplit('/').next().unwrap_or_default();
    if MISTRAL.iter().any(|family| model.starts_with(family)) {
        // Mistral's API takes nine letters and digits, no more and no less.
        let fits = id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        return if fits { id.to_owned() } else { derived_id("", &[id]).chars().take(9).collect() };
    }
    names::fit(id, CALL_ID).into_owned()
}

/// The format has no field for failure.
pub(super) fn mark_error(texts: &mut Vec<String>) {
    const MARK: &str = "Error: ";
    let says_so = |text: &String| {
        let start: String = text.trim_start().chars().take("error".len()).collect();
        start.eq_ignore_ascii_case("error")
    };
    match texts.first_mut() {
        Some(text) if says_so(text) => {}
        Some(text) => text.insert_str(0, MARK),
        None => texts.push(MARK.trim_end().to_owned()),
    }
}
