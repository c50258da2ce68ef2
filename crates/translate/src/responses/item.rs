//! An item of an answer's output, as JSON.

use crate::envelope;
use crate::form::{Citation, Opaque, OpaqueKind, Owner};
use crate::json::{ArrayWriter, ObjectWriter};
use crate::names::derived_id;

/// What an item is in the middle of, or how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    InProgress,
    Completed,
    /// The answer was cut within it.
    Incomplete,
}

impl Status {
    const fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Incomplete => "incomplete",
        }
    }
}

/// An item that is being made.
#[derive(Debug)]
pub(super) enum Item {
    Message {
        /// The parts that are done, as JSON.
        parts: ArrayWriter,
        count: usize,
    },
    Reasoning {
        text: String,
        opaque: Option<Opaque>,
    },
    Call(Call),
    Image {
        data: String,
    },
}

#[derive(Debug)]
pub(super) struct Call {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) namespace: Option<String>,
    pub(super) custom: bool,
    pub(super) input: String,
}

impl Item {
    /// The same for the same answer and place.
    pub(super) fn id(&self, response: &str, index: usize) -> String {
        let prefix = match self {
            Self::Message { .. } => "msg_",
            Self::Reasoning { .. } => "rs_",
            Self::Call(Call { custom: false, .. }) => "fc_",
            Self::Call(Call { custom: true, .. }) => "ctc_",
            Self::Image { .. } => "ig_",
        };
        derived_id(prefix, &[response, &index.to_string()])
    }

    /// As it stands by now; `owner` made the reasoning.
    pub(super) fn json(&self, id: &str, status: Status, owner: &Owner) -> String {
        let item = ObjectWriter::new().str("id", id);
        let item = match self {
            Self::Message { parts, .. } => item
                .str("type", "message")
                .str("status", status.as_str())
                .str("role", "assistant")
                .array("content", parts.clone()),
            Self::Reasoning { text, opaque } => {
                let summary =
                    if text.is_empty() { ArrayWriter::new() } else { [summary(text)].into_iter().collect() };
                let item = item.str("type", "reasoning").array("summary", summary);
                // Text alone gets an envelope too: without one it would be taken for OpenAI's own, and be sent there.
                let plain =
                    Opaque { kind: OpaqueKind::PlainText, data: String::new(), id: None, owner: None };
                let opaque = opaque.as_ref().or((!text.is_empty()).then_some(&plain));
                item.maybe(opaque, |item, opaque| {
                    item.str("encrypted_content", &envelope::seal(opaque, owner))
                })
            }
            Self::Call(call) => {
                let (kind, field) =
                    if call.custom { ("custom_tool_call", "input") } else { ("function_call", "arguments") };
                item.str("type", kind)
                    .str("status", status.as_str())
                    .str("call_id", &call.id)
                    .str("name", &call.name)
                    .maybe(call.namespace.as_deref(), |item, namespace| item.str("namespace", namespace))
                    .str(field, &call.input)
            }
            Self::Image { data } => {
                let item = item.str("type", "image_generation_call").str("status", status.as_str());
                if data.is_empty() { item.null("result") } else { item.str("result", data) }
            }
        };
        item.finish()
    }
}

pub(super) fn summary(text: &str) -> ObjectWriter {
    ObjectWriter::of_type("summary_text").str("text", text)
}

/// A part of a message.
#[derive(Debug)]
pub(super) struct ContentPart {
    pub(super) is_refusal: bool,
    pub(super) text: String,
    pub(super) citations: Vec<Citation>,
}

impl ContentPart {
    pub(super) fn new(is_refusal: bool) -> Self {
        Self { is_refusal, text: String::new(), citations: Vec::new() }
    }

    pub(super) fn json(&self) -> ObjectWriter {
        if self.is_refusal {
            return ObjectWriter::of_type("refusal").str("refusal", &self.text);
        }
        let annotations: ArrayWriter = self.annotations().collect();
        ObjectWriter::of_type("output_text")
            .str("text", &self.text)
            .array("annotations", annotations)
            .json("logprobs", "[]")
    }

    /// The sources; one without a place stands for the whole text.
    pub(super) fn annotations(&self) -> impl Iterator<Item = ObjectWriter> {
        let whole = (0, self.text.chars().count() as u64);
        self.citations.iter().map(move |citation| {
            let (start, end) = citation.span.unwrap_or(whole);
            ObjectWriter::of_type("url_citation")
                .u64("start_index", start)
                .u64("end_index", end)
                .str("url", &citation.url)
                .str("title", citation.title.as_deref().unwrap_or_default())
        })
    }
}
