//! The experiments of [`poison`](crate::poison) as tables: with the rule off, and on.

use std::{fmt::Write as _, time::Duration};

use crate::poison::{Arrivals, Experiment, Figures, ModelOutage, Senders, run};

/// Good calls a second, the four numbers of a cell.
const GOOD_RATES: [f64; 4] = [0.1, 1.0, 10.0, 100.0];

/// How long an outage lasts.
const OUTAGE: Duration = Duration::from_secs(20);

/// How thoroughly to measure.
#[derive(Debug, Clone, Copy)]
pub struct TableConfig {
    /// The first seed.
    pub seed: u64,
    /// Seeds per figure of a poison, whose mean is shown.
    pub seeds: u64,
    /// Seeds per figure of an outage.
    pub outage_seeds: u64,
    /// Experiments are shortened to this share, for a quick look.
    pub length: f64,
}

/// Who poisons how: a name, instances, the share of random errors, the poison, the good callers.
type Poison = (&'static str, usize, f64, (Arrivals, Senders), Senders);

const POISONER: Senders = Senders::Keys { first: 0, count: 1 };
const OTHER_KEYS: Senders = Senders::Keys { first: 1, count: 9 };

/// All poisons of the first table.
pub const POISONS: [Poison; 10] = [
    ("10 keys, ever new bodies, 1/s", 1, 0.02, (Arrivals::Random(1.0), POISONER), OTHER_KEYS),
    ("10 keys, ever new bodies, 20/s", 1, 0.02, (Arrivals::Random(20.0), POISONER), OTHER_KEYS),
    ("10 keys, ever new bodies, 20 together", 1, 0.02, (Arrivals::Together(20), POISONER), OTHER_KEYS),
    (
        "2 keys, ever new bodies, 20 together",
        1,
        0.02,
        (Arrivals::Together(20), POISONER),
        Senders::Keys { first: 1, count: 1 },
    ),
    (
        "10 keys, ever new bodies, 20/s, 16 instances",
        16,
        0.02,
        (Arrivals::Random(20.0), POISONER),
        OTHER_KEYS,
    ),
    (
        "10 keys, ever new bodies, 20 together, 16 instances",
        16,
        0.02,
        (Arrivals::Together(20), POISONER),
        OTHER_KEYS,
    ),
    (
        "one shared key, same body, 1/s",
        1,
        0.02,
        (Arrivals::Random(1.0), Senders::SharedSameBody),
        Senders::Shared,
    ),
    (
        "one shared key, same body, 20 together",
        1,
        0.02,
        (Arrivals::Together(20), Senders::SharedSameBody),
        Senders::Shared,
    ),
    (
        "one shared key, same body, 20 together, 16 instances",
        16,
        0.02,
        (Arrivals::Together(20), Senders::SharedSameBody),
        Senders::Shared,
    ),
    (
        "one shared key, ever new bodies, 20/s",
        1,
        0.02,
        (Arrivals::Random(20.0), Senders::Shared),
        Senders::Shared,
    ),
];

/// The share of good calls lost under one poison, in %, at each rate of good calls; and of those that have the poison's
/// tag by chance.
///
/// # Errors
/// The runtime could not be built.
pub fn lost_percent(poison: &Poison, rule: bool, config: &TableConfig) -> std::io::Result<[(f64, f64); 4]> {
    let (_, instances, errors, poisonous, good) = *poison;
    let mut percents = [(0.0, 0.0); 4];
    for (percent, rate) in percents.iter_mut().zip(GOOD_RATES) {
        let seconds = (60.0 / rate).clamp(20.0, 600.0) * config.length;
        let experiment = Experiment {
            seed: 0,
            rule,
            instances,
            models: 3,
            length: Duration::from_secs_f64(seconds),
            good: (Arrivals::Random(rate), good),
            poison: Some(poisonous),
            errors,
            outage: None,
        };
        let all = run_seeds(&experiment, config.seed, config.seeds)?;
        let sum = |of: fn(&Figures) -> u64| to_f64(all.iter().map(of).sum());
        let good = sum(|figures| figures.good).max(1.0);
        *percent = (
            100.0 * sum(|figures| figures.lost - figures.same_tag) / good,
            100.0 * sum(|figures| figures.same_tag) / good,
        );
    }
    Ok(percents)
}

/// A model that is down: a name, instances, calls a second, who calls, models of the route, the outage.
type Down = (&'static str, usize, f64, Senders, usize, ModelOutage);

const fn down(models: usize, failure_rate: f64, is_timeout: bool) -> ModelOutage {
    ModelOutage { models, failure_rate, is_timeout }
}

const TEN_KEYS: Senders = Senders::Keys { first: 0, count: 10 };
const TWO_KEYS: Senders = Senders::Keys { first: 0, count: 2 };
const ONE_KEY: Senders = Senders::Keys { first: 0, count: 1 };

/// All outages of the second table.
pub const OUTAGES: [Down; 17] = [
    ("503, 2/s, 10 keys", 1, 2.0, TEN_KEYS, 3, down(1, 1.0, false)),
    ("503, 2/s, 2 keys", 1, 2.0, TWO_KEYS, 3, down(1, 1.0, false)),
    ("503, 2/s, 1 key", 1, 2.0, ONE_KEY, 3, down(1, 1.0, false)),
    ("503, 2/s, one shared key", 1, 2.0, Senders::Shared, 3, down(1, 1.0, false)),
    ("503, 2/s, 10 keys, 16 instances", 16, 2.0, TEN_KEYS, 3, down(1, 1.0, false)),
    ("503, 200/s, 10 keys", 1, 200.0, TEN_KEYS, 3, down(1, 1.0, false)),
    ("503, 200/s, 2 keys", 1, 200.0, TWO_KEYS, 3, down(1, 1.0, false)),
    ("503, 200/s, 10 keys, 16 instances", 16, 200.0, TEN_KEYS, 3, down(1, 1.0, false)),
    ("503, 1,000/s, 10 keys, 1,000 instances", 1_000, 1_000.0, TEN_KEYS, 3, down(1, 1.0, false)),
    ("60 % 503, 2/s, 10 keys", 1, 2.0, TEN_KEYS, 3, down(1, 0.6, false)),
    ("60 % 503, 200/s, 10 keys", 1, 200.0, TEN_KEYS, 3, down(1, 0.6, false)),
    ("timeouts, 2/s, 10 keys", 1, 2.0, TEN_KEYS, 3, down(1, 1.0, true)),
    ("timeouts, 200/s, 10 keys", 1, 200.0, TEN_KEYS, 3, down(1, 1.0, true)),
    ("timeouts, 200/s, 2 keys", 1, 200.0, TWO_KEYS, 3, down(1, 1.0, true)),
    ("first two dead, 200/s, 10 keys", 1, 200.0, TEN_KEYS, 3, down(2, 1.0, false)),
    ("all dead, 2/s, 10 keys", 1, 2.0, TEN_KEYS, 3, down(3, 1.0, false)),
    ("one key repeats one body, one model, 2/s", 1, 2.0, Senders::KeySameBody, 1, down(1, 1.0, false)),
];

/// Calls that each model got in an outage of 20 s, and the seconds until its circuit first opened, for whomever.
///
/// # Errors
/// The runtime could not be built.
pub fn outage_cost(outage: &Down, rule: bool, config: &TableConfig) -> std::io::Result<([f64; 3], [f64; 3])> {
    let (_, instances, rate, senders, models, outage) = *outage;
    let experiment = Experiment {
        seed: 0,
        rule,
        instances,
        models,
        length: OUTAGE,
        good: (Arrivals::Random(rate), senders),
        poison: None,
        errors: 0.0,
        outage: Some(outage),
    };
    let all = run_seeds(&experiment, config.seed, config.outage_seeds)?;
    let mean = |of: &dyn Fn(&Figures) -> f64| {
        all.iter().map(of).sum::<f64>() / to_f64(u64::try_from(all.len()).unwrap_or(1))
    };
    let trip = |figures: &Figures, model: usize| figures.first_trip[model].unwrap_or(OUTAGE).as_secs_f64();
    Ok((
        std::array::from_fn(|model| mean(&|figures| to_f64(figures.calls[model]))),
        std::array::from_fn(|model| mean(&|figures| trip(figures, model))),
    ))
}

/// How often circuits opened in a minute in which 2 % of calls failed for no reason, at this many calls a second.
///
/// # Errors
/// The runtime could not be built.
pub fn false_trips(instances: usize, rate: f64, rule: bool, config: &TableConfig) -> std::io::Result<u64> {
    let experiment = Experiment {
        seed: 0,
        rule,
        instances,
        models: 3,
        length: Duration::from_secs(60).mul_f64(config.length),
        good: (Arrivals::Random(rate), TEN_KEYS),
        poison: None,
        errors: 0.02,
        outage: None,
    };
    Ok(run_seeds(&experiment, config.seed, config.seeds)?.iter().map(|figures| figures.trips).sum())
}

fn run_seeds(experiment: &Experiment, first: u64, seeds: u64) -> std::io::Result<Vec<Figures>> {
    (first..first + seeds.max(1)).map(|seed| run(&Experiment { seed, ..experiment.clone() })).collect()
}

#[expect(clippy::cast_precision_loss, reason = "counts of calls are far below 2^52")]
const fn to_f64(count: u64) -> f64 {
    count as f64
}

/// The first table: good calls lost under poison, in %; behind a `+` those that have its tag by chance. `only`: rows with
/// this text in their names.
///
/// # Errors
/// The runtime could not be built.
pub fn poison_table(only: &str, config: &TableConfig) -> std::io::Result<String> {
    let mut table =
        "| good calls lost, in %, at 0.1 / 1 / 10 / 100 good calls/s | off | on |\n|---|---|---|\n"
            .to_owned();
    for poison in POISONS.iter().filter(|poison| poison.0.contains(only)) {
        let [off, on] = [false, true].map(|rule| lost_percent(poison, rule, config));
        let cell = |percents: [(f64, f64); 4]| {
            let numbers = percents.map(|(lost, same_tag)| match same_tag {
                0.0 => format!("{lost:.1}"),
                _ => format!("{lost:.1} + {same_tag:.1}"),
            });
            numbers.join(" / ")
        };
        let _ = writeln!(table, "| {} | {} | {} |", poison.0, cell(off?), cell(on?));
    }
    Ok(table)
}

/// The second table: what an outage costs.
///
/// # Errors
/// The runtime could not be built.
pub fn outage_table(only: &str, config: &TableConfig) -> std::io::Result<String> {
    let mut table =
        "| 20 s outage: calls to each dead model / seconds to its first trip | off | on |\n|---|---|---|\n"
            .to_owned();
    for outage in OUTAGES.iter().filter(|outage| outage.0.contains(only)) {
        let [off, on] = [false, true].map(|rule| outage_cost(outage, rule, config));
        let cell = |(calls, trips): ([f64; 3], [f64; 3])| {
            let models = calls.iter().zip(trips).take(outage.5.models);
            models.map(|(calls, trip)| format!("{calls:.1} / {trip:.2}")).collect::<Vec<_>>().join("; ")
        };
        let _ = writeln!(table, "| {} | {} | {} |", outage.0, cell(off?), cell(on?));
    }
    Ok(table)
}

/// The third table: trips by random errors alone, on fleets of these sizes.
///
/// # Errors
/// The runtime could not be built.
pub fn false_trip_table(fleets: &[usize], config: &TableConfig) -> std::io::Result<String> {
    let mut table = "| trips in a minute, 2 % random errors | off | on |\n|---|---|---|\n".to_owned();
    for instances in fleets.iter().copied() {
        for rate in [1.0, 10.0, 100.0, 1_000.0] {
            let [off, on] = [false, true].map(|rule| false_trips(instances, rate, rule, config));
            let _ = writeln!(table, "| {rate} calls/s, {instances} instances | {} | {} |", off?, on?);
        }
    }
    Ok(table)
}
