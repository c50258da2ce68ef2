//! The file as tables and values that know their names and lines, and that gather problems instead of stopping at
//! the first.

use std::{cell::RefCell, path::Path};

use toml::de::{DeTable, DeValue};

use super::{
    environment::Environment,
    problem::{Location, Problem, Problems},
    value::Value,
};

/// The file's tables, still as text and places in it.
#[derive(Debug)]
pub(super) struct Tables<'a>(DeTable<'a>);

/// One reading of the file: what is wrong so far, and what places and variables mean.
#[derive(Debug)]
pub(super) struct ParseContext<'a> {
    pub(super) environment: &'a Environment,
    path: &'a Path,
    text: &'a str,
    problems: RefCell<Vec<Problem>>,
}

/// A table of the file, or one that is not there and so leaves all defaults.
#[derive(Debug)]
pub(super) struct Section<'a> {
    pub(super) context: &'a ParseContext<'a>,
    /// Its full name, for instance `routes.planner`; empty for the whole file.
    pub(super) name: String,
    /// Where it begins, counted from 1.
    pub(super) line: usize,
    table: Option<&'a DeTable<'a>>,
    known_keys: Vec<&'static str>,
}

impl<'a> Tables<'a> {
    /// Parses the text.
    pub(super) fn parse(path: &Path, text: &'a str) -> Result<Self, Problems> {
        let (tables, errors) = DeTable::parse_recoverable(text);
        let problem = |error: &toml::de::Error| Problem {
            location: Location::File {
                path: path.to_owned(),
                line: error.span().map_or(1, |span| line_of(text, span.start)),
            },
            // The error's Display would quote the line, which may hold a key.
            message: format!("not TOML: {}", error.message()),
        };
        Problems::check(errors.iter().map(problem).collect())?;
        Ok(Self(tables.into_inner()))
    }

    /// The whole file as one table.
    pub(super) fn root(&'a self, context: &'a ParseContext<'a>) -> Section<'a> {
        Section { table: Some(&self.0), ..Section::absent(context) }
    }
}

impl<'a> ParseContext<'a> {
    pub(super) fn new(path: &'a Path, text: &'a str, environment: &'a Environment) -> Self {
        Self { environment, path, text, problems: RefCell::default() }
    }

    /// Notes a problem with a line of the file.
    pub(super) fn report_line(&self, line: usize, message: String) {
        self.report(self.location(line), message);
    }

    fn location(&self, line: usize) -> Location {
        Location::File { path: self.path.to_owned(), line }
    }

    /// Notes a problem with a variable of the environment.
    pub(super) fn report_variable(&self, name: &str, message: impl Into<String>) {
        self.report(Location::Variable(name.to_owned()), message.into());
    }

    /// Notes a problem.
    pub(super) fn report(&self, location: Location, message: String) {
        self.problems.borrow_mut().push(Problem { location, message });
    }

    /// The line, counted from 1, of a byte of the file.
    pub(super) fn line_of(&self, offset: usize) -> usize {
        line_of(self.text, offset)
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems.into_inner()
    }
}

impl<'a> Section<'a> {
    /// A table that the file does not have.
    pub(super) fn absent(context: &'a ParseContext<'a>) -> Self {
        Self { context, name: String::new(), line: 1, table: None, known_keys: Vec::new() }
    }

    /// A table that the file has.
    pub(super) fn new(
        context: &'a ParseContext<'a>,
        name: String,
        line: usize,
        table: &'a DeTable<'a>,
    ) -> Self {
        Self { context, name, line, table: Some(table), known_keys: Vec::new() }
    }

    /// Whether the file sets this key of the table.
    pub(super) fn contains_key(&self, key: &str) -> bool {
        self.entry(key).is_some()
    }

    /// The value of a key; from now on the key is a known one.
    pub(super) fn value(&mut self, key: &'static str) -> Option<Value<'a>> {
        self.known_keys.push(key);
        let (key_start, value) = self.entry(key)?;
        Some(self.child(key, key_start, value))
    }

    /// Reads a key into `target`, which keeps its value where the key is absent or wrong.
    pub(super) fn read_into<T>(
        &mut self,
        key: &'static str,
        target: &mut T,
        read: impl FnOnce(&Value<'a>) -> Option<T>,
    ) {
        if let Some(read) = self.value(key).and_then(|value| read(&value)) {
            *target = read;
        }
    }

    /// A table in this one.
    pub(super) fn section(&mut self, key: &'static str) -> Section<'a> {
        let section = self.value(key).and_then(|value| value.section());
        section.unwrap_or_else(|| Section::absent(self.context))
    }

    /// The tables of a table whose keys are the user's own names.
    pub(super) fn subsections(&self) -> Vec<(&'a str, Section<'a>)> {
        let entries = self.table.into_iter().flatten();
        let children = entries.map(|(key, value)| {
            let name: &'a str = key.get_ref();
            (name, self.child(name, key.span().start, value.get_ref()))
        });
        children.filter_map(|(name, value)| Some((name, value.section()?))).collect()
    }

    /// Where a key of this table stands, or the table where that key is absent.
    pub(super) fn location(&self, key: &str) -> Location {
        self.context.location(self.entry(key).map_or(self.line, |(start, _)| self.context.line_of(start)))
    }

    /// Notes a problem with a key of this table, or with the table where that key is absent.
    pub(super) fn report(&self, key: &str, message: &str) {
        self.context.report(self.location(key), format!("{} {message}", self.key_path(key)));
    }

    /// Notes each key that was never asked for as an unknown one.
    pub(super) fn report_unknown_keys(self) {
        for (key, _) in self.table.into_iter().flatten() {
            if self.known_keys.iter().any(|known| *known == key.get_ref()) {
                continue;
            }
            let table = if self.name.is_empty() { "the file".to_owned() } else { format!("[{}]", self.name) };
            let closest = closest_match(key.get_ref(), self.known_keys.iter().copied());
            let hint =
                closest.map_or_else(String::new, |known| format!("; the nearest known key is {known:?}"));
            let message = format!("unknown key {:?} in {table}{hint}", key.get_ref());
            self.context.report_line(self.context.line_of(key.span().start), message);
        }
    }

    fn entry(&self, key: &str) -> Option<(usize, &'a DeValue<'a>)> {
        let mut entries = self.table?.iter();
        let (key, value) = entries.find(|(found, _)| found.get_ref() == key)?;
        Some((key.span().start, value.get_ref()))
    }

    fn child(&self, key: &str, start: usize, value: &'a DeValue<'a>) -> Value<'a> {
        Value::new(self.context, self.key_path(key), self.context.line_of(start), value)
    }

    fn key_path(&self, key: &str) -> String {
        let bare =
            !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
        let key = if bare { key.to_owned() } else { format!("{key:?}") };
        if self.name.is_empty() { key } else { format!("{}.{key}", self.name) }
    }
}

/// The line, counted from 1, of a byte of the text.
fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

/// The one of `known` that is most like `word`.
pub(super) fn closest_match<'n>(word: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let word = word.to_lowercase();
    // A part of a name ("key" of "api_key") is more like it than any whole word with some of the same letters.
    let is_part = |known: &str| known.contains(&word) || word.contains(known);
    let likeness = |known: &str| strsim::jaro_winkler(&word, known) + if is_part(known) { 1.0 } else { 0.0 };
    known.into_iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
}
