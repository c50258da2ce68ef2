//! The only module that prints: results on standard output, errors on standard error. Whatever it prints is without
//! control characters of others ([`printable`](crate::printable)); `screen` draws by the same rule.

use std::{
    fmt::{self, Display},
    io::{self, IsTerminal, Write},
};

use serde::Serialize;

use crate::{
    config::{Environment, environment::names},
    printable::{for_json, for_terminal},
    screen,
    wrap::wrap,
};

pub use crate::printable::{printable, printable_lines};

/// The variable by which shells and tests say how wide the terminal is.
const COLUMNS: &str = "COLUMNS";

/// A terminal is taken to be at least this wide.
const MIN_WIDTH: usize = 20;

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Output {
    colour: bool,
    /// The columns of the terminal; `None`: lines may be of any length.
    width: Option<usize>,
}

/// `--color`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set or `TERM` is `dumb`.
    #[default]
    Auto,
    /// Also in a pipe.
    Always,
    /// Nowhere.
    Never,
}

impl ColorChoice {
    /// Whether what is written there is coloured.
    #[must_use]
    pub fn applies_to(self, environment: &Environment, writer: &impl IsTerminal) -> bool {
        match self {
            Self::Auto => writer.is_terminal() && is_colour_enabled(environment),
            Self::Always => true,
            Self::Never => false,
        }
    }
}

/// The meaning of a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Healthy.
    Good,
    /// Needs attention.
    Warning,
    /// Failed.
    Bad,
    /// Less important.
    Faint,
    /// More important.
    Strong,
}

impl Output {
    /// As wide as the terminal, or as `COLUMNS` says; in a pipe of any width.
    #[must_use]
    pub fn new(environment: &Environment, color: ColorChoice) -> Self {
        let columns = environment.get(COLUMNS).and_then(|columns| columns.trim().parse().ok());
        let width = columns.or_else(screen::columns).map(|width: usize| width.max(MIN_WIDTH));
        Self { colour: color.applies_to(environment, &io::stdout()), width }
    }

    /// Never coloured, of any width.
    #[must_use]
    pub const fn plain() -> Self {
        Self { colour: false, width: None }
    }

    /// The same with another width.
    #[must_use]
    pub const fn with_width(self, width: Option<usize>) -> Self {
        Self { width, ..self }
    }

    /// The width that lines have to fit; `None`: any.
    #[must_use]
    pub const fn width(self) -> Option<usize> {
        self.width
    }

    /// Prints `text` behind `label`, broken between words; further lines begin below its beginning. `label` may be coloured and
    /// takes `indent` columns.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn print_hanging(self, label: impl Display, indent: usize, text: &str) -> io::Result<()> {
        let width = self.width.map_or(usize::MAX, |width| width.saturating_sub(indent).max(MIN_WIDTH / 2));
        let lines = wrap(text, width);
        let separator = format!("\n{:indent$}", "");
        self.print_line(format_args!("{label}{}", lines.join(&separator)))
    }

    /// Prints a line of the result.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn print_line(self, text: impl Display) -> io::Result<()> {
        let text = text.to_string();
        writeln!(io::stdout().lock(), "{}", for_terminal(&text, self.colour))
    }

    /// Prints a part of a line at once.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn print_text(self, text: impl Display) -> io::Result<()> {
        let text = text.to_string();
        let mut stdout = io::stdout().lock();
        write!(stdout, "{}", for_terminal(&text, self.colour))?;
        stdout.flush()
    }

    /// Prints a note that is not part of the result, on standard error.
    ///
    /// # Errors
    /// When standard error cannot be written.
    pub fn print_note(self, text: impl Display) -> io::Result<()> {
        writeln!(io::stderr().lock(), "{}", for_terminal(&text.to_string(), false))
    }

    /// Prints a result for scripts: indented JSON.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn print_json(self, value: &impl Serialize) -> io::Result<()> {
        let json = serde_json::to_string_pretty(value)?;
        self.print_line(for_json(&json))
    }

    /// Prints one of many results for scripts: JSON on one line.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn print_json_line(self, value: &impl Serialize) -> io::Result<()> {
        let json = serde_json::to_string(value)?;
        self.print_line(for_json(&json))
    }

    /// The text, coloured if results are.
    #[must_use]
    pub fn paint<T: Display>(self, style: Style, text: T) -> Painted<T> {
        Painted { text, style: self.colour.then_some(style) }
    }
}

/// Whether `NO_COLOR` (<https://no-color.org>) is unset and the terminal has colours.
fn is_colour_enabled(environment: &Environment) -> bool {
    environment.get(names::NO_COLOR).is_none() && environment.get("TERM") != Some("dumb")
}

/// A text with its colour. Padding counts only the text.
#[derive(Debug, Clone, Copy)]
pub struct Painted<T> {
    text: T,
    style: Option<Style>,
}

impl<T: Display> Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = match self.style {
            None => return self.text.fmt(f),
            Some(Style::Good) => 32,
            Some(Style::Warning) => 33,
            Some(Style::Bad) => 31,
            Some(Style::Faint) => 2,
            Some(Style::Strong) => 1,
        };
        write!(f, "\u{1b}[{code}m")?;
        self.text.fmt(f)?;
        f.write_str("\u{1b}[0m")
    }
}

/// Prints the error of a command, with its causes.
pub fn print_error(error: &anyhow::Error) {
    // There is nowhere to report that standard error is closed.
    let text = format!("error: {}", with_causes(error));
    _ = writeln!(io::stderr().lock(), "{}", for_terminal(&text, false));
}

/// The error, and each cause that it does not name itself.
fn with_causes(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_that_the_error_names_is_not_printed_twice() {
        let refused = || io::Error::new(io::ErrorKind::AddrInUse, "the address is in use");
        let address = ([127, 0, 0, 1], 1).into();
        let error = anyhow::Error::new(gateway::BindError::Listen { address, source: refused() });
        assert_eq!(with_causes(&error).matches("the address is in use").count(), 1);
        let error = anyhow::Error::new(refused()).context("inner").context("cannot start");
        assert_eq!(with_causes(&error), "cannot start: inner: the address is in use");
    }

    #[test]
    fn padding_ignores_colour() {
        let coloured = Output { colour: true, width: None };
        assert_eq!(format!("[{:>6}]", coloured.paint(Style::Bad, "OPEN")), "[\u{1b}[31m  OPEN\u{1b}[0m]");
        assert_eq!(format!("[{:<6}]", Output::plain().paint(Style::Bad, "OPEN")), "[OPEN  ]");
    }

    #[test]
    fn no_color_counts_when_it_is_not_empty() {
        assert!(!is_colour_enabled(&Environment::from_pairs([("NO_COLOR", "0")])));
        assert!(is_colour_enabled(&Environment::from_pairs([("NO_COLOR", "")])));
        assert!(!is_colour_enabled(&Environment::from_pairs([("TERM", "dumb")])));
    }

    #[test]
    fn the_width_is_that_of_columns() {
        for (columns, expected) in [("60", Some(60)), ("5", Some(20)), ("200", Some(200))] {
            let environment = Environment::from_pairs([("COLUMNS", columns)]);
            assert_eq!(Output::new(&environment, ColorChoice::Never).width(), expected);
        }
        let always = Output::new(&Environment::default(), ColorChoice::Always);
        assert!(always.paint(Style::Bad, "x").to_string().starts_with('\u{1b}'));
    }
}
