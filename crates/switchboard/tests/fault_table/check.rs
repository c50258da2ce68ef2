//! Making a case's call, and comparing both sides with the table: what the caller got, and what reached the providers.

use std::time::Duration;

use breaker::{ModelKey, State};
use circuits::Report;
use simulator::Simulator;
use tokio::time::{Instant, timeout};

use crate::{
    callers::{Got, Job},
    case::{Case, REFUSED},
    limits::{SEEN_LATE, SLACK, policy},
    table::{Counts, Gets, Mode, Raises, Span},
    world::World,
};

/// A call that has not come to its end by then hangs.
const PATIENCE: Duration = Duration::from_secs(90);

/// What happened.
#[derive(Debug)]
pub(crate) struct Measured {
    /// How many attempts at this were too late before.
    pub(crate) attempt: usize,
    pub(crate) calls: (usize, usize),
    /// Between two calls to the first model.
    pub(crate) pause: Option<Duration>,
    /// From the last call to the first model to the one to the second.
    pub(crate) known: Option<Duration>,
    /// Until the caller had all of it.
    pub(crate) caller: Duration,
    pub(crate) raised: Raises,
}

/// Makes the call and compares.
pub(crate) async fn check(world: &World, case: &Case, attempt: usize) -> Result<Measured, String> {
    let name = case.name(attempt);
    let job = Job {
        id: name.clone(),
        sdk: case.sdk.name(),
        model: if case.mode == Mode::Direct { case.first(attempt) } else { name.clone() },
        stream: matches!(case.mode, Mode::Stream | Mode::Held),
        choices: case.row.choices,
        leave_after: (case.row.gets == Gets::WordsUntilItLeaves).then_some(30),
    };
    let got = timeout(PATIENCE, world.callers.call(&job)).await.map_err(|_| "the call had no end")?;
    let calls = [times(&world.first, &name), times(&world.second, &name)];
    let key: ModelKey = case.first(attempt).parse().unwrap();
    world.circuits.quiet(&key).await;
    let report = world.circuits.reports().into_iter().find(|report| report.key == key);
    let measured = measured(&got, &calls);
    let checks = [
        check_caller(case, &name, &got, &measured.raised),
        check_headers(case, attempt, &got),
        check_calls(case, &measured),
        check_circuit(case, report.as_ref(), world, &calls[0]),
    ];
    let wrong: Vec<String> = checks.into_iter().filter_map(Result::err).collect();
    if wrong.is_empty() { Ok(measured) } else { Err(format!("{}\n    {got:?}", wrong.join("; "))) }
}

fn times(simulator: &Simulator, model: &str) -> Vec<Instant> {
    simulator.seen().received_for(model).map(|received| received.at).collect()
}

fn measured(got: &Got, [first, second]: &[Vec<Instant>; 2]) -> Measured {
    let raised = match &got.raised {
        None => Raises::Nothing,
        Some(raised) => {
            Raises::Error { class: raised.class.clone(), status: raised.status, code: raised.code.clone() }
        }
    };
    Measured {
        attempt: 0,
        calls: (first.len(), second.len()),
        pause: (first.len() > 1).then(|| first[1] - first[0]),
        known: first.last().zip(second.first()).map(|(failed, next)| *next - *failed),
        caller: Duration::from_secs_f64(got.ms / 1_000.0),
        raised,
    }
}

fn ensure(holds: bool, told: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(told()) }
}

fn within(what: &str, measured: Duration, Span(least, most): Span) -> Result<(), String> {
    // Clocks are read at different moments, and timers are whole milliseconds.
    let early = Duration::from_millis(5);
    ensure(measured + early >= least && measured <= most + SLACK, || {
        format!("{what}: {measured:?}, expected {least:?} to {most:?}")
    })
}

fn check_caller(case: &Case, name: &str, got: &Got, raised: &Raises) -> Result<(), String> {
    let expected = case.raises();
    ensure(*raised == expected, || format!("raised {raised}, expected {expected}"))?;
    let whole = format!("Hello from {name}.");
    let text = &got.text[0];
    match (&expected, case.row.gets) {
        (Raises::Nothing, Gets::WordsUntilItLeaves) => {
            ensure(text.starts_with("Hello"), || format!("the caller read {text:?}"))
        }
        (Raises::Nothing, _) => {
            let all = got.text.len() == case.row.choices && got.text.iter().all(|text| *text == whole);
            ensure(all, || format!("the caller got {:?}", got.text))
        }
        // A relayed stream that fails after content shows what came before, and never all of it.
        (_, Gets::TheError) if case.row.behind_content && case.mode == Mode::Stream => {
            let begun = !text.is_empty() && whole.starts_with(text.as_str());
            ensure(begun, || format!("before the error came {text:?}"))
        }
        _ => ensure(text.is_empty(), || format!("before the error came {text:?}")),
    }
}

/// Who answered after how many calls; whether retries make sense, and when.
fn check_headers(case: &Case, attempt: usize, got: &Got) -> Result<(), String> {
    if case.mode == Mode::Held {
        return ensure(!got.headers.contains_key("x-switchboard-model"), || {
            "a held stream names a model before anyone has answered".to_owned()
        });
    }
    let Some(raised) = &got.raised else {
        let by = if case.calls_to_second() > 0 { case.second(attempt) } else { case.first(attempt) };
        let calls = (case.calls_to_first() + case.calls_to_second()).to_string();
        let header = |name: &str| got.headers.get(name).map(String::as_str);
        return ensure(
            header("x-switchboard-model") == Some(&by) && header("x-switchboard-attempts") == Some(&calls),
            || format!("expected {by} after {calls} calls: {:?}", got.headers),
        );
    };
    let header = |name: &str| raised.headers.get(name).map(String::as_str);
    let ours = matches!(raised.code.as_str(), "attempts_exhausted" | "provider_auth");
    ensure(header("x-switchboard-error") == ours.then_some(&raised.code), || {
        format!("x-switchboard-error: {:?}", header("x-switchboard-error"))
    })?;
    ensure(!ours || header("x-should-retry") == Some("false"), || "retries are spent, unsaid".to_owned())?;
    if let (Counts::Rest(Span(_, most)), true) = (case.row.counts, ours) {
        let seconds = header("retry-after").and_then(|value| value.parse::<u64>().ok());
        let told = seconds.is_some_and(|seconds| (1..=most.as_secs() + 1).contains(&seconds));
        // Of what a little waiting does not mend, nobody knows when it is over.
        let spent = most >= policy().max_cooldown;
        ensure(told || spent, || format!("retry-after: {:?}", header("retry-after")))?;
    }
    Ok(())
}

fn check_calls(case: &Case, measured: &Measured) -> Result<(), String> {
    let row = &case.row;
    let expected = (case.calls_to_first(), case.calls_to_second());
    if row.fault != REFUSED {
        ensure(measured.calls == expected, || format!("calls: {:?}, expected {expected:?}", measured.calls))?;
        if let (Some(pause), Some(span)) = (measured.pause, row.again) {
            within("the pause before the same model", pause, span)?;
        }
        if let Some(known) = measured.known {
            let least = row.known.saturating_sub(SEEN_LATE);
            within("until the next model was called", known, Span(least, row.known))?;
        }
    } else {
        ensure(measured.calls.1 == expected.1, || format!("calls: {:?}", measured.calls))?;
    }
    if row.gets == Gets::WordsUntilItLeaves {
        return Ok(());
    }
    let Span(least, most) = row.again.unwrap_or(Span(Duration::ZERO, Duration::ZERO));
    // Python has its own share of the two cores.
    within("the caller's time", measured.caller, Span(least + row.known, most + row.known + SLACK))
}

fn check_circuit(
    case: &Case,
    report: Option<&Report>,
    world: &World,
    calls: &[Instant],
) -> Result<(), String> {
    let state = report.map_or(State::Closed, |report| report.state);
    let failures = report.map_or(0, |report| report.failures);
    let told = || format!("the circuit is {report:?}");
    match case.row.counts {
        Counts::Nothing | Counts::RestOver => ensure((state, failures) == (State::Closed, 0), told),
        Counts::Failures(expected) => ensure((state, failures) == (State::Closed, expected), told),
        Counts::Rest(span) => {
            let retry_at = report.and_then(|report| report.retry_at).ok_or_else(told)?;
            ensure(state != State::Closed && failures == 0, told)?;
            let called = calls.last().map_or(Duration::ZERO, Instant::elapsed);
            within("the rest", retry_at.since(world.circuits.now() - called), span)
        }
    }
}
