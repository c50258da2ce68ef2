//! Runs a target for a while: its seeds, then what is made of them, keeping whatever shows something new.

use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::{
    execution::{Cost, Violation, check_growth, execute, thread_time},
    features::{FeatureSet, Features},
    minimize::minimize,
    mutate::{choose_piece, mutate, repeat_piece},
    target::Target,
};

/// The most inputs that are kept; then one gives way to another.
const MAX_CORPUS: usize = 4_096;

/// One execution in so many compares a short input with a long one.
const GROWTH_INTERVAL: u64 = 256;

/// How many times the long one is the short one.
const GROWTH_FACTOR: usize = 8;

/// For shorter inputs, what does not depend on their length decides.
const MIN_PROPORTIONAL_BYTES: usize = 1_024;

/// How long and from which seed.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// The same seed makes the same inputs, as far as the time allows.
    pub seed: u64,
    /// The time for the target.
    pub duration: Duration,
}

/// What a run did.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// How often the target ran.
    pub executions: u64,
    /// Inputs kept, the seeds among them.
    pub corpus: usize,
    /// Distinct behaviours.
    pub features: usize,
    /// The greatest memory relative to its bound, in percent.
    pub memory_percent: u64,
    /// The most bytes for one byte of an input of a KiB or more.
    pub bytes_per_byte: u64,
    /// The most bytes for a shorter input.
    pub bytes_at_least: u64,
    /// The longest execution.
    pub longest: Duration,
    /// The processor time of the run.
    pub time: Duration,
}

/// An input that shows a fault.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{target}: {violation}\nseed {seed}, execution {execution}; minimized input, {} bytes:\nb\"{}\"", input.len(), input.escape_ascii())]
pub struct Failure {
    /// The target's name.
    pub target: &'static str,
    /// What is wrong.
    pub violation: Violation,
    /// The shortest input found that shows it.
    pub input: Vec<u8>,
    /// The run's seed.
    pub seed: u64,
    /// Counted from 1.
    pub execution: u64,
}

/// Runs a target.
///
/// # Errors
/// The first fault.
pub fn run(target: &Target, settings: Settings) -> Result<Summary, Box<Failure>> {
    let before = thread_time();
    let mut run = Run {
        target,
        settings,
        end: Instant::now() + settings.duration,
        corpus: Vec::new(),
        features: FeatureSet::default(),
        summary: Summary::default(),
    };
    for seed in (target.seeds)() {
        run.execute(&seed)?;
        // A seed is kept whatever it shows: others are spliced with it.
        run.keep(&mut Rng::with_seed(settings.seed), seed);
    }
    let mut rng = Rng::with_seed(settings.seed);
    while Instant::now() < run.end {
        run.step(&mut rng)?;
    }
    let time = thread_time().saturating_sub(before);
    Ok(Summary { corpus: run.corpus.len(), features: run.features.len(), time, ..run.summary })
}

/// Runs a target on one input.
///
/// # Errors
/// What is wrong.
pub fn run_once(target: &Target, input: &[u8]) -> Result<Cost, Violation> {
    execute(target, input, &mut Features::default())
}

struct Run<'a> {
    target: &'a Target,
    settings: Settings,
    end: Instant,
    corpus: Vec<Vec<u8>>,
    features: FeatureSet,
    summary: Summary,
}

impl Run<'_> {
    fn step(&mut self, rng: &mut Rng) -> Result<(), Box<Failure>> {
        let input = self.choose(rng).to_vec();
        let other = self.choose(rng).to_vec();
        if self.target.is_linear && self.summary.executions.is_multiple_of(GROWTH_INTERVAL) {
            return self.compare_lengths(rng, &input);
        }
        let input = mutate(rng, &input, &other, self.target.max_bytes);
        if self.execute(&input)? {
            self.keep(rng, input);
        }
        Ok(())
    }

    /// The shorter of two, most of the time: it runs faster, and its changes matter more.
    fn choose(&self, rng: &mut Rng) -> &[u8] {
        let mut any = || rng.choice(&self.corpus).map(Vec::as_slice).unwrap_or_default();
        let (one, two) = (any(), any());
        if one.len() <= two.len() || rng.u8(0..4) == 0 { one } else { two }
    }

    fn execute(&mut self, input: &[u8]) -> Result<bool, Box<Failure>> {
        self.summary.executions += 1;
        let mut features = Features::default();
        match execute(self.target, input, &mut features) {
            Ok(cost) => {
                let percent = cost.peak_bytes * 100 / self.target.memory.bound(input.len()).max(1);
                self.summary.memory_percent = self.summary.memory_percent.max(percent);
                if input.len() < MIN_PROPORTIONAL_BYTES {
                    self.summary.bytes_at_least = self.summary.bytes_at_least.max(cost.peak_bytes);
                } else {
                    let per_byte = cost.peak_bytes / input.len() as u64;
                    self.summary.bytes_per_byte = self.summary.bytes_per_byte.max(per_byte);
                }
                self.summary.longest = self.summary.longest.max(cost.time);
                Ok(self.features.merge(&features))
            }
            Err(violation) => Err(self.failure(violation, input)),
        }
    }

    fn compare_lengths(&mut self, rng: &mut Rng, input: &[u8]) -> Result<(), Box<Failure>> {
        self.summary.executions += 2;
        let short_length = self.target.max_bytes / GROWTH_FACTOR;
        let input = &input[..input.len().min(short_length / 2)];
        let piece = choose_piece(rng, input);
        let short = repeat_piece(input, piece.clone(), short_length);
        let long = repeat_piece(input, piece, self.target.max_bytes);
        if short.len() < short_length / 2 {
            return Ok(());
        }
        check_growth(self.target, &short, &long).map_err(|violation| self.failure(violation, &long))
    }

    fn keep(&mut self, rng: &mut Rng, input: Vec<u8>) {
        if self.corpus.len() < MAX_CORPUS {
            self.corpus.push(input);
        } else {
            let index = rng.usize(0..MAX_CORPUS);
            self.corpus[index] = input;
        }
    }

    fn failure(&self, violation: Violation, input: &[u8]) -> Box<Failure> {
        let is_same = |input: &[u8]| {
            let other = execute(self.target, input, &mut Features::default());
            other.is_err_and(|other| other.is_like(&violation))
        };
        // Of one that grows too fast, a shorter one would not show it.
        let input = if matches!(violation, Violation::Growth { .. }) {
            input.to_vec()
        } else {
            minimize(input, is_same)
        };
        Box::new(Failure {
            target: self.target.name,
            violation,
            input,
            seed: self.settings.seed,
            execution: self.summary.executions,
        })
    }
}
