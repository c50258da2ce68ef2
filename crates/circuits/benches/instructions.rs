//! What admission costs in instructions: the program that `bench/admit-instructions` runs under callgrind, which
//! counts what `measured` and all that it calls execute.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a bench that cannot be set up ends")]
#![expect(clippy::print_stderr, reason = "it tells how to use it")]

mod subject;

use breaker::Policy;
use subject::{Subject, no_rate};

/// Callgrind is told to count inside of this function alone.
#[inline(never)]
fn measured(calls: u32, call: impl Fn()) {
    (0..calls).for_each(|_| call());
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let calls = arguments.get(2).and_then(|calls| calls.parse().ok()).unwrap_or(1);
    match arguments.get(1).map(String::as_str) {
        Some("closed") => {
            let subject = Subject::closed(200, Policy::default());
            measured(calls, || drop(subject.admit()));
        }
        Some("open") => {
            let subject = Subject::open(200);
            assert!(subject.admit().is_err());
            measured(calls, || drop(subject.admit()));
        }
        Some("succeeded") => {
            let subject = Subject::closed(200, no_rate());
            measured(calls, || subject.admit().unwrap().succeeded());
        }
        Some("succeeded-with-rate") => {
            let subject = Subject::closed(200, Policy::default());
            measured(calls, || subject.admit().unwrap().succeeded());
        }
        _ => eprintln!("usage: instructions closed|open|succeeded|succeeded-with-rate CALLS; see bench/admit-instructions"),
    }
}
