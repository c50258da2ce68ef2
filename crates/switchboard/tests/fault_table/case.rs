//! One row, as one call: by one SDK, in one mode, on a chain with or without a next model.

use std::time::Duration;

use crate::table::{Gets, Mode, Raises, Row};

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
    pub(crate) followed: bool,
}

impl Case {
    /// All cases of a row.
    pub(crate) fn all_of(row: &Row) -> Vec<Self> {
        let mut cases = Vec::new();
        for sdk in [Sdk::OpenAi, Sdk::Anthropic] {
            for mode in row.modes.iter().copied() {
                // Where nobody else is to answer, it is all one whether somebody could.
                let chains = match (row.gets, mode) {
                    (_, Mode::Direct) => &[false][..],
                    (Gets::NextModelsAnswer, _) => &[true, false],
                    _ => &[true],
                };
                for followed in chains.iter().copied() {
                    cases.push(Self { row: row.clone(), sdk, mode, followed });
                }
            }
        }
        cases.retain(|case| *case.column() != Raises::NotApplicable);
        cases
    }

    /// The model's and the route's name, which no other case has.
    pub(crate) fn name(&self, attempt: usize) -> String {
        let chain = if self.followed { "followed" } else { "alone" };
        format!("line-{}-{}-{}-{chain}-{attempt}", self.row.line, self.sdk.name(), self.mode)
    }

    /// The model with the fault. One that cannot be connected to is a provider of its own.
    pub(crate) fn first(&self, attempt: usize) -> String {
        let refused = if self.row.fault == REFUSED { "-refused" } else { "" };
        format!("{}{refused}:{}", self.sdk.name(), self.name(attempt))
    }

    /// The healthy model.
    pub(crate) fn second(&self, attempt: usize) -> String {
        format!("{}-backup:{}", self.sdk.name(), self.name(attempt))
    }

    fn column(&self) -> &Raises {
        match self.sdk {
            Sdk::OpenAi => &self.row.openai,
            Sdk::Anthropic => &self.row.anthropic,
        }
    }

    /// What the SDK is to raise. An error that comes as an event of a held stream has no status of its own.
    pub(crate) fn raises(&self) -> Raises {
        let error = match self.row.gets {
            Gets::TheError => self.column(),
            Gets::NextModelsAnswer if !self.followed => self.column(),
            _ => &Raises::Nothing,
        };
        match (error.clone(), self.mode) {
            (Raises::Error { code, .. }, Mode::Held) => {
                let (class, status) = match self.sdk {
                    Sdk::OpenAi => ("APIError", None),
                    Sdk::Anthropic => ("APIStatusError", Some(200)),
                };
                Raises::Error { class: class.to_owned(), status, code }
            }
            (error, _) => error,
        }
    }

    /// Whether it mostly waits for time to pass.
    pub(crate) fn waits(&self) -> bool {
        const LONG: Duration = Duration::from_millis(150);
        self.row.known > LONG || self.row.again.is_some_and(|pause| pause.0 > LONG)
    }

    pub(crate) fn calls_to_first(&self) -> usize {
        1 + usize::from(self.row.again.is_some())
    }

    pub(crate) fn calls_to_second(&self) -> usize {
        usize::from(self.row.next && self.followed)
    }
}

/// The name that the table has for a port that nobody listens on.
pub(crate) const REFUSED: &str = "refused";
