//! Tool calls that come in pieces: which call a piece belongs to.

use std::collections::HashMap;

/// The calls of an answer, in the order in which they began.
#[derive(Debug, Default)]
pub(super) struct Calls {
    list: Vec<Call>,
    by_index: HashMap<u64, usize>,
    by_id: HashMap<String, usize>,
}

impl Calls {
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The number that the next call gets.
    pub(super) fn next(&self) -> usize {
        self.list.len()
    }

    pub(super) fn get(&self, number: usize) -> Option<&Call> {
        self.list.get(number)
    }

    /// Begins a call, whose block has that number.
    pub(super) fn begin(&mut self, custom: bool, block: usize) {
        self.list.push(Call { custom, block, ..Call::default() });
    }

    /// The call that a piece goes on with; `None`: it begins another.
    pub(super) fn find(&self, piece: &CallPiece) -> Option<usize> {
        let known = match piece.index {
            Some(index) => self.by_index.get(&index).copied(),
            None if piece.id.is_empty() => self.list.len().checked_sub(1),
            None => self.by_id.get(&piece.id).copied(),
        };
        known.filter(|number| !self.begins_another(*number, piece))
    }

    /// Whether a piece that seems to go on with a call is another: some servers give all calls the same index, or none.
    fn begins_another(&self, number: usize, piece: &CallPiece) -> bool {
        let Some(call) = self.list.get(number) else { return true };
        let other_id = !piece.id.is_empty() && piece.id != call.id;
        let no_id = piece.id.is_empty() && piece.index.is_none() && !piece.arguments.is_empty();
        !piece.name.is_empty() && call.json.whole && (other_id || no_id)
    }

    /// Adds a piece to a call, but for its arguments. Gives the number of the call's block.
    pub(super) fn add(&mut self, number: usize, piece: &mut CallPiece) -> Option<usize> {
        let call = self.list.get_mut(number)?;
        if let Some(index) = piece.index {
            self.by_index.insert(index, number);
        }
        // A second call of one id gets another: to a client they would be one.
        if call.id.is_empty() && !piece.id.is_empty() && !self.by_id.contains_key(&piece.id) {
            self.by_id.insert(piece.id.clone(), number);
            call.id = std::mem::take(&mut piece.id);
        }
        if !call.begun {
            add_name(&mut call.name, std::mem::take(&mut piece.name));
        }
        call.begun |= !piece.arguments.is_empty();
        call.json.push(&piece.arguments);
        Some(call.block)
    }
}

/// A call, but for its arguments, which are its block's text.
#[derive(Debug, Default)]
pub(super) struct Call {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) custom: bool,
    /// There are arguments, so the name is whole.
    pub(super) begun: bool,
    json: Balance,
    /// The number of its block.
    block: usize,
}

/// A piece of a call.
#[derive(Debug, Default)]
pub(super) struct CallPiece {
    pub(super) index: Option<u64>,
    pub(super) id: String,
    pub(super) name: String,
    pub(super) arguments: String,
    pub(super) custom: bool,
    /// A Gemini thought signature.
    pub(super) signature: Option<String>,
}

impl Call {
    /// Nothing more comes to it once another block began.
    pub(super) fn is_whole(&self) -> bool {
        self.custom || self.json.whole
    }
}

/// Tells when a JSON object that comes in pieces is whole.
#[derive(Debug, Default)]
struct Balance {
    depth: usize,
    in_string: bool,
    escaped: bool,
    whole: bool,
}

impl Balance {
    fn push(&mut self, text: &str) {
        for byte in text.bytes() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                _ if self.in_string => {}
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.whole |= self.depth == 0;
                }
                _ => {}
            }
        }
    }
}

/// A name comes whole, in pieces, again and again, or ever longer.
fn add_name(name: &mut String, piece: String) {
    if piece.starts_with(name.as_str()) {
        *name = piece;
    } else {
        name.push_str(&piece);
    }
}
