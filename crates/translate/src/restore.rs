//! Gives tool calls the names back that the client knows, and freeform tools their raw input.

use crate::form::{Block, Event};
use crate::json::Object;
use crate::names::ToolNames;

/// Sits between a reader and a writer of an answer.
#[derive(Debug)]
pub(crate) struct Restore {
    names: ToolNames,
    /// The client knows namespaces: it named some.
    has_namespaces: bool,
    /// The arguments so far of a freeform tool's call that came as a function's. Its text is known when all is there.
    wrapped: Option<String>,
}

impl Restore {
    pub(crate) const fn new(names: ToolNames, has_namespaces: bool) -> Self {
        Self { names, has_namespaces, wrapped: None }
    }

    /// Takes an event, and adds what comes of it.
    pub(crate) fn push(&mut self, event: Event, out: &mut Vec<Event>) {
        match event {
            Event::Open(Block::ToolCall { id, name, namespace, custom }) => {
                let client = self.names.restore(&name);
                if client.custom && !custom {
                    self.wrapped = Some(String::new());
                }
                out.push(Event::Open(Block::ToolCall {
                    id,
                    name: client.name,
                    namespace: namespace.filter(|_| self.has_namespaces).or(client.namespace),
                    custom: custom || client.custom,
                }));
            }
            Event::Delta(text) => match &mut self.wrapped {
                Some(wrapped) => wrapped.push_str(&text),
                None => out.push(Event::Delta(text)),
            },
            Event::Close => {
                if let Some(wrapped) = self.wrapped.take() {
                    out.push(Event::Delta(unwrap_input(wrapped)));
                }
                out.push(Event::Close);
            }
            other => out.push(other),
        }
    }
}

/// The text in `{"input":"…"}`; anything else is taken as it stands.
fn unwrap_input(arguments: String) -> String {
    let input = Object::parse(arguments.as_bytes()).and_then(|object| object.string("input"));
    input.unwrap_or(arguments)
}

#[cfg(test)]
mod tests {
    use super::Restore;
    use crate::form::{Block, Event};
    use crate::names::{ClientName, ToolNames};

    fn call(name: &str, custom: bool) -> Event {
        Event::Open(Block::ToolCall { id: "c".to_owned(), name: name.to_owned(), namespace: None, custom })
    }

    #[test]
    fn a_freeform_tool_gets_its_raw_input() {
        let mut names = ToolNames::default();
        names.note(
            "apply_patch",
            ClientName { name: "apply_patch".to_owned(), namespace: None, custom: true },
        );
        let mut restore = Restore::new(names, true);
        let mut out = Vec::new();
        let pieces = [r#"{"input":"*** Beg"#, r#"in\n"}"#].map(|piece| Event::Delta(piece.to_owned()));
        let [first, second] = pieces;
        for event in [call("apply_patch", false), first, second, Event::Close, call("other", false)] {
            restore.push(event, &mut out);
        }
        let expected = [
            call("apply_patch", true),
            Event::Delta("*** Begin\n".to_owned()),
            Event::Close,
            call("other", false),
        ];
        assert_eq!(out, expected);
    }
}
