//! Who a request is written for, and what came of writing it.

use dialects::Dialect;

use crate::abilities::Abilities;
use crate::form::{Opaque, Owner};
use crate::names::ToolNames;

/// The model that is to answer, as far as a writer must know it.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The API format that it is called in.
    pub dialect: Dialect,
    /// The provider's name in the configuration.
    pub provider: &'a str,
    /// The model, by the name that the provider knows it by.
    pub model: &'a str,
    /// The maker's own address, not a compatible server: `api.openai.com` and the like.
    pub is_official: bool,
    /// Fields of OpenAI Chat Completions that its vendor answers with an error.
    pub refuses: &'a [&'static str],
}

impl Target<'_> {
    /// Whose the opaque reasoning is that this model makes.
    pub(crate) fn owner(&self) -> Owner {
        Owner { provider: self.provider.to_owned(), model: self.model.to_owned() }
    }

    /// Whether this model made it, so that it may be sent back (T5).
    pub(crate) fn owns(&self, opaque: &Opaque) -> bool {
        opaque
            .owner
            .as_ref()
            .is_some_and(|owner| owner.provider == self.provider && owner.model == self.model)
    }

    /// Whether its vendor takes a field of OpenAI Chat Completions.
    pub(crate) fn takes(&self, field: &str) -> bool {
        !self.refuses.contains(&field)
    }

    pub(crate) fn abilities(&self) -> Abilities {
        Abilities::of(self.model)
    }
}

/// Why a request cannot be answered by a model (T3).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` {reason}")]
pub struct CannotCarry {
    /// The caller's field.
    pub field: String,
    /// What stands against it, as the end of a sentence: `has no counterpart in Anthropic Messages`.
    pub reason: String,
}

/// A request as it was written for a target.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) body: String,
    /// Fields that were left out or changed without harm (T3), by the caller's names, each once, in order.
    pub(crate) dropped: Vec<String>,
    pub(crate) names: ToolNames,
}

/// Nobody reads more of them, and each is compared with all others.
const MAX_LOSSES: usize = 100;

/// Collects what a writer leaves out, and what it cannot carry.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    dropped: Vec<String>,
    refused: Vec<CannotCarry>,
}

impl Losses {
    /// Left out or changed, and named to the caller.
    pub(crate) fn drop(&mut self, field: impl Into<String>) {
        let field = field.into();
        if self.dropped.len() < MAX_LOSSES && !self.dropped.contains(&field) {
            self.dropped.push(field);
        }
    }

    /// `drop`, if there is something to be dropped.
    pub(crate) fn drop_if(&mut self, present: bool, field: &str) {
        if present {
            self.drop(field);
        }
    }

    /// Cannot be left out: the model cannot answer this request.
    pub(crate) fn refuse(&mut self, field: impl Into<String>, reason: impl Into<String>) {
        let refused = CannotCarry { field: field.into(), reason: reason.into() };
        if self.refused.len() < MAX_LOSSES && !self.refused.contains(&refused) {
            self.refused.push(refused);
        }
    }

    /// The body, unless something could not be carried.
    pub(crate) fn finish(self, body: String, names: ToolNames) -> Result<Written, Vec<CannotCarry>> {
        if self.refused.is_empty() {
            Ok(Written { body, dropped: self.dropped, names })
        } else {
            Err(self.refused)
        }
    }
}

/// What a writer of an answer must know of the call.
#[derive(Debug, Clone)]
pub(crate) struct AnswerContext {
    /// Who made the opaque reasoning in the answer.
    pub(crate) owner: Owner,
    /// Names that were changed in the request.
    pub(crate) names: ToolNames,
    /// The client's tools are in namespaces, at least some. To others a provider's own namespaces mean nothing.
    pub(crate) has_namespaces: bool,
    /// A chat stream's client wants a chunk with the usage.
    pub(crate) include_usage: bool,
    /// The client wants to see reasoning (Gemini shows none unless asked).
    pub(crate) show_reasoning: bool,
    /// Gemini's `streamGenerateContent` without `alt=sse`: one JSON array.
    pub(crate) json_array: bool,
    /// When the answer began (Unix s), for formats that date it where the provider does not.
    pub(crate) created: u64,
    /// The id of the caller's request: answers whose provider gives none get ids derived from it.
    pub(crate) request_id: String,
    /// What the responses API repeats of its request: JSON fields without the braces (`"tools":[],…`), or nothing.
    pub(crate) echo: String,
}

#[cfg(test)]
impl AnswerContext {
    /// Of a call to the model `m` of the provider `p`.
    pub(crate) fn for_test() -> Self {
        Self {
            owner: Owner { provider: "p".to_owned(), model: "m".to_owned() },
            names: ToolNames::default(),
            has_namespaces: false,
            include_usage: false,
            show_reasoning: false,
            json_array: false,
            created: 1,
            request_id: "req_1".to_owned(),
            echo: String::new(),
        }
    }
}
