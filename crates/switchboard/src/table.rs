//! Rows in columns that fit the terminal.

use std::fmt::{Display, Write as _};

use crate::{
    output::{Output, Style},
    wrap::{shorten, wrap},
};

/// Between two columns.
const GAP: &str = "  ";

/// Before the second line of a row that has two.
const INDENT: &str = "  ";

/// A row's part of a column. Colour does not count towards its width.
#[derive(Debug, Clone)]
pub struct Cell {
    text: String,
    style: Option<Style>,
}

impl Cell {
    /// The text as it is.
    pub fn new(text: impl Display) -> Self {
        Self { text: text.to_string(), style: None }
    }

    /// The text, coloured where results are.
    pub fn styled(text: impl Display, style: Style) -> Self {
        Self { text: text.to_string(), style: Some(style) }
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

/// What becomes of the last column where the terminal is narrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastColumn {
    /// It is shortened.
    Shortened,
    /// It takes more lines, below its beginning.
    Wrapped,
}

/// Rows, of which each has a cell for each column.
#[derive(Debug)]
pub struct Table {
    output: Output,
    width: Option<usize>,
    last: LastColumn,
    /// The first column of the second line, where a row has two.
    second_line: usize,
    /// The columns that may be narrower than their cells, first the one to give way first, with the least width of each.
    shrinking: Vec<(usize, usize)>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// Without rows, for the output's width.
    #[must_use]
    pub fn new(output: Output, last: LastColumn, second_line: usize, shrinking: &[(usize, usize)]) -> Self {
        let (width, shrinking) = (output.width(), shrinking.to_vec());
        Self { output, width, last, second_line, shrinking, rows: Vec::new() }
    }

    /// Adds a row, or the heads of the columns.
    pub fn add_row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Each row, with nothing after its last text; where the columns do not fit, two lines a row.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.lines_by_row().concat()
    }

    /// The lines of each row.
    #[must_use]
    pub fn lines_by_row(&self) -> Vec<Vec<String>> {
        match self.column_widths() {
            Some(widths) => self.rows.iter().map(|row| self.row_lines(row, &widths)).collect(),
            None => self.rows.iter().map(|row| self.two_lines(row)).collect(),
        }
    }

    /// The width of each column; `None`: they do not fit.
    fn column_widths(&self) -> Option<Vec<usize>> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let natural = |column: usize| {
            self.rows.iter().filter_map(|row| row.get(column)).map(Cell::width).max().unwrap_or_default()
        };
        let mut widths: Vec<_> = (0..columns).map(natural).collect();
        let Some(available) = self.width else { return Some(widths) };
        let gaps = columns.saturating_sub(1) * GAP.len();
        let mut surplus = (widths.iter().sum::<usize>() + gaps).saturating_sub(available);
        for &(column, least) in &self.shrinking {
            let Some(width) = widths.get_mut(column) else { continue };
            let taken = surplus.min(width.saturating_sub(least));
            *width -= taken;
            surplus -= taken;
        }
        (surplus == 0).then_some(widths)
    }

    fn row_lines(&self, row: &[Cell], widths: &[usize]) -> Vec<String> {
        let used = row.iter().rposition(|cell| !cell.text.is_empty()).map_or(0, |last| last + 1);
        let mut line = String::new();
        let mut more = Vec::new();
        for (column, (cell, &width)) in row[..used].iter().zip(widths).enumerate() {
            let is_last = column + 1 == widths.len();
            let text = if is_last && self.last == LastColumn::Wrapped {
                let indent = widths[..column].iter().sum::<usize>() + column * GAP.len();
                let mut parts = wrap(&cell.text, width).into_iter();
                let first = parts.next().unwrap_or_default();
                more.extend(parts.map(|part| format!("{:indent$}{}", "", self.painted(cell, &part))));
                first
            } else {
                shorten(&cell.text, width)
            };
            line.push_str(&self.painted(cell, &text));
            if column + 1 < used {
                line.extend(std::iter::repeat_n(' ', width - text.chars().count()));
                line.push_str(GAP);
            }
        }
        std::iter::once(line).chain(more).collect()
    }

    /// The first columns, and below them the others. What gives way last in a row of one line is shortened in the first.
    fn two_lines(&self, row: &[Cell]) -> Vec<String> {
        let available = self.width.unwrap_or(usize::MAX);
        let (above, below) = row.split_at(self.second_line.min(row.len()));
        let flexible = self.shrinking.last().map_or(0, |(column, _)| *column);
        let others =
            above.iter().enumerate().filter(|(column, cell)| *column != flexible && !cell.text.is_empty());
        let taken: usize = others.map(|(_, cell)| cell.width() + GAP.len()).sum();
        let mut line = String::new();
        for (column, cell) in above.iter().enumerate().filter(|(_, cell)| !cell.text.is_empty()) {
            let width =
                if column == flexible { available.saturating_sub(taken).max(1) } else { cell.width() };
            let gap = if line.is_empty() { "" } else { GAP };
            // Writing to a string cannot fail.
            _ = write!(line, "{gap}{}", self.painted(cell, &shorten(&cell.text, width)));
        }
        std::iter::once(line).chain(self.second_line(below, available)).collect()
    }

    fn second_line(&self, cells: &[Cell], available: usize) -> Vec<String> {
        let Some((last, cells)) = cells.split_last() else { return Vec::new() };
        let mut line = INDENT.to_owned();
        let mut used = INDENT.len();
        for cell in cells.iter().filter(|cell| !cell.text.is_empty()) {
            _ = write!(line, "{}{GAP}", self.painted(cell, &cell.text));
            used += cell.width() + GAP.len();
        }
        if last.text.is_empty() {
            let line = line.trim_end();
            return if line.is_empty() { Vec::new() } else { vec![line.to_owned()] };
        }
        let width = available.saturating_sub(used);
        let parts = match self.last {
            LastColumn::Shortened => vec![shorten(&last.text, width)],
            LastColumn::Wrapped => wrap(&last.text, width),
        };
        let parts = parts.iter().map(|part| self.painted(last, part)).enumerate();
        parts
            .map(|(at, part)| if at == 0 { format!("{line}{part}") } else { format!("{:used$}{part}", "") })
            .collect()
    }

    fn painted(&self, cell: &Cell, text: &str) -> String {
        match cell.style {
            Some(style) => self.output.paint(style, text).to_string(),
            None => text.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(width: Option<usize>, last: LastColumn) -> String {
        let output = Output::plain().with_width(width);
        let mut table = Table::new(output, last, 2, &[(2, 10), (0, 8)]);
        table.add_row(["MODEL", "STATE", "REASON"].map(Cell::new));
        table.add_row([Cell::new("é"), Cell::styled("OPEN (forced)", Style::Bad), Cell::new("")]);
        table.add_row(["openai:gpt-5", "OPEN", "3 consecutive failures"].map(Cell::new));
        table.lines().join("\n")
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let expected = "MODEL         STATE          REASON\n\
                        é             OPEN (forced)\n\
                        openai:gpt-5  OPEN           3 consecutive failures";
        assert_eq!(table(None, LastColumn::Shortened), expected);
        assert_eq!(table(Some(51), LastColumn::Shortened), expected);
    }

    #[test]
    fn the_reason_gives_way_first_and_the_model_last() {
        for (width, last, expected) in [
            (44, LastColumn::Shortened, "openai:gpt-5  OPEN           3 consecutive…"),
            (36, LastColumn::Shortened, "openai:g…  OPEN           3 consecu…"),
            (
                44,
                LastColumn::Wrapped,
                "openai:gpt-5  OPEN           3 consecutive\n                             failures",
            ),
            (30, LastColumn::Shortened, "openai:gpt-5  OPEN\n  3 consecutive failures"),
            (20, LastColumn::Shortened, "openai:gpt-5  OPEN\n  3 consecutive fai…"),
            (20, LastColumn::Wrapped, "openai:gpt-5  OPEN\n  3 consecutive\n  failures"),
        ] {
            let text = table(Some(width), last);
            assert!(text.ends_with(expected), "{width}:\n{text}");
            assert!(text.lines().all(|line| line.chars().count() <= width), "{width}:\n{text}");
        }
    }
}
