//! The context of a parse: the file, the environment, and the problems so far.

use std::{cell::RefCell, path::Path};

use super::{
    environment::Environment,
    problem::{Location, Problem},
};

/// The context of one parse: the file, the environment, and the problems so far.
#[derive(Debug)]
pub(super) struct ParseContext<'a> {
    pub(super) environment: &'a Environment,
    path: &'a Path,
    /// The offset of every line but the first.
    line_starts: Vec<usize>,
    problems: RefCell<Vec<Problem>>,
    warnings: RefCell<Vec<Problem>>,
}

impl<'a> ParseContext<'a> {
    pub(super) fn new(path: &'a Path, text: &str, environment: &'a Environment) -> Self {
        let line_starts = text.match_indices('\n').map(|(end, _)| end + 1).collect();
        Self { environment, path, line_starts, problems: RefCell::default(), warnings: RefCell::default() }
    }

    /// Reports a problem of a line of the file.
    pub(super) fn report_line(&self, line: usize, message: String) {
        self.report(self.location(line), message);
    }

    /// The location of a line of the file.
    pub(super) fn location(&self, line: usize) -> Location {
        Location::File { path: self.path.to_owned(), line }
    }

    /// Reports a problem of an environment variable.
    pub(super) fn report_variable(&self, name: &str, message: impl Into<String>) {
        self.report(Location::Variable(name.to_owned()), message.into());
    }

    /// Reports a problem.
    pub(super) fn report(&self, location: Location, message: String) {
        self.problems.borrow_mut().push(Problem { location, message });
    }

    /// Reports what is allowed, and probably not meant.
    pub(super) fn warn(&self, location: Location, message: String) {
        self.warnings.borrow_mut().push(Problem { location, message });
    }

    /// The warnings so far, sorted by location.
    pub(super) fn take_warnings(&self) -> Vec<Problem> {
        let mut warnings = self.warnings.take();
        warnings.sort();
        warnings
    }

    /// The line, counted from 1, of a byte offset in the file.
    pub(super) fn line_of(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset) + 1
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems.into_inner()
    }
}

/// The line, counted from 1, of a byte offset in the text.
pub(super) fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}
