//! Small fleets, one per seed, with random faults.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail tests")]

use std::sync::atomic::{AtomicU64, Ordering};

use fleet::chaos::{ChaosConfig, ChaosReport, run};

/// Seeds per run of the tests. `cargo run --release -p fleet -- chaos --seeds 100000` runs any number.
const SEED_COUNT: u64 = 1_500;

#[test]
fn no_rule_is_broken() {
    let next = AtomicU64::new(0);
    let broken: Vec<String> = std::thread::scope(|scope| {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(|| run_from(&next))).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// Seeds that once broke a rule, each in its own way.
const REGRESSION_SEEDS: [u64; 12] = [
    204_359, 216_315, 221_514, 204_397, 220_293, 224_759, 211_071, 227_604, 240_673, 206_168, 104_609,
    236_945,
];

#[test]
fn former_violations_stay_fixed() {
    for seed in REGRESSION_SEEDS {
        let ChaosReport { violations, .. } = run(&ChaosConfig::small(seed)).unwrap();
        assert!(violations.is_empty(), "seed {seed}: {}", violations.join("\n  "));
    }
}

fn run_from(next: &AtomicU64) -> Vec<String> {
    let mut broken = Vec::new();
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= SEED_COUNT {
            return broken;
        }
        let ChaosReport { violations, calls, .. } = run(&ChaosConfig::small(seed)).unwrap();
        assert!(calls > 0, "seed {seed} made no calls");
        if !violations.is_empty() {
            broken.push(format!(
                "seed {seed}: {}\n  its trace: cargo run --release -p fleet -- chaos --story 100000 --seed {seed}",
                violations.join("\n  ")
            ));
        }
    }
}

#[test]
fn a_seed_gives_the_same_run_again() {
    for seed in 0..20 {
        let first = run(&ChaosConfig::small(seed)).unwrap();
        let second = run(&ChaosConfig::small(seed)).unwrap();
        assert_eq!(
            (first.trace_hash, first.costs, first.calls),
            (second.trace_hash, second.costs, second.calls),
            "seed {seed}"
        );
    }
    let hashes: std::collections::BTreeSet<u64> =
        (0..20).map(|seed| run(&ChaosConfig::small(seed)).unwrap().trace_hash).collect();
    assert_eq!(hashes.len(), 20, "different seeds give different runs");
}
