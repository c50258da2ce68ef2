//! What a good response contains besides its text, whatever the API format.

/// The token counts of a response, in one way for all API formats; each format then sums them as its provider does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// All tokens of the prompt, the cached ones included.
    pub input: usize,
    /// Of those, the tokens that were read from the provider's cache.
    pub cache_read: usize,
    /// Of those, the tokens that were written to the provider's cache; Gemini's API has no count of them.
    pub cache_write: usize,
    /// All tokens of the response, those of its thinking included.
    pub output: usize,
    /// Of those, the tokens of its thinking.
    pub reasoning: usize,
}

/// How a good response ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Finish {
    /// The model has said all; with tool calls, it waits for their results.
    #[default]
    Complete,
    /// The maximum of tokens was reached.
    Length,
    /// The model refuses: its words are the refusal. Gemini gives no words then, only its finish reason.
    Refusal,
}

/// A call of one of the client's tools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ToolCall {
    pub(crate) name: String,
    /// JSON, sent byte for byte; or the raw text of a freeform tool.
    pub(crate) arguments: String,
    /// A freeform tool: the Responses API alone has them, and sends their text as it is.
    pub(crate) freeform: bool,
    /// Instead of the simulator's own; chat completions alone have it.
    pub(crate) id: Option<String>,
}

/// What the model thinks before its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Thinking {
    pub(crate) text: String,
    /// What the simulator puts into its signature.
    pub(crate) opaque: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) thinking: Option<Thinking>,
    pub(crate) tool_calls: Vec<ToolCall>,
    pub(crate) usage: Option<Usage>,
    pub(crate) finish: Finish,
}

impl Content {
    /// The text alone.
    pub(crate) const fn new() -> Self {
        Self { thinking: None, tool_calls: Vec::new(), usage: None, finish: Finish::Complete }
    }
}

/// The parts in which a stream sends arguments.
const ARGUMENTS_PIECE: usize = 8;

impl ToolCall {
    /// The arguments as a stream sends them: several pieces that mean nothing alone.
    pub(crate) fn argument_pieces(&self) -> impl Iterator<Item = &str> {
        let mut rest = self.arguments.as_str();
        std::iter::from_fn(move || {
            let end =
                (ARGUMENTS_PIECE.min(rest.len())..=rest.len()).find(|end| rest.is_char_boundary(*end))?;
            let (piece, others) = rest.split_at(end);
            rest = others;
            (!piece.is_empty()).then_some(piece)
        })
    }
}

impl Thinking {
    /// The text word by word, each word with the blanks after it.
    pub(crate) fn words(&self) -> impl Iterator<Item = &str> {
        self.text.split_inclusive(' ')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pieces_of_arguments_make_up_the_whole() {
        for arguments in ["", "{}", r#"{"city":"Zürich, the largest"}"#, "ääääääääääää"] {
            let call =
                ToolCall { name: String::new(), arguments: arguments.into(), freeform: false, id: None };
            assert_eq!(call.argument_pieces().collect::<String>(), arguments);
            assert!(call.argument_pieces().all(|piece| !piece.is_empty() && piece.len() < 12));
        }
    }
}
