//! What a valid event of a stream brings.

use crate::usage::Usage;

/// What a valid event brings; one event may bring several things. The default brings nothing: a preamble such as a
/// role, a ping or a comment (C3).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Output of the model: text, a refusal, thinking, tool input.
    pub content: bool,
    /// The choices that this event belongs to.
    pub choices: Choices,
    /// Those of them that are complete: a finish or stop reason was given.
    pub finished: Choices,
    /// The format's end marker: `[DONE]`, `message_stop`.
    pub done: bool,
    /// The tokens that it reports.
    pub usage: Usage,
}

impl Progress {
    /// Whether a choice is complete.
    #[must_use]
    pub const fn has_finish_reason(&self) -> bool {
        !self.finished.is_empty()
    }

    /// Whether it reports tokens and belongs to no choice: the chunk that `stream_options.include_usage` asks for.
    #[must_use]
    pub fn is_only_usage(&self) -> bool {
        self.usage != Usage::default() && self.choices.is_empty() && !self.done
    }

    /// Whether it is no part of an answer.
    pub(crate) fn brings_nothing(&self) -> bool {
        !self.content && !self.done && !self.has_finish_reason() && self.usage == Usage::default()
    }

    /// What it brings, in letters for the tables of tests: `c`ontent, `f`inish, `d`one.
    #[cfg(test)]
    pub(crate) fn flags(&self) -> String {
        let flags = [(self.content, 'c'), (self.has_finish_reason(), 'f'), (self.done, 'd')];
        flags.into_iter().filter(|(set, _)| *set).map(|(_, name)| name).collect()
    }
}

/// A set of the choices of a response: OpenAI's `n` requests several, which are streamed side by side; Anthropic's
/// responses have one. All choices from the 64th on share one place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Choices(u64);

impl Choices {
    /// The set of one.
    #[must_use]
    pub fn single(index: u32) -> Self {
        Self(1 << index.min(u64::BITS - 1))
    }

    /// Whether it has no choice.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The choices in either.
    #[must_use]
    pub const fn merge(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether it has all choices of `other`.
    #[must_use]
    pub const fn contains_all(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}
