//! Laws that hold between readers and writers, whatever is read and written.
//!
//! ```text
//! requests, answers   what there may be                 (strategies)
//! request_losses, answer_losses   what each format cannot say (the only exceptions)
//! own_format, there_and_back, same_bytes, streams, anything, order, losses, opaque   the laws
//! ```

mod answer_losses;
mod answers;
mod anything;
mod bodies;
mod formats;
mod losses;
mod opaque;
mod order;
mod request_losses;
mod requests;
mod round_trips;
mod same_bytes;
mod streams;

use std::fmt::Debug;

use dialects::Dialect;
use proptest::test_runner::{Config, TestCaseError};

/// How many cases are tried of each law.
fn cases(cases: u32) -> Config {
    Config { cases, failure_persistence: None, ..Config::default() }
}

/// Compares by what `Debug` says, since requests keep JSON as it came, and tells where two things differ.
fn same<T: Debug>(read: &T, expected: &T, formats: &[Dialect]) -> Result<(), TestCaseError> {
    let (read, expected) = (format!("{read:#?}"), format!("{expected:#?}"));
    if read == expected {
        return Ok(());
    }
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (read, expected) = (lines(&read), lines(&expected));
    let first = read.iter().zip(&expected).take_while(|(a, b)| a == b).count();
    let around =
        |lines: &[String]| lines.iter().skip(first.saturating_sub(6)).take(14).cloned().collect::<Vec<_>>();
    let (read, expected) = (around(&read).join("\n"), around(&expected).join("\n"));
    Err(TestCaseError::fail(format!("{formats:?}\nis\n{read}\nbut not\n{expected}\n")))
}
