//! The file as tables and values that know their names and lines, and that collect all problems instead of stopping
//! at the first.

use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::{
    context::{ParseContext, line_of},
    problem::{Location, Problem, Problems},
    value::Value,
};

/// The tables of the file, with the spans of their values.
#[derive(Debug)]
pub(super) struct Tables<'a>(DeTable<'a>);

/// A table of the file; an absent one leaves all defaults.
#[derive(Debug)]
pub(super) struct Section<'a> {
    pub(super) context: &'a ParseContext<'a>,
    /// Its full name, for instance `routes.planner`; empty for the whole file.
    pub(super) name: String,
    /// Its first line, counted from 1.
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
            // The error's Display would quote the line, which may contain a secret.
            message: format!("invalid TOML: {}", error.message()),
        };
        Problems::check(errors.iter().map(problem).collect())?;
        Ok(Self(tables.into_inner()))
    }

    /// The whole file as one table.
    pub(super) fn root(&'a self, context: &'a ParseContext<'a>) -> Section<'a> {
        Section { table: Some(&self.0), ..Section::absent(context) }
    }
}

impl<'a> Section<'a> {
    /// A table that is not in the file.
    pub(super) fn absent(context: &'a ParseContext<'a>) -> Self {
        Self { context, name: String::new(), line: 1, table: None, known_keys: Vec::new() }
    }

    /// The table that a value holds; reports a problem if it holds something else.
    fn from_value(value: Value<'a>) -> Option<Self> {
        let context = value.context();
        let (name, line, table) = value.into_table()?;
        Some(Self { context, name, line, table: Some(table), known_keys: Vec::new() })
    }

    /// Whether the table has this key.
    pub(super) fn contains_key(&self, key: &str) -> bool {
        self.entry(key).is_some()
    }

    /// The value of a key, which becomes a known key.
    pub(super) fn value(&mut self, key: &'static str) -> Option<Value<'a>> {
        self.known_keys.push(key);
        let (key_start, value) = self.entry(key)?;
        Some(self.child(key, key_start, value))
    }

    /// Reads a key into `target`, which keeps its value if the key is absent or invalid.
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

    /// A table in this table.
    pub(super) fn section(&mut self, key: &'static str) -> Section<'a> {
        let section = self.value(key).and_then(Section::from_value);
        section.unwrap_or_else(|| Section::absent(self.context))
    }

    /// The tables in a table whose keys are chosen by the user.
    pub(super) fn subsections(&self) -> Vec<(&'a str, Section<'a>)> {
        let entries = self.table.into_iter().flatten();
        let children = entries.map(|(key, value)| {
            let name: &'a str = key.get_ref();
            (name, self.child(name, key.span().start, value.get_ref()))
        });
        children.filter_map(|(name, value)| Some((name, Section::from_value(value)?))).collect()
    }

    /// The location of a key, or of the table if the key is absent.
    pub(super) fn location(&self, key: &str) -> Location {
        self.context.location(self.entry(key).map_or(self.line, |(start, _)| self.context.line_of(start)))
    }

    /// Reports a problem of a key, or of the table if the key is absent.
    pub(super) fn report(&self, key: &str, message: &str) {
        self.context.report(self.location(key), format!("{} {message}", self.key_path(key)));
    }

    /// Reports each key that was never read as unknown.
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

/// The one of `known` that is most similar to `name`.
pub(super) fn closest_match<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let name = name.to_lowercase();
    // A part of a name ("key" of "api_key") is closer than any other name with some of the same letters.
    let is_part = |known: &str| known.contains(&name) || name.contains(known);
    let similarity =
        |known: &str| strsim::jaro_winkler(&name, known) + if is_part(known) { 1.0 } else { 0.0 };
    known.into_iter().max_by(|a, b| similarity(a).total_cmp(&similarity(b)))
}
