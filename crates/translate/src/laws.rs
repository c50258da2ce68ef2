//! Laws that hold between readers and writers, whatever is read and written.
//!
//! ```text
//! what there may be          requests, answers, bodies
//! what a format cannot say   request_losses, answer_losses: the only exceptions to round trips
//! what holds                 round_trips, same_bytes, streams, anything, order, losses, opaque, converse
//! ```
//!
//! ```text
//! converse_writer            writes Bedrock's answers, which the crate only reads
//! ```

mod answer_losses;
mod answers;
mod anything;
mod bodies;
mod converse;
mod converse_writer;
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

/// How many cases are tried of each law; more in proportion where `PROPTEST_CASES` is above its default of 256.
fn cases(cases: u32) -> Config {
    let config = Config::default();
    Config { cases: cases * config.cases / 256, failure_persistence: None, ..config }
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
