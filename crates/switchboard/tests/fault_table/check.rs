//! Making a case's call, and comparing both sides with the table: what the caller got, and what reached the providers.

use std::time::Duration;

use breaker::{ModelKey, State};
use circuits::Report;
use simulator::Simulator;
use tokio::time::{Instant, timeout};

use crate::{
    callers::{CallResult, CallSpec},
    case::{Case, REFUSED_FAULT},
    limits::{MAX_LATENESS, MAX_OBSERVATION_DELAY, policy},
    sdk_errors::ExpectedException,
    table::{CallerReceives, CircuitEffect, DurationRange, Mode},
    world::World,
};

/// A call that has not come to its end by then hangs.
const CALL_TIMEOUT: Duration = Duration::from_secs(90);

/// What happened.
#[derive(Debug)]
pub(crate) struct Measurement {
    /// How many attempts at this were too late before.
    pub(crate) attempt: usize,
    pub(crate) calls: (usize, usize),
    /// Between two calls to the first model.
    pub(crate) retry_delay: Option<Duration>,
    /// From the last call to the first model to the one to the second.
    pub(crate) detection_time: Option<Duration>,
    /// Until the caller had all of it.
    pub(crate) caller: Duration,
    pub(crate) raised: ExpectedException,
}

/// Makes the call and compares.
pub(crate) async fn check(world: &World, case: &Case, attempt: usize) -> Result<Measurement, String> {
    let name = case.name(attempt);
    let job = CallSpec {
        id: name.clone(),
        format: case.word(),
        model: if case.mode == Mode::Direct { case.first(attempt) } else { name.clone() },
        // Speech is a stream of bytes, of which its SDK makes no events.
        stream: matches!(case.mode, Mode::Stream | Mode::Buffered) && case.word() != "speech",
        choices: case.row.choices,
        leave_after: (case.row.caller_receives == CallerReceives::EndlessStream).then_some(30),
    };
    let got = timeout(CALL_TIMEOUT, world.callers.call(&job)).await.map_err(|_| "the call had no end")?;
    let calls = [call_times(&world.first, &name), call_times(&world.second, &name)];
    let key: ModelKey = case.first(attempt).parse().unwrap();
    world.circuits.wait_idle(&key).await;
    let report = world.circuits.reports().into_iter().find(|report| report.key == key);
    let measured = measure(&got, &calls);
    let checks = [
        check_caller(case, world, &got, &measured.raised, &name),
        check_headers(case, attempt, &got),
        check_calls(case, &measured),
        check_circuit(case, report.as_ref(), world, &calls[0]),
    ];
    let wrong: Vec<String> = checks.into_iter().filter_map(Result::err).collect();
    if wrong.is_empty() { Ok(measured) } else { Err(format!("{}\n    {got:?}", wrong.join("; "))) }
}

fn call_times(simulator: &Simulator, model: &str) -> Vec<Instant> {
    simulator.traffic().received_for(model).map(|received| received.at).collect()
}

fn measure(got: &CallResult, [first, second]: &[Vec<Instant>; 2]) -> Measurement {
    let raised = match &got.raised {
        None => ExpectedException::Nothing,
        Some(raised) => ExpectedException::Error {
            class: raised.class.clone(),
            status: raised.status,
            code: raised.code.clone(),
        },
    };
    Measurement {
        attempt: 0,
        calls: (first.len(), second.len()),
        retry_delay: (first.len() > 1).then(|| first[1] - first[0]),
        detection_time: first.last().zip(second.first()).map(|(failed, next)| *next - *failed),
        caller: Duration::from_secs_f64(got.ms / 1_000.0),
        raised,
    }
}

fn ensure_that(holds: bool, message: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(message()) }
}

fn ensure_within(
    what: &str,
    measured: Duration,
    DurationRange(least, most): DurationRange,
) -> Result<(), String> {
    // Clocks are read at different moments, and timers are whole milliseconds.
    let early = Duration::from_millis(5);
    ensure_that(measured + early >= least && measured <= most + MAX_LATENESS, || {
        format!("{what}: {measured:?}, expected {least:?} to {most:?}")
    })
}

fn check_caller(
    case: &Case,
    world: &World,
    got: &CallResult,
    raised: &ExpectedException,
    name: &str,
) -> Result<(), String> {
    let expected = case.expected_error().map_or(ExpectedException::Nothing, |error| {
        world.sdk_errors.exception(case.caller, error, case.errs_in_stream())
    });
    let expected = if case.is_cut_off() { ExpectedException::cut_off() } else { expected };
    ensure_that(*raised == expected, || format!("raised {raised}, expected {expected}"))?;
    let whole = format!("Hello from {name}.");
    let text = &got.text[0];
    match (&expected, case.row.caller_receives) {
        (ExpectedException::Nothing, CallerReceives::EndlessStream) => {
            ensure_that(text.starts_with("Hello"), || format!("the caller read {text:?}"))
        }
        (ExpectedException::Nothing, _) => {
            let all = got.text.len() == case.row.choices && got.text.iter().all(|text| *text == whole);
            ensure_that(all, || format!("the caller got {:?}", got.text))
        }
        // A relayed stream that fails after content shows what came before, and never all of it.
        (_, CallerReceives::ErrorResponse)
            if case.row.after_first_token && case.mode == Mode::Stream && !case.is_cut_off() =>
        {
            let begun = !text.is_empty() && whole.starts_with(text.as_str());
            ensure_that(begun, || format!("before the error came {text:?}"))
        }
        _ => ensure_that(text.is_empty(), || format!("before the error came {text:?}")),
    }
}

/// Who answered after how many calls; whether retries make sense, and when.
fn check_headers(case: &Case, attempt: usize, got: &CallResult) -> Result<(), String> {
    if case.is_cut_off() {
        return Ok(());
    }
    if case.mode == Mode::Buffered && case.openai_call.is_none() {
        return ensure_that(!got.headers.contains_key("x-switchboard-model"), || {
            "a buffered stream names a model before any has responded".to_owned()
        });
    }
    let Some(raised) = &got.raised else {
        let by = if case.calls_to_second() > 0 { case.second(attempt) } else { case.first(attempt) };
        let calls = (case.calls_to_first() + case.calls_to_second()).to_string();
        let header = |name: &str| got.headers.get(name).map(String::as_str);
        return ensure_that(
            header("x-switchboard-model") == Some(&by) && header("x-switchboard-attempts") == Some(&calls),
            || format!("expected {by} after {calls} calls: {:?}", got.headers),
        )
        .and_then(|()| {
            let expected = case.translated();
            ensure_that(header("x-switchboard-translated") == expected.as_deref(), || {
                format!("translated: expected {expected:?}: {:?}", got.headers)
            })
        });
    };
    let header = |name: &str| raised.headers.get(name).map(String::as_str);
    let ours = matches!(raised.code.as_str(), "attempts_exhausted" | "provider_auth");
    ensure_that(header("x-switchboard-error") == ours.then_some(&raised.code), || {
        format!("x-switchboard-error: {:?}", header("x-switchboard-error"))
    })?;
    if ours {
        // Whether coming again can help, and when (C9).
        let seconds = header("retry-after").and_then(|value| value.parse::<u64>().ok());
        let may_help = seconds.is_some_and(|seconds| seconds <= 60);
        let expected = (!may_help).then_some("false");
        ensure_that(header("x-should-retry") == expected, || format!("headers: {:?}", raised.headers))?;
        let is_permanent = raised.code == "provider_auth"
            || matches!(case.row.counts, CircuitEffect::Cooldown(DurationRange(_, most)) if most > Duration::from_secs(61));
        ensure_that(may_help != is_permanent, || format!("headers: {:?}", raised.headers))?;
    }
    if let (CircuitEffect::Cooldown(DurationRange(_, most)), true) = (case.row.counts, ours) {
        let seconds = header("retry-after").and_then(|value| value.parse::<u64>().ok());
        let is_in_range = seconds.is_some_and(|seconds| (1..=most.as_secs() + 1).contains(&seconds));
        // Of what a little waiting does not mend, nobody knows when it is over.
        let spent = most >= policy().max_cooldown;
        ensure_that(is_in_range || spent, || format!("retry-after: {:?}", header("retry-after")))?;
    }
    Ok(())
}

fn check_calls(case: &Case, measured: &Measurement) -> Result<(), String> {
    let row = &case.row;
    let expected = (case.calls_to_first(), case.calls_to_second());
    if row.fault != REFUSED_FAULT {
        ensure_that(measured.calls == expected, || {
            format!("calls: {:?}, expected {expected:?}", measured.calls)
        })?;
        if let (Some(pause), Some(span)) = (measured.retry_delay, row.retry_after) {
            ensure_within("the pause before the same model", pause, span)?;
        }
        if let Some(known) = measured.detection_time {
            let least = row.detection_time.saturating_sub(MAX_OBSERVATION_DELAY);
            ensure_within(
                "until the next model was called",
                known,
                DurationRange(least, row.detection_time),
            )?;
        }
    } else {
        ensure_that(measured.calls.1 == expected.1, || format!("calls: {:?}", measured.calls))?;
    }
    if row.caller_receives == CallerReceives::EndlessStream {
        return Ok(());
    }
    let DurationRange(least, most) = row.retry_after.unwrap_or(DurationRange(Duration::ZERO, Duration::ZERO));
    // Python has its own share of the two cores.
    ensure_within(
        "the caller's time",
        measured.caller,
        DurationRange(least + row.detection_time, most + row.detection_time + MAX_LATENESS),
    )
}

fn check_circuit(
    case: &Case,
    report: Option<&Report>,
    world: &World,
    calls: &[Instant],
) -> Result<(), String> {
    let state = report.map_or(State::Closed, |report| report.state);
    let failures = report.map_or(0, |report| report.failures);
    let message = || format!("the circuit is {report:?}");
    match case.row.counts {
        CircuitEffect::Nothing | CircuitEffect::CooldownExpired => {
            ensure_that((state, failures) == (State::Closed, 0), message)
        }
        CircuitEffect::Failures(expected) => {
            ensure_that((state, failures) == (State::Closed, expected), message)
        }
        CircuitEffect::Cooldown(span) => {
            let retry_at = report.and_then(|report| report.retry_at).ok_or_else(message)?;
            ensure_that(state != State::Closed && failures == 0, message)?;
            let called = calls.last().map_or(Duration::ZERO, Instant::elapsed);
            ensure_within("the cooldown", retry_at.since(world.circuits.now() - called), span)
        }
    }
}
