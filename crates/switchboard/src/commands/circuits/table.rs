//! Rows in columns.

use std::fmt::{self, Display, Write as _};

use crate::output::{Output, Style};

/// A row's part of a column. Colour does not count towards its width.
#[derive(Debug)]
pub(super) struct Cell {
    text: String,
    style: Option<Style>,
}

impl Cell {
    /// The text as it is.
    pub(super) fn new(text: impl Display) -> Self {
        Self { text: text.to_string(), style: None }
    }

    /// The text, coloured where results are.
    pub(super) fn styled(text: impl Display, style: Style) -> Self {
        Self { text: text.to_string(), style: Some(style) }
    }

    /// In columns of a terminal; characters that take two are rare in names of models and count as one.
    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

/// Rows, of which each has a cell for each column.
#[derive(Debug)]
pub(super) struct Table {
    output: Output,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// Without rows.
    pub(super) const fn new(output: Output) -> Self {
        Self { output, rows: Vec::new() }
    }

    /// Adds a row, or the heads of the columns.
    pub(super) fn add_row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Each row, with its columns as wide as their widest cell, and nothing after the last text.
    pub(super) fn lines(&self) -> Vec<String> {
        self.rows.iter().map(|row| self.line(row)).collect()
    }

    fn line(&self, row: &[Cell]) -> String {
        let mut line = String::new();
        let used = row.iter().rposition(|cell| !cell.text.is_empty()).map_or(0, |last| last + 1);
        for (column, cell) in row[..used].iter().enumerate() {
            line.push(' ');
            // Writing to a string cannot fail.
            _ = match cell.style {
                Some(style) => write!(line, "{}", self.output.paint(style, &cell.text)),
                None => write!(line, "{}", cell.text),
            };
            if column + 1 < used {
                line.extend(std::iter::repeat_n(' ', self.width(column) - cell.width() + 1));
            }
        }
        line
    }

    fn width(&self, column: usize) -> usize {
        self.rows.iter().filter_map(|row| row.get(column)).map(Cell::width).max().unwrap_or_default()
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines().join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(Output::plain());
        table.add_row(["MODEL", "STATE", "REASON"].map(Cell::new));
        table.add_row([Cell::new("é"), Cell::styled("OPEN (forced)", Style::Bad), Cell::new("")]);
        table.add_row(["openai:gpt-5", "", "manual"].map(Cell::new));
        assert_eq!(
            table.to_string(),
            " MODEL         STATE          REASON\n é             OPEN (forced)\n openai:gpt-5                 manual"
        );
    }
}
