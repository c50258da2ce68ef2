//! The fleet, explored exhaustively: every order in which three instances, their calls and a few disturbances can meet.
//!
//! The states are made by the real code: `breaker::admit`, and [`plan`](crate::plan), [`Mirror`](crate::mirror::Mirror),
//! with `apply`, `adopt`, `merge` and `restore` below them. What the writer and the reader do around that is given as
//! steps: a request waits; what waits is planned and written with one compare-and-set; a word of change arrives, at any
//! later time, which is also what a lost one and the slow read look like; a write is given up and arrives all the same,
//! or never; an instance dies, loses the store, or has it again; a stranger or a person writes; the store loses all;
//! time passes, from one moment that matters to the next.
//!
//! ```text
//!   bounds, explorations   how an exploration begins, what may happen in it, how often
//!   world, steps, minds    the state, the steps, and the real code's answers, each asked for once
//!   rules                  what must hold in every state, of every write, and at rest
//!   explore                every state, breadth first, so that a counterexample is a shortest one
//!   recovery               what must come about from every state at rest
//! ```
//!
//! **Safety** is checked in every state and at every write (`rules`).
//!
//! **Liveness** is checked on every path, in two parts. Of the whole graph it is shown that the steps which come by
//! themselves (writing, reading, coming back, late arrivals) form no cycle: on every path they end in a state at rest,
//! and in each of those all instances agree with the store. From each state at rest, time passes and calls succeed,
//! whoever comes first, with the calls under way ended or silent for ever: the circuit must close in time, and all
//! agree.
//!
//! **It bites**: each [`Mutation`] builds one fault in around the real code, and the test expects the counterexample.
//!
//! Left out: more than one circuit, the failure rate, observe mode, connection failures (F7), the expiry of keys, and a
//! clock that falls behind. One thing is taken for granted: what strangers and persons do, and a loss, does not happen
//! in the very millisecond of a transition before it.

mod bounds;
mod describe;
mod explorations;
mod explore;
mod interner;
mod invariants;
mod liveness;
mod start;
mod steps;
mod world;

use std::{io::Write as _, time::Instant};

use bounds::{Bounds, Mutation};
use explore::{Explored, explore};
use world::Model;

fn expect_verified(bounds: Bounds) {
    let name = bounds.name;
    let began = Instant::now();
    let Explored { states, steps, quiescent: at_rest, depth } =
        explore(&mut Model::new(bounds)).unwrap_or_else(|broken| panic!("{name}: {broken}"));
    let took = began.elapsed().as_secs_f64();
    print_unbuffered(&format!(
        "model: {name}: {states} states, {steps} steps, {at_rest} at rest, {depth} deep, {took:.1} s"
    ));
}

/// The fault is found, and breaks this rule. `--nocapture` shows the way to it.
fn expect_counterexample(mutation: Mutation, bounds: Bounds, rule: &str) {
    match explore(&mut Model::new(bounds.with_mutation(mutation))) {
        Ok(_) => panic!("{mutation:?} is not found"),
        Err(found) => {
            print_unbuffered(&format!(
                "model with {mutation:?}: {}, after {} steps",
                found.violation,
                found.steps.len()
            ));
            println!("{found}");
            assert!(found.violation.starts_with(rule), "{rule} is to be broken");
        }
    }
}

/// Past the test harness, which would keep it to itself.
fn print_unbuffered(text: &str) {
    writeln!(std::io::stdout(), "{}", text.trim_end()).unwrap();
}

macro_rules! explorations {
    ($($name:ident)*) => { $( #[test] fn $name() { expect_verified(explorations::$name()); } )* };
}

explorations!(birth outage counts crashes two_places streams clocks away away_in_an_outage strangers strangers_again brought_back loss words slow_reads);

macro_rules! mutations {
    ($($name:ident: $mutation:ident in $bounds:ident breaks $rule:literal)*) => {
        mod counterexamples {
            use super::*;
            $( #[test] fn $name() { expect_counterexample(Mutation::$mutation, explorations::$bounds(), $rule); } )*
        }
    };
}

mutations! {
    no_epoch_check: NoEpochCheck in crashes breaks "B4"
    no_lease_check: NoLeaseCheck in crashes breaks "B4"
    no_compare: NoCompare in counts breaks "B5"
    no_compare_in_an_outage: NoCompare in crashes breaks "B11"
    no_compare_of_the_history: NoHistoryCompare in strangers_again breaks "B11"
    no_bringing_back: NoStaleValueCheck in brought_back breaks "B11"
    no_clock_check: NoClockCheck in clocks breaks "B2"
    epoch_stands: NoEpochBump in outage breaks "B11"
    no_merge: NoMerge in away_in_an_outage breaks "F4"
    no_history: NoHistory in strangers breaks "B11"
    no_reading: NoRead in outage breaks "L4"
    no_return: NoReconnect in away breaks "L4"
    no_entry: NoHistoryEntry in outage breaks "B11"
    endless_lease: EndlessLease in crashes breaks "B3"
}

/// Further than the suite has time for.
#[test]
#[ignore = "takes minutes: cargo test -p circuits --lib model::deep -- --ignored"]
fn deep() {
    explorations::all_deeper().into_iter().for_each(expect_verified);
}
