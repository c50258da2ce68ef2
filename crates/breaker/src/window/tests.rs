use std::time::Duration;

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn policy() -> Policy {
    Policy { minimum_calls: 10, ..Policy::default() }
}

fn after(millis: u64) -> Timestamp {
    NOW + Duration::from_millis(millis)
}

#[test]
fn a_bucket_is_a_tenth_of_the_window() {
    let policy = policy();
    assert_eq!(bucket_start(&policy, after(999)), NOW);
    assert_eq!(bucket_start(&policy, after(1_000)), after(1_000));
    let tiny = Policy { window: Duration::from_millis(3), ..policy };
    assert_eq!(bucket_start(&tiny, after(1)), after(1));
}

#[test]
fn a_bucket_counts_until_it_is_wholly_or_partly_outside() {
    let policy = policy();
    let mut window = Window::default();
    window.add_calls(&policy, NOW, 5);
    assert_eq!(window.totals(&policy, after(9_999)), (5, 0));
    assert_eq!(window.totals(&policy, after(10_000)), (0, 0));
    window.prune(&policy, after(9_999));
    assert_eq!(window.buckets().len(), 1);
    window.prune(&policy, after(10_000));
    assert!(window.buckets().is_empty());
}

#[test]
fn the_rate_is_reached_and_needs_the_least_number_of_calls() {
    let policy = policy();
    let mut window = Window::default();
    window.add_calls(&policy, NOW, 4);
    for _ in 0..4 {
        window.add_failure(&policy, NOW, None, None);
    }
    assert_eq!(window.evaluate_rate(&policy, &[], NOW), RateVerdict::WithinLimit, "8 calls are too few");
    window.add_calls(&policy, NOW, 2);
    assert_eq!(window.evaluate_rate(&policy, &[], NOW), RateVerdict::WithinLimit, "4 of 10 are too few");
    window.add_failure(&policy, NOW, None, None);
    window.add_failure(&policy, NOW, None, None);
    assert_eq!(
        window.evaluate_rate(&policy, &[], NOW),
        RateVerdict::Trip { sole_reporter: None, bound_to: None }
    );
    assert_eq!(
        window.evaluate_rate(&Policy { failure_rate: None, ..policy }, &[], NOW),
        RateVerdict::WithinLimit
    );
}

#[test]
fn successes_alone_never_trip() {
    let policy = Policy { failure_rate: Some(f64::MIN_POSITIVE), minimum_calls: 1, ..Policy::default() };
    let mut window = Window::default();
    window.add_calls(&policy, NOW, 1_000);
    assert_eq!(window.evaluate_rate(&policy, &[], NOW), RateVerdict::WithinLimit);
}

#[test]
fn one_instances_connection_failures_trip_for_that_instance() {
    let policy = policy();
    let (a, b) = (InstanceId::new("a"), InstanceId::new("b"));
    let mut window = Window::default();
    for _ in 0..10 {
        window.add_failure(&policy, NOW, Some(&a), None);
    }
    assert_eq!(
        window.evaluate_rate(&policy, &[], NOW),
        RateVerdict::Trip { sole_reporter: Some(a), bound_to: None }
    );
    window.add_failure(&policy, NOW, Some(&b), None);
    assert_eq!(
        window.evaluate_rate(&policy, &[], NOW),
        RateVerdict::Trip { sole_reporter: None, bound_to: None },
        "two instances"
    );
}

#[test]
fn counts_out_of_order_stay_sorted() {
    let policy = policy();
    let mut window = Window::default();
    for millis in [5_000, 1_000, 3_000, 1_500] {
        window.add_calls(&policy, after(millis), 1);
    }
    let starts: Vec<_> = window.buckets().iter().map(|bucket| bucket.start).collect();
    assert_eq!(starts, [after(1_000), after(3_000), after(5_000)]);
}

#[test]
fn merging_keeps_the_larger_counts() {
    let policy = policy();
    let (mut ours, mut theirs) = (Window::default(), Window::default());
    ours.add_calls(&policy, NOW, 5);
    theirs.add_calls(&policy, NOW, 3);
    theirs.add_calls(&policy, after(2_000), 4);
    let merged = ours.merged(&theirs);
    assert_eq!(merged.totals(&policy, after(2_000)), (9, 0));
    assert_eq!(merged, theirs.merged(&ours));
}

/// What a rate of these failures trips for, with 100 calls in all.
fn tripped_for(sources: &[(&str, u8, u32)], others: u32, blocked: &[SourceScope]) -> Option<String> {
    let policy = Policy { failure_rate: Some(0.3), ..Policy::default() };
    let mut window = Window::default();
    let mut calls = 100;
    for (caller, tag, failures) in sources {
        let source = Source { caller: caller.parse().ok(), tag: Some(*tag) };
        for _ in 0..*failures {
            window.add_failure(&policy, NOW, None, Some(&source));
            calls -= 1;
        }
    }
    for _ in 0..others {
        window.add_failure(&policy, NOW, None, None);
        calls -= 1;
    }
    window.add_calls(&policy, NOW, calls);
    match window.evaluate_rate(&policy, &blocked.iter().collect::<Vec<_>>(), NOW) {
        RateVerdict::WithinLimit => None,
        RateVerdict::Trip { bound_to, .. } => {
            Some(bound_to.map_or("all".to_owned(), |scope| scope.to_string()))
        }
    }
}

#[test]
fn a_rate_trips_for_the_source_without_which_it_would_not() {
    let tripped = |sources: &[_], others| tripped_for(sources, others, &[]);
    assert_eq!(tripped(&[("ci", 1, 29)], 0), None);
    assert_eq!(tripped(&[("ci", 1, 30)], 0).as_deref(), Some("one request of caller ci"));
    assert_eq!(tripped(&[("ci", 1, 20)], 10).as_deref(), Some("one request of caller ci"));
    assert_eq!(tripped(&[("ci", 1, 50)], 20).as_deref(), Some("all"), "the rest trips as well");
    assert_eq!(tripped(&[("ci", 1, 15)], 15).as_deref(), Some("all"), "half of them is not most");
    assert_eq!(tripped(&[("ci", 1, 15), ("ci", 2, 15)], 0).as_deref(), Some("caller ci"));
    let requests: Vec<(&str, u8, u32)> = (0..30).map(|tag| ("ci", tag, 1)).collect();
    assert_eq!(tripped(&requests, 5).as_deref(), Some("caller ci"), "more requests than entries");
    assert_eq!(tripped(&[], 30).as_deref(), Some("all"));
}

#[test]
fn a_blocked_source_trips_no_rate_again() {
    let blocked = [SourceScope { caller: "ci".parse().ok(), tag: Some(1) }];
    assert_eq!(tripped_for(&[("ci", 1, 50)], 5, &blocked), None);
    assert_eq!(tripped_for(&[("ci", 1, 50)], 30, &blocked).as_deref(), Some("all"));
}
