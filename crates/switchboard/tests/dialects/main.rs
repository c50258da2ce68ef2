//! The tables of `docs/dialects.md`, cell by cell: a caller of each API format calls a model of each, plain and
//! streamed, and what the provider received and what the caller got are compared with the cell, with each other and with
//! the types of the official SDKs.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "helpers of tests"
)]

mod asked;
mod aws_stream;
mod bodies;
mod carried;
mod check;
mod folded;
mod format;
mod matters;
mod page;
mod recorded;
mod said;
mod turns;
mod types;
mod world;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use check::{Case, Checked, check};
use format::Format;
use matters::{MATTERS, Matter, Outcome};
use page::{Cell, Row};
use tokio::{sync::Semaphore, task::JoinSet};
use world::World;

/// Calls at a time.
const CONCURRENCY: usize = 8;

#[test]
fn every_request_has_a_row_and_every_row_a_request() {
    let rows = page::read(&page());
    for matter in MATTERS {
        for caller in Format::ALL {
            let has_row = rows.iter().any(|row| row.name == matter.name && row.caller == caller);
            let has_request = bodies::request(caller, matter.name).is_some();
            assert_eq!(has_row, has_request, "{} for callers of {caller}: row, request", matter.name);
        }
    }
}

#[test]
fn the_requests_of_a_row_say_the_same_in_all_formats() {
    for matter in MATTERS {
        let said = Format::ALL.into_iter().filter_map(|caller| {
            let asked = asked::read(caller, &bodies::request(caller, matter.name)?);
            let keys = matter.asked.iter().filter(|key| !OWN_WORDS.contains(key));
            Some((caller, keys.map(|key| (*key, asked[*key].clone())).collect::<BTreeMap<_, _>>()))
        });
        let said: Vec<_> = said.collect();
        for (caller, asked) in &said {
            assert_eq!(*asked, said[0].1, "{}: {caller} and {}", matter.name, said[0].0);
        }
    }
}

/// What each format has words of its own for.
const OWN_WORDS: [&str; 3] = ["hosted", "service_tier", "max_tokens"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_cell_holds() {
    let only = std::env::var("DIALECTS").unwrap_or_default();
    let cases: Vec<Case> = page::read(&page())
        .into_iter()
        .flat_map(cases_of)
        .filter(|case| case.name().contains(&only))
        .collect();
    assert!(!cases.is_empty(), "no case has {only} in its name");
    let world = Arc::new(World::new().await);
    let places = Arc::new(Semaphore::new(CONCURRENCY));
    let mut running = JoinSet::new();
    for case in cases {
        let (world, places) = (Arc::clone(&world), Arc::clone(&places));
        running.spawn(async move {
            let _place = places.acquire().await;
            (check(&world, &case).await, case)
        });
    }
    let mut results = running.join_all().await;
    results.sort_by_key(|(_, case)| (case.line, case.provider, case.stream));
    let (checked, cases): (Vec<Checked>, Vec<Case>) = results.into_iter().unzip();
    let mut wrong = Vec::new();
    let mut samples = Vec::new();
    for (checked, case) in checked.into_iter().zip(&cases) {
        wrong.extend(checked.faults.into_iter().map(|fault| format!("{}: {fault}", case.name())));
        samples.extend(checked.samples);
    }
    wrong.extend(types::check(&samples));
    print_summary(&cases, samples.len());
    assert!(wrong.is_empty(), "{} are not as the page says:\n{}", wrong.len(), wrong.join("\n"));
}

/// A row's cells, each plain and streamed. What befalls a stream befalls no plain answer.
fn cases_of(row: Row) -> Vec<Case> {
    let matter =
        matter(&row.name).unwrap_or_else(|| panic!("line {}: no row is about {}", row.line, row.name));
    let modes: &[bool] = match matter.outcome {
        Outcome::Interrupted => &[true],
        _ => &[false, true],
    };
    let cells = Format::PROVIDERS.into_iter().zip(row.cells);
    let cases = cells.flat_map(|(provider, cell)| {
        modes.iter().map(move |stream| Case {
            line: row.line,
            matter,
            caller: row.caller,
            provider,
            cell: cell.clone(),
            stream: *stream,
        })
    });
    cases.collect()
}

fn matter(name: &str) -> Option<&'static Matter> {
    MATTERS.iter().find(|matter| matter.name == name)
}

fn print_summary(cases: &[Case], bodies: usize) {
    let mut counts = BTreeMap::new();
    for case in cases.iter().filter(|case| case.stream) {
        let kind = match case.cell {
            Cell::Kept => "kept",
            Cell::Translated => "translated",
            Cell::Dropped(_) => "translated, with fields dropped and named",
            Cell::Refused(_) => "refused",
        };
        *counts.entry(kind).or_insert(0) += 1;
    }
    println!("{} cells, {} calls", counts.values().sum::<usize>(), cases.len());
    for (kind, count) in counts {
        println!("{count:5} {kind}");
    }
    println!("{bodies} bodies against the types of the official SDKs");
}

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/dialects.md")
}
