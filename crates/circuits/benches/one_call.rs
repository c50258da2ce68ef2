//! What one call costs in instructions and, on an idle processor, in time. `bench/admission` runs this program twice: by
//! itself, and under callgrind, which counts the instructions of `measured` and all that it calls.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a bench that cannot be set up ends")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "its result, and how to use it")]

mod subject;

use std::{
    collections::HashMap,
    hint::black_box,
    sync::Mutex,
    time::{Duration, Instant},
};

use breaker::Policy;
use subject::{Subject, no_rate};

/// Calls in a batch; short enough that most batches are not interrupted.
const CALLS: u32 = 1_000;

/// Callgrind counts inside this function only.
#[inline(never)]
fn measured(call: &impl Fn()) {
    (0..CALLS).for_each(|_| call());
}

/// The best batch is one that was not interrupted.
fn best(batches: usize, call: impl Fn()) {
    let batch = || {
        let began = Instant::now();
        measured(&call);
        began.elapsed()
    };
    let best = (0..batches.max(1)).map(|_| batch()).min().unwrap_or(Duration::ZERO);
    println!("{:.1}", best.as_secs_f64() * 1e9 / f64::from(CALLS));
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let batches = arguments.get(2).and_then(|batches| batches.parse().ok()).unwrap_or(1);
    let closed = |policy| Subject::closed(200, policy);
    match arguments.get(1).map(String::as_str) {
        Some("clock") => best(batches, || _ = black_box(Instant::now())),
        Some("mutex-and-map") => {
            let subject = closed(Policy::default());
            let map = Mutex::new(HashMap::from([(subject.key.clone(), 1)]));
            best(batches, || _ = black_box(map.lock().unwrap().get(black_box(&subject.key)).copied()));
        }
        Some("closed") => {
            let subject = closed(Policy::default());
            best(batches, || drop(subject.admit()));
        }
        Some("open") => {
            let subject = Subject::open(200);
            assert!(subject.admit().is_err());
            best(batches, || drop(subject.admit()));
        }
        Some("succeeded") => {
            let subject = closed(no_rate());
            best(batches, || subject.admit().unwrap().succeeded());
        }
        Some("succeeded-with-rate") => {
            let subject = closed(Policy::default());
            best(batches, || subject.admit().unwrap().succeeded());
        }
        _ => eprintln!("see bench/admission"),
    }
}
