//! A response as a whole, as it stands at some time.

use std::sync::LazyLock;

use super::echo;
use super::terminal::{self, End};
use crate::form::{StreamError, TokenUsage};
use crate::json::{ArrayWriter, Object, ObjectWriter};
use crate::names::derived_id;
use crate::target::AnswerContext;

/// Longer ids are made anew.
const LONGEST_ID: usize = 128;

/// Stands for the request where nobody knows it.
static DEFAULT_ECHO: LazyLock<String> = LazyLock::new(|| echo::echo(&Object::default()));

/// What does not change from beginning to end.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) id: String,
    model: String,
    created: u64,
}

/// What does. Without an end it has just begun.
#[derive(Debug, Default)]
pub(super) struct Snapshot<'a> {
    pub(super) end: Option<End>,
    pub(super) output: Option<&'a ArrayWriter>,
    pub(super) usage: Option<TokenUsage>,
    pub(super) error: Option<&'a StreamError>,
}

impl Head {
    pub(super) fn new(context: &AnswerContext) -> Self {
        Self {
            id: derived_id("resp_", &[&context.request_id]),
            model: context.owner.model.clone(),
            created: context.created,
        }
    }

    /// Takes what the provider says.
    pub(super) fn update(&mut self, id: Option<&str>, model: Option<&str>, created: Option<u64>) {
        if let Some(id) = id.filter(|id| !id.is_empty()) {
            self.id = response_id(id);
        }
        if let Some(model) = model.filter(|model| !model.is_empty()) {
            model.clone_into(&mut self.model);
        }
        self.created = created.unwrap_or(self.created);
    }

    /// The response object; `echo` is what it repeats of its request.
    pub(super) fn render(&self, snapshot: &Snapshot<'_>, echo: &str) -> String {
        let object = ObjectWriter::new()
            .str("id", &self.id)
            .str("object", "response")
            .u64("created_at", self.created)
            .str("status", snapshot.end.map_or("in_progress", End::status))
            .bool("background", false);
        let object = match snapshot.error {
            Some(error) => object.object("error", terminal::error(error)),
            None => object.null("error"),
        };
        let object = match snapshot.end {
            Some(End::Incomplete(reason)) => {
                object.object("incomplete_details", ObjectWriter::new().str("reason", reason))
            }
            _ => object.null("incomplete_details"),
        };
        let object = object.str("model", &self.model);
        let object = object.array("output", snapshot.output.cloned().unwrap_or_else(ArrayWriter::new));
        let object = object.null("previous_response_id");
        let object = match snapshot.usage {
            Some(usage) => object.object("usage", terminal::usage(usage)),
            None => object.null("usage"),
        };
        let mut text = object.bool("store", false).finish();
        text.pop();
        text.push(',');
        text.push_str(if echo.is_empty() { &DEFAULT_ECHO } else { echo });
        text.push('}');
        text
    }
}

/// The provider's id, made to look like one of this API.
fn response_id(id: &str) -> String {
    if id.starts_with("resp_") {
        return id.to_owned();
    }
    let plain = id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    if plain && id.len() <= LONGEST_ID { format!("resp_{id}") } else { derived_id("resp_", &[id]) }
}
