//! The time that admission takes, next to a baseline on the same machine in the same run.
//!
//! `cargo bench -p circuits --bench admission`. On a noisy machine read the ratios to the group `baseline`.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a bench that cannot be set up ends")]

mod subject;

use std::{
    collections::HashMap,
    hint::black_box,
    sync::{Barrier, Mutex},
    thread,
    time::{Duration, Instant},
};

use breaker::{
    AdmissionToken, Context, Event, Failure, InstanceId, Outcome, Policy, Record, Timestamp, admit, apply,
};
use criterion::{Criterion, criterion_group, criterion_main};
use subject::{Subject, no_rate};

fn baseline(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("baseline");
    let subject = Subject::closed(200, Policy::default());
    let map = Mutex::new(HashMap::from([(subject.key.clone(), 1)]));
    group.bench_function("mutex and map lookup", |bench| {
        bench.iter(|| map.lock().unwrap().get(black_box(&subject.key)).copied());
    });
    group.bench_function("clock", |bench| bench.iter(Instant::now));
}

fn rules(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("breaker");
    let (policy, instance, now) =
        (Policy::default(), InstanceId::new("bench"), Timestamp::from_millis(1_000_000));
    let context = Context { instance: &instance, policy: &policy, now };
    let stamp = AdmissionToken { epoch: 7, lease_id: None };
    let ended = |outcome| Event::CallCompleted { token: stamp.clone(), outcome, source: None, at: now };
    let failed = ended(Outcome::Failed(Failure::status(529)));
    let rate_limited =
        Outcome::RateLimited { failure: Failure::status(429), retry_after: Some(Duration::from_secs(600)) };
    let closed = Record::closed(7);
    let open = apply(&closed, &ended(rate_limited), context).record;
    for (name, record) in [("admit closed", &closed), ("admit open", &open)] {
        group.bench_function(name, |bench| {
            bench.iter(|| admit(black_box(record), &policy, &instance, &None, now));
        });
    }
    for (name, event) in [("apply success", ended(Outcome::Succeeded)), ("apply failure", failed)] {
        group.bench_function(name, |bench| bench.iter(|| apply(black_box(&closed), &event, context)));
    }
}

fn circuits(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("circuits");
    for count in [1, 200] {
        let closed = Subject::closed(count, no_rate());
        group.bench_function(format!("admit closed, 1 of {count}"), |bench| {
            bench.iter(|| drop(closed.admit()));
        });
        let open = Subject::open(count);
        assert!(open.admit().is_err());
        group.bench_function(format!("admit open, 1 of {count}"), |bench| bench.iter(|| drop(open.admit())));
    }
    for (name, policy) in [("no rate", no_rate()), ("with rate", Policy::default())] {
        let closed = Subject::closed(1, policy);
        group.bench_function(format!("admit and succeed, {name}"), |bench| {
            bench.iter(|| closed.admit().unwrap().succeeded());
        });
        group.bench_function(format!("admit and succeed, {name}, 2 threads"), |bench| {
            bench.iter_custom(|calls| on_two_threads(calls, || closed.admit().unwrap().succeeded()));
        });
    }
}

/// How long two threads take for this many calls each.
fn on_two_threads(calls: u64, call: impl Fn() + Sync) -> Duration {
    let start = Barrier::new(2);
    let one = || {
        start.wait();
        let began = Instant::now();
        (0..calls).for_each(|_| call());
        began.elapsed()
    };
    thread::scope(|scope| {
        let other = scope.spawn(one);
        one().max(other.join().unwrap())
    })
}

criterion_group!(benches, baseline, rules, circuits);
criterion_main!(benches);
