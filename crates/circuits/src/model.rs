//! The fleet, explored exhaustively: every order in which three instances, their calls and a few disturbances can meet.
//!
//! The states are made by the real code: `breaker::admit`, and [`plan`](crate::plan), [`Mirror`](crate::mirror::Mirror),
//! with `apply`, `adopt`, `merge` and `restore` below them. What the writer and the reader do around that is modelled as
//! steps. A request is queued. Queued requests are planned and written with one compare-and-set. A change notification
//! arrives at any later time, which also covers a lost one and the slow read. A write times out and arrives all the same,
//! or never. An instance crashes, loses the store, or reconnects. The key is written externally or by an operator. The
//! store loses everything. Time advances from one relevant moment to the next.
//!
//! Each file uses only files below its own line:
//!
//! ```text
//!   explore                 every state, breadth first, so that a counterexample is a shortest one
//!   liveness  start         what must come about from a quiescent state; the first state
//!   steps     describe      what each step does; steps and states as text
//!   invariants              what must hold in every state, of every write, and in a quiescent state
//!   world                   the state
//!   interner                the real code's answers, each computed once
//!   explorations            how an exploration begins
//!   bounds                  what may happen in it, how often
//! ```
//!
//! **Safety** is checked in every state and at every write (`invariants`).
//!
//! **Liveness** is checked on every path, in two parts. First, the steps that come by themselves (writing, reading,
//! reconnecting, late arrivals) form no cycle in the whole graph: every path of them ends in a quiescent state, and there
//! all instances agree with the store. Second, from each quiescent state time advances and calls succeed, in any order of
//! instances, and the calls in flight end or never do: the circuit must close in time, and all instances agree.
//!
//! **Mutations** show that the checks find faults: each [`Mutation`] builds one fault in around the real code, and the test
//! expects the counterexample.
//!
//! Left out: more than one circuit, the failure rate, observe mode, connection failures (F7), the expiry of keys, and a
//! clock that falls behind. One assumption: external writes, overrides and a loss of data do not happen in the very
//! millisecond of a transition before them.

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
    let Explored { states, steps, quiescent, depth } =
        explore(&mut Model::new(bounds)).unwrap_or_else(|broken| panic!("{name}: {broken}"));
    let took = began.elapsed().as_secs_f64();
    print_unbuffered(&format!(
        "model: {name}: {states} states, {steps} steps, {quiescent} quiescent, {depth} deep, {took:.1} s"
    ));
}

/// The fault is found, and breaks this rule. `--nocapture` shows the path to it.
fn expect_counterexample(mutation: Mutation, bounds: Bounds, rule: &str) {
    match explore(&mut Model::new(bounds.with_mutation(mutation))) {
        Ok(_) => panic!("{mutation:?} was not found"),
        Err(found) => {
            print_unbuffered(&format!(
                "model with {mutation:?}: {}, after {} steps",
                found.violation,
                found.steps.len()
            ));
            println!("{found}");
            assert!(found.violation.starts_with(rule), "{rule} must be broken");
        }
    }
}

/// Around the test harness, which would capture it.
fn print_unbuffered(text: &str) {
    writeln!(std::io::stdout(), "{}", text.trim_end()).unwrap();
}

macro_rules! explorations {
    ($($name:ident)*) => { $( #[test] fn $name() { expect_verified(explorations::$name()); } )* };
}

explorations!(birth outage counts crashes two_slots streams clocks disconnects disconnects_in_an_outage external_writes repeated_external_writes open_swe open_swe_and_operator restored_old_value loss operator_commands slow_reads poison callers);

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
    no_compare_of_the_history: NoHistoryCompare in repeated_external_writes breaks "B11"
    no_stale_value_check: NoStaleValueCheck in restored_old_value breaks "B11"
    no_clock_check: NoClockCheck in clocks breaks "B2"
    no_epoch_bump: NoEpochBump in outage breaks "B11"
    no_merge: NoMerge in disconnects_in_an_outage breaks "F4"
    no_history: NoHistory in external_writes breaks "B11"
    no_read: NoRead in outage breaks "L4"
    no_reconnect: NoReconnect in disconnects breaks "L4"
    no_history_entry: NoHistoryEntry in outage breaks "B11"
    endless_lease: EndlessLease in crashes breaks "B3"
    no_sources: NoSources in poison breaks "B12"
    no_source_check: NoSourceCheck in callers breaks "B12"
    no_carried_record: NoCarriedRecord in open_swe breaks "O6"
    no_provisional_refusal: NoProvisionalRefusal in outage breaks "F3"
}

/// Deeper than the suite has time for.
#[test]
#[ignore = "takes minutes: cargo test -p circuits --lib model::deep -- --ignored"]
fn deep() {
    explorations::all_deeper().into_iter().for_each(expect_verified);
}
