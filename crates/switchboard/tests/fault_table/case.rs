//! One row, as one call: by one SDK, in one mode, on a chain with or without a next model.

use std::time::Duration;

use crate::table::{CallerReceives, ExpectedException, Mode, Row};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Sdk {
    OpenAi,
    Anthropic,
}

impl Sdk {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) row: Row,
    pub(crate) sdk: Sdk,
    pub(crate) mode: Mode,
    /// Whether a healthy model follows in the chain.
    pub(crate) has_fallback: bool,
}

impl Case {
    /// All cases of a row.
    pub(crate) fn all_of(row: &Row) -> Vec<Self> {
        let mut cases = Vec::new();
        for sdk in [Sdk::OpenAi, Sdk::Anthropic] {
            for mode in row.modes.iter().copied() {
                // Where nobody else is to answer, it is all one whether somebody could.
                let chains = match (row.caller_receives, mode) {
                    (_, Mode::Direct) => &[false][..],
                    (CallerReceives::NextModelResponse, _) => &[true, false],
                    _ => &[true],
                };
                for followed in chains.iter().copied() {
                    cases.push(Self { row: row.clone(), sdk, mode, has_fallback: followed });
                }
            }
        }
        cases.retain(|case| *case.expected_error() != ExpectedException::NotApplicable);
        cases
    }

    /// The model's and the route's name, which no other case has.
    pub(crate) fn name(&self, attempt: usize) -> String {
        let chain = if self.has_fallback { "followed" } else { "alone" };
        format!("line-{}-{}-{}-{chain}-{attempt}", self.row.line, self.sdk.name(), self.mode)
    }

    /// The model with the fault. One that cannot be connected to is a provider of its own.
    pub(crate) fn first(&self, attempt: usize) -> String {
        let refused = if self.row.fault == REFUSED_FAULT { "-refused" } else { "" };
        format!("{}{refused}:{}", self.sdk.name(), self.name(attempt))
    }

    /// The healthy model.
    pub(crate) fn second(&self, attempt: usize) -> String {
        format!("{}-backup:{}", self.sdk.name(), self.name(attempt))
    }

    fn expected_error(&self) -> &ExpectedException {
        match self.sdk {
            Sdk::OpenAi => &self.row.openai,
            Sdk::Anthropic => &self.row.anthropic,
        }
    }

    /// What the SDK must raise. An error event of a buffered stream has no status of its own.
    pub(crate) fn expected_exception(&self) -> ExpectedException {
        let error = match self.row.caller_receives {
            CallerReceives::ErrorResponse => self.expected_error(),
            CallerReceives::NextModelResponse if !self.has_fallback => self.expected_error(),
            _ => &ExpectedException::Nothing,
        };
        match (error.clone(), self.mode) {
            (ExpectedException::Error { code, .. }, Mode::Buffered) => {
                let (class, status) = match self.sdk {
                    Sdk::OpenAi => ("APIError", None),
                    Sdk::Anthropic => ("APIStatusError", Some(200)),
                };
                ExpectedException::Error { class: class.to_owned(), status, code }
            }
            (error, _) => error,
        }
    }

    /// Whether it mostly waits for time to pass.
    pub(crate) fn is_mostly_waiting(&self) -> bool {
        const LONG: Duration = Duration::from_millis(150);
        self.row.detection_time > LONG || self.row.retry_after.is_some_and(|pause| pause.0 > LONG)
    }

    pub(crate) fn calls_to_first(&self) -> usize {
        1 + usize::from(self.row.retry_after.is_some())
    }

    pub(crate) fn calls_to_second(&self) -> usize {
        usize::from(self.row.has_fallback && self.has_fallback)
    }
}

/// The name that the table has for a port that nobody listens on.
pub(crate) const REFUSED_FAULT: &str = "refused";
