//! A request while it is read.

use std::collections::HashSet;

use crate::form::{Message, Part, PartKind, Request, Role, Unmapped};

const MAX_UNMAPPED: usize = 100;

/// What was read, together with what has no place in it.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) request: Request,
    /// The tools that are declared: kind, namespace and name.
    pub(super) declared: HashSet<(u8, Option<String>, String)>,
}

impl Draft {
    /// Notes a field that the common form lacks.
    pub(super) fn unmapped(&mut self, field: &str, required: bool) {
        let known = &self.request.unmapped;
        // Nobody reads more names, and looking for each among all the others would take long.
        if known.len() < MAX_UNMAPPED && !known.iter().any(|known| known.field == field) {
            self.request.unmapped.push(Unmapped { field: field.to_owned(), required });
        }
    }

    /// Adds to the last turn if it has this role and is made of the same kind of parts, else begins a turn.
    pub(super) fn push(&mut self, role: Role, part: Part) {
        let joins = |turn: &Message| {
            let results = matches!(part.kind, PartKind::ToolResult(_))
                && turn.parts.iter().all(|part| matches!(part.kind, PartKind::ToolResult(_)));
            turn.role == role && (role == Role::Assistant || results)
        };
        match self.request.turns.last_mut() {
            Some(turn) if joins(turn) => turn.parts.push(part),
            _ => self.request.turns.push(Message { role, parts: vec![part] }),
        }
    }
}
