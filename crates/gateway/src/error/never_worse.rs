//! Real clients' own retries in an outage (C9), in virtual time with the real breaker: straight at the provider, and through
//! the gateway. Who gets an answer straight gets one through the gateway, for at most one request more.
//!
//! `docs/calls.md` has the table. `WRITE=1 cargo test -p gateway never_worse` brings it up to date, and `-- --nocapture`
//! prints single outages, and what they came to if `retry-after` were the earliest retry alone.

use std::{fmt::Write as _, fs, path::Path, sync::Arc, time::Duration};

use breaker::{Failure, ModelKey, Policy};
use bytes::Bytes;
use circuits::{CallSource, Circuits, Policies};
use manager::{CallError, Retry, SkipReason, SkippedModel};
use providers::{ProviderError, ProviderErrorKind};
use tokio::{
    runtime::Builder,
    time::{Instant, sleep, sleep_until},
};

use super::{Error, ceil_seconds};
use crate::client_backoff::ClientBackoff;

use self::clients::{CLIENTS, Client, RetryAfter};

mod clients;

/// The outages that are tried: every so many seconds, up to this long.
const STEP: usize = 4;
const LONGEST_OUTAGE: u64 = 220;
/// Those that are printed.
const PRINTED_OUTAGES: [u64; 5] = [5, 15, 30, 60, 120];

const BEGIN: &str = "<!-- From here on written by crates/gateway/src/error/never_worse.rs -->\n";
const END: &str = "<!-- Until here -->\n";

/// Which wait a client is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HeaderRule {
    /// What the gateway does.
    OwnBackoff,
    /// The earliest retry, whoever asks.
    EarliestRetry,
}

/// The result of one call of a client, with all its retries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Outcome {
    answered: bool,
    /// What the provider got of it.
    requests: u32,
    seconds: u64,
}

/// A provider that fails until then.
#[derive(Clone, Copy)]
struct Provider {
    recovers_at: Instant,
}

impl Provider {
    fn is_up(self) -> bool {
        Instant::now() >= self.recovers_at
    }
}

fn failing_for(seconds: u64) -> Provider {
    Provider { recovers_at: Instant::now() + Duration::from_secs(seconds) }
}

/// Waits before the client comes again; `None`: it gives up.
fn next_wait(client: &Client, retry: usize, jitter: f64, told: Option<Duration>) -> Option<Duration> {
    let wait = client.waits().get(retry).copied()?;
    let own = Duration::from_secs_f64(wait.seconds * jitter);
    Some(match (wait.retry_after, told) {
        (RetryAfter::Replaces { longest }, Some(told)) if told <= longest => told,
        (RetryAfter::AtLeast, Some(told)) => told.max(own),
        _ => own,
    })
}

async fn straight(client: &Client, jitter: f64, outage: u64) -> Outcome {
    let (began, provider) = (Instant::now(), failing_for(outage));
    let mut requests = 0;
    loop {
        requests += 1;
        let answered = provider.is_up();
        let wait = next_wait(client, requests as usize - 1, jitter, None).filter(|_| !answered);
        let Some(wait) = wait else {
            return Outcome { answered, requests, seconds: began.elapsed().as_secs() };
        };
        sleep(wait).await;
    }
}

async fn through(client: &Client, jitter: f64, outage: u64, rule: HeaderRule) -> Outcome {
    let gateway = Gateway::new();
    let (began, provider) = (Instant::now(), failing_for(outage));
    let (mut requests, mut retry) = (0, 0);
    loop {
        let result = gateway.call(provider, &mut requests).await;
        let outcome = |answered| Outcome { answered, requests, seconds: began.elapsed().as_secs() };
        let Err(error) = result else { return outcome(true) };
        let backoff = match (rule, client.retry_count(retry)) {
            (HeaderRule::EarliestRetry, _) => ClientBackoff::None,
            (HeaderRule::OwnBackoff, None) => ClientBackoff::Unknown,
            (HeaderRule::OwnBackoff, Some(retries)) => ClientBackoff::Sdk { retries },
        };
        let error = Error::of_call(&error, backoff);
        assert!(!error.sdk_must_not_retry, "an outage passes");
        let requested = error.retry_after.map(|wait| Duration::from_secs(ceil_seconds(wait)));
        let Some(wait) = next_wait(client, retry, jitter, requested) else { return outcome(false) };
        retry += 1;
        sleep(wait).await;
    }
}

/// The manager's loop over a chain of one model, with the real circuit.
struct Gateway {
    circuits: Circuits,
    key: ModelKey,
    source: CallSource,
    retry: Retry,
}

impl Gateway {
    fn new() -> Self {
        // The same on every run.
        let policy = Policy { open_jitter: 0.0, ..Policy::default() };
        Self {
            circuits: Circuits::in_memory(Policies { default: policy, ..Policies::default() }),
            key: "openai:m".parse().unwrap(),
            source: CallSource::new(Some("client".parse().unwrap()), Bytes::from_static(b"{}")),
            retry: Retry::default(),
        }
    }

    async fn call(&self, provider: Provider, requests: &mut u32) -> Result<(), CallError> {
        let mut wait_until = None;
        let mut failures = 0;
        let reason = loop {
            match self.circuits.admit_as(&self.key, &self.source, None).await {
                Ok(permit) => {
                    *requests += 1;
                    if provider.is_up() {
                        permit.succeeded();
                        return Ok(());
                    }
                    permit.failed(Failure::status(503));
                    failures += 1;
                    if failures == self.retry.max_attempts {
                        let error = ProviderError::provider_failure(ProviderErrorKind::Status);
                        break SkipReason::Failed(Box::new(error));
                    }
                    sleep(self.retry.initial_backoff).await;
                }
                Err(refusal) => {
                    let longest = *wait_until.get_or_insert(Instant::now() + self.retry.max_retry_after);
                    let due = Instant::now() + refusal.retry_in().unwrap().max(Duration::from_millis(1));
                    if due > longest {
                        break SkipReason::CircuitOpen(refusal);
                    }
                    sleep_until(due).await;
                }
            }
        };
        let failing_for = self.circuits.failing_for(&self.key);
        let requested = Arc::from("m");
        let is_open = matches!(reason, SkipReason::CircuitOpen(_));
        let skipped = vec![SkippedModel { key: self.key.clone(), reason, failing_for }];
        Err(match is_open {
            true => CallError::CircuitOpen { requested, skipped },
            false => CallError::AttemptsExhausted { requested, skipped, provider_message: None },
        })
    }
}

/// One call in an outage, in a runtime of its own whose time is virtual; `None`: straight.
fn run(client: &Client, jitter: f64, outage: u64, rule: Option<HeaderRule>) -> Outcome {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        match rule {
            None => straight(client, jitter, outage).await,
            Some(rule) => through(client, jitter, outage, rule).await,
        }
    })
}

/// The table of the page, and where the gateway is worse.
#[derive(Default)]
struct Comparison {
    page: String,
    worse: Vec<String>,
}

impl Comparison {
    fn add(&mut self, client: &Client) {
        let mut outlasted = [LONGEST_OUTAGE; 2];
        for jitter in client.jitter {
            print_some(client, jitter);
            for outage in (1..=LONGEST_OUTAGE).step_by(STEP) {
                let (direct, through) = (
                    run(client, jitter, outage, None),
                    run(client, jitter, outage, Some(HeaderRule::OwnBackoff)),
                );
                for (longest, outcome) in outlasted.iter_mut().zip([direct, through]) {
                    if !outcome.answered {
                        *longest = (*longest).min(outage.saturating_sub(STEP as u64));
                    }
                }
                let is_worse = direct.answered && !through.answered;
                if is_worse || through.requests > direct.requests + 1 {
                    let [direct, through] = [direct, through].map(describe);
                    self.worse.push(format!("{} × {jitter}, {outage} s: {direct} | {through}", client.name));
                }
            }
        }
        let [straight, through] = outlasted.map(|seconds| match seconds {
            LONGEST_OUTAGE => format!("{seconds} or more"),
            seconds => seconds.to_string(),
        });
        let Client { name, own, obeys, source, .. } = client;
        writeln!(self.page, "| {name} | {own} | {obeys} | {straight} | {through} | {source} |").unwrap();
    }
}

fn print_some(client: &Client, jitter: f64) {
    println!("{} (own waits × {jitter}): straight | earliest retry | own backoff", client.name);
    for outage in PRINTED_OUTAGES {
        let rules = [None, Some(HeaderRule::EarliestRetry), Some(HeaderRule::OwnBackoff)];
        let [straight, before, now] = rules.map(|rule| describe(run(client, jitter, outage, rule)));
        println!("  {outage:3} s: {straight} | {before} | {now}");
    }
}

fn describe(outcome: Outcome) -> String {
    let Outcome { answered, requests, seconds } = outcome;
    let end = if answered { "answered" } else { "gives up" };
    format!("{end} after {seconds:3} s, {requests:2} requests")
}

#[test]
fn who_outlasts_an_outage_straight_outlasts_it_through_the_gateway() {
    let mut comparison = Comparison::default();
    for client in &CLIENTS {
        comparison.add(client);
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/calls.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (listed, after) = rest.split_once(END).unwrap();
    let head = "\n| client | its own waits, in s | `retry-after` | outlasts straight, in s | through the gateway, in s | seen in |\n\
        | --- | --- | --- | --- | --- | --- |\n";
    let expected = format!("{head}{}\n", comparison.page);
    if std::env::var_os("WRITE").is_some() {
        fs::write(&path, format!("{before}{BEGIN}{expected}{END}{after}")).unwrap();
    } else {
        assert_eq!(listed, expected, "docs/calls.md: WRITE=1 cargo test -p gateway never_worse");
    }
    assert!(comparison.worse.is_empty(), "worse through the gateway: {:#?}", comparison.worse);
}
