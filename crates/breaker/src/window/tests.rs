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
        window.add_failure(&policy, NOW, None);
    }
    assert_eq!(window.evaluate_rate(&policy, NOW), RateVerdict::WithinLimit, "8 calls are too few");
    window.add_calls(&policy, NOW, 2);
    assert_eq!(window.evaluate_rate(&policy, NOW), RateVerdict::WithinLimit, "4 of 10 are too few");
    window.add_failure(&policy, NOW, None);
    window.add_failure(&policy, NOW, None);
    assert_eq!(window.evaluate_rate(&policy, NOW), RateVerdict::Trip { sole_reporter: None });
    assert_eq!(window.evaluate_rate(&Policy { failure_rate: None, ..policy }, NOW), RateVerdict::WithinLimit);
}

#[test]
fn successes_alone_never_trip() {
    let policy = Policy { failure_rate: Some(f64::MIN_POSITIVE), minimum_calls: 1, ..Policy::default() };
    let mut window = Window::default();
    window.add_calls(&policy, NOW, 1_000);
    assert_eq!(window.evaluate_rate(&policy, NOW), RateVerdict::WithinLimit);
}

#[test]
fn one_instances_connection_failures_trip_for_that_instance() {
    let policy = policy();
    let (a, b) = (InstanceId::new("a"), InstanceId::new("b"));
    let mut window = Window::default();
    for _ in 0..10 {
        window.add_failure(&policy, NOW, Some(&a));
    }
    assert_eq!(window.evaluate_rate(&policy, NOW), RateVerdict::Trip { sole_reporter: Some(a) });
    window.add_failure(&policy, NOW, Some(&b));
    assert_eq!(
        window.evaluate_rate(&policy, NOW),
        RateVerdict::Trip { sole_reporter: None },
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
