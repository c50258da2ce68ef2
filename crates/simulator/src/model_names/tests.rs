//! Names and what they ask for.

use super::*;

fn read(name: &str) -> Script {
    script(name, &Behaviour::ok()).unwrap().unwrap()
}

#[test]
fn every_documented_fault_is_read() {
    let status = |code| ProviderError::status(StatusCode::from_u16(code).unwrap());
    let seconds = Duration::from_secs(2);
    let expected: [(&str, Fault); 29] = [
        ("503", status(503).into()),
        ("429-after-2s", status(429).retry_after(seconds).into()),
        ("429-after-1500ms", status(429).retry_after_ms(Duration::from_millis(1_500)).into()),
        ("429-date-2s", status(429).retry_after_date(seconds).into()),
        ("429-resets-2s", status(429).resets_in(seconds).into()),
        ("quota", ProviderError::insufficient_quota().into()),
        ("spend-limit", ProviderError::spend_limit().into()),
        ("overloaded", ProviderError::overloaded().into()),
        ("wrong-key", ProviderError::wrong_key().into()),
        ("unknown-model", status(404).into()),
        ("context", ProviderError::context_too_long().into()),
        ("policy", ProviderError::content_policy().into()),
        ("hang", Fault::Hang),
        ("reset", Fault::Reset),
        ("reset-after-3", Fault::ResetAfter { after: 3 }),
        ("cut-after-3", Fault::Cut { after: 3 }),
        ("end-after-3", Fault::End { after: 3 }),
        ("silence-after-1", Fault::Silence { after: 1 }),
        ("stall-after-3-for-2s", Fault::Stall { after: 3, length: seconds }),
        ("endless-after-3", Fault::Endless { after: 3 }),
        ("garbage-after-3", Fault::Garbage { after: 3 }),
        ("error-after-3", Fault::ErrorEvent { after: 3, error: ProviderError::overloaded() }),
        ("429-as-event-after-1", Fault::ErrorEvent { after: 1, error: status(429) }),
        (
            "context-as-event-after-1",
            Fault::ErrorEvent { after: 1, error: ProviderError::context_too_long() },
        ),
        ("ValidationException", aws_errors::error("ValidationException").unwrap().into()),
        (
            "ModelNotReadyException-as-event-after-1",
            Fault::ErrorEvent { after: 1, error: aws_errors::error("ModelNotReadyException").unwrap() },
        ),
        ("no-done", Fault::NoDone),
        ("empty", Fault::Empty),
        ("not-json", Fault::NotJson),
    ];
    for (name, fault) in expected {
        assert_eq!(read(&format!("fault-{name}")), Script::always(fault), "{name}");
    }
}

#[test]
fn options_come_in_any_order_and_after_any_fault() {
    let millis = Duration::from_millis;
    let slow = Behaviour::ok().latency(millis(200)).gap(millis(20)).words(50);
    assert_eq!(read("ok-words-50-gap-20ms-latency-200ms"), Script::always(slow.clone()));
    let odd = Behaviour::ok().crlf().split().first_token(Duration::from_secs(2));
    assert_eq!(read("ok-split-first-content-2s-crlf"), Script::always(odd));
    assert_eq!(
        read("fault-no-done-latency-200ms-gap-20ms-words-50"),
        Script::always(slow.with(Fault::NoDone))
    );
}

#[test]
fn content_is_an_option_and_a_name_of_its_own() {
    let tool_call = || Behaviour::ok().tool_call("get_weather", r#"{"city":"Paris"}"#);
    assert_eq!(read("tool-call"), Script::always(tool_call()));
    assert_eq!(read("tool-call"), read("ok-tool-call"));
    assert_eq!(read("thinking-tool-call"), read("ok-tool-call-thinking"));
    assert_ne!(read("tool-call-tool-call"), read("tool-call"));
    assert_eq!(
        read("fault-cut-after-2-tool-call-words-0-length"),
        Script::always(tool_call().words(0).finish(Finish::Length).with(Fault::Cut { after: 2 }))
    );
    let usage = Usage { input: 100, cache_read: 40, cache_write: 9, output: 50, reasoning: 20 };
    assert_eq!(read("ok-usage-100-40-9-50-20"), Script::always(Behaviour::ok().usage(usage)));
}

#[test]
fn times_ends_the_fault() {
    assert_eq!(read("fault-hang-times-2"), Script::first(2, Fault::Hang));
}

#[test]
fn flapping_is_by_calls_or_by_time() {
    assert_eq!(read("fault-503-flap-3-2"), {
        Script::flapping_by_calls(3, 2, Behaviour::status(StatusCode::SERVICE_UNAVAILABLE))
    });
    let seconds = Duration::from_secs;
    assert_eq!(
        read("fault-hang-flap-3s-2s-words-9"),
        Script::flapping(seconds(3), seconds(2), Behaviour::ok().words(9).with(Fault::Hang))
    );
}

#[test]
fn what_the_name_does_not_say_is_as_usual() {
    let usual = Behaviour::ok().words(9);
    let script = script("fault-reset", &usual).unwrap().unwrap();
    assert_eq!(script, Script::always(usual.with(Fault::Reset)));
}

#[test]
fn other_models_names_are_not_read() {
    for name in ["gpt-5", "okra-1", "faulty", "claude-fault-503", "tool-caller", "thinkings"] {
        assert_eq!(script(name, &Behaviour::ok()), Ok(None), "{name}");
    }
}

#[test]
fn a_misspelt_fault_is_an_error_that_says_where() {
    for (name, at) in [
        ("fault", "``"),
        ("fault-200", "``"),
        ("fault-hangs", "`hangs`"),
        ("fault-503-gape-2s", "`gape-2s`"),
        ("fault-cut-after-x", "``"),
        ("ok-latency-5", "``"),
        ("fault-hang-as-event-after-1", "`as-event-after-1`"),
        ("fault-stall-after-3", "``"),
        ("fault-stall-after-3-for-x", "``"),
        ("fault-503-flap-3-2s", "``"),
        ("ok-splits", "`splits`"),
        ("thinking-hard", "`hard`"),
        ("ok-usage-1-2", "``"),
    ] {
        let unknown = script(name, &Behaviour::ok()).unwrap_err().to_string();
        assert!(unknown.contains(at), "{name}: {unknown}");
    }
}

#[test]
fn durations_have_a_whole_number_and_a_unit() {
    assert_eq!(duration("20ms"), Ok(Duration::from_millis(20)));
    assert_eq!(duration("2s"), Ok(Duration::from_secs(2)));
    assert_eq!(duration("1m"), Ok(Duration::from_secs(60)));
    for wrong in ["", "20", "ms", "-1s", "1.5s", "2h"] {
        assert_eq!(duration(wrong), Err(InvalidDuration), "{wrong}");
    }
}

#[test]
fn a_name_is_read_as_a_script() {
    assert_eq!("fault-hang-times-2".parse(), Ok(Script::first(2, Fault::Hang)));
    for name in ["gpt-5", "fault-hangs"] {
        assert!(name.parse::<Script>().is_err(), "{name}");
    }
}
