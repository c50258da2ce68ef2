//! Problems of a configuration, and their locations.

use std::{fmt, path::PathBuf};

/// Where a setting comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Location {
    /// A line of a file, counted from 1.
    File {
        /// The file, as given.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// A variable of the environment or of `.env`.
    Variable(String),
    /// An option of the command line.
    CommandLine(&'static str),
    /// The file as a whole.
    WholeFile(PathBuf),
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::CommandLine(option) => write!(f, "command line, {option}"),
            Self::WholeFile(path) => write!(f, "{}", path.display()),
        }
    }
}

/// One problem. The message never contains a secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{location}: {message}")]
pub struct Problem {
    /// Its location.
    pub location: Location,
    /// What is wrong, what was expected, what to do.
    pub message: String,
}

/// All problems of a configuration, sorted by location; displayed one per line. Never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", join_lines(.0))]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// `Err` with all problems, sorted by location, if there are any.
    ///
    /// # Errors
    /// When `problems` is not empty.
    pub fn check(mut problems: Vec<Problem>) -> Result<(), Self> {
        if problems.is_empty() {
            return Ok(());
        }
        problems.sort();
        problems.dedup();
        Err(Self(problems))
    }

    /// Iterates over the problems.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

fn join_lines(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
