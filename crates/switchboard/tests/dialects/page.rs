//! Reading the tables out of `docs/dialects.md`: one for each caller's format, a row for each matter, a column for each
//! provider's format.

use std::path::Path;

use crate::format::Format;

/// What becomes of a matter between a caller and a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cell {
    /// The same format: it goes through as it came.
    Kept,
    /// The provider gets it in its own words.
    Translated,
    /// These fields are left out or changed, and named in `x-switchboard-dropped`.
    Dropped(Vec<String>),
    /// The model cannot answer: 400 that names the field.
    Refused(String),
}

/// A row of a caller's table.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) line: usize,
    pub(crate) name: String,
    pub(crate) caller: Format,
    /// In the order of [`Format::PROVIDERS`].
    pub(crate) cells: Vec<Cell>,
}

pub(crate) fn read(page: &Path) -> Vec<Row> {
    let text = std::fs::read_to_string(page).unwrap();
    let mut caller = None;
    let mut rows = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        if let Some(title) = text.strip_prefix("## ") {
            caller = Format::ALL.into_iter().find(|format| title == format!("Callers of {}", format.title()));
        }
        let Some(caller) = caller.filter(|_| text.starts_with("| ") && text.contains('`')) else { continue };
        let row = parse_row(caller, line, text);
        rows.push(row.unwrap_or_else(|error| panic!("{}:{line}: {error}", page.display())));
    }
    rows
}

fn parse_row(caller: Format, line: usize, text: &str) -> Result<Row, String> {
    let columns: Vec<&str> = text.trim().trim_matches('|').split('|').map(str::trim).collect();
    let [matter, cells @ ..] = columns.as_slice() else { return Err("an empty row".to_owned()) };
    if cells.len() != Format::PROVIDERS.len() {
        return Err(format!("a row has 6 columns, this one has {}", columns.len()));
    }
    Ok(Row {
        line,
        name: in_backticks(matter).next().ok_or("the row's name is to stand in backticks")?.to_owned(),
        caller,
        cells: cells.iter().map(|cell| parse_cell(cell)).collect::<Result<_, _>>()?,
    })
}

fn parse_cell(text: &str) -> Result<Cell, String> {
    let mut fields = in_backticks(text).map(str::to_owned);
    match text.split([':', ' ']).next() {
        Some("kept") => Ok(Cell::Kept),
        Some("translated") => Ok(Cell::Translated),
        Some("dropped") => Ok(Cell::Dropped(fields.collect())),
        Some("refused") => Ok(Cell::Refused(fields.next().ok_or("refused because of which field?")?)),
        _ => Err(format!("kept, translated, dropped or refused, not {text:?}")),
    }
}

fn in_backticks(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}
