//! Reads a plain response.

use super::item_reader::{AnswerParts, ItemReader};
use super::terminal;
use crate::form::Event;
use crate::json::Object;
use crate::target::AnswerContext;

pub(crate) fn read(body: &[u8], context: &AnswerContext) -> Option<Vec<Event>> {
    let response = Object::parse(body)?;
    let failed = response.error().is_some() || has_failed(&response);
    if !failed && response.raw("output").is_none() && response.str("object").as_deref() != Some("response") {
        return None;
    }
    let mut events = vec![start(&response)];
    if failed {
        events.push(Event::Error(terminal::read_error(&response)));
        return Some(events);
    }
    let id = response.str("id");
    let id = id.as_deref().unwrap_or(&context.request_id);
    for (index, item) in response.objects("output").iter().enumerate() {
        events.extend(ItemReader::whole(item, index, id));
    }
    let mut seen = AnswerParts::default();
    for event in &events {
        seen.note(event);
    }
    end(&response, "completed", seen, &mut events);
    Some(events)
}

/// Whether it came to nothing.
pub(super) fn has_failed(response: &Object<'_>) -> bool {
    matches!(response.str("status").as_deref(), Some("failed" | "cancelled"))
}

/// What a response says of itself at its beginning.
pub(super) fn start(response: &Object<'_>) -> Event {
    Event::Start {
        id: response.string("id"),
        model: response.string("model"),
        created: response.u64("created_at").or_else(|| whole_seconds(response)),
    }
}

/// Some servers give the time with a fraction.
fn whole_seconds(response: &Object<'_>) -> Option<u64> {
    let seconds = response.raw("created_at")?.get();
    seconds.split_once('.')?.0.parse().ok()
}

/// How a response ended, and what it took.
pub(super) fn end(response: &Object<'_>, default_status: &str, seen: AnswerParts, out: &mut Vec<Event>) {
    out.extend(terminal::read_usage(response).map(Event::Usage));
    let status = response.str("status");
    let status = status.as_deref().unwrap_or(default_status);
    out.push(Event::Finish(terminal::read_finish(response, status, seen.called, seen.refused)));
}
