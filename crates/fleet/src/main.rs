//! Runs simulated fleets: `cargo run --release -p fleet -- --help`.

use std::{
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use clap::{Args, Parser, Subcommand};
use fleet::chaos::{Outcome, Plan, run};

/// Fleets in virtual time, running the real circuits.
#[derive(Debug, Parser)]
#[command(name = "fleet")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lets everything befall small fleets, a seed each, and looks at what must hold.
    Chaos(Chaos),
}

#[derive(Debug, Args)]
struct Chaos {
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// How many seeds, each a fleet of its own.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// Instances in each fleet; without it, 3 to 8 by chance.
    #[arg(long)]
    instances: Option<usize>,
    /// Models; without it, 1 to 3 by chance.
    #[arg(long)]
    models: Option<usize>,
    /// Seconds of virtual time in which things befall the fleet.
    #[arg(long, default_value_t = 45)]
    disturbed: u64,
    /// Milliseconds between two of them, on average.
    #[arg(long, default_value_t = 2_500)]
    gap: u64,
    /// Tells the last so many steps of a fleet in which a rule was broken, and of one that is run alone.
    #[arg(long, default_value_t = 0)]
    story: usize,
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Chaos(chaos) => chaos.run(),
    }
}

impl Chaos {
    fn plan(&self, seed: u64) -> Plan {
        Plan {
            seed,
            instances: self.instances,
            models: self.models,
            disturbed: Duration::from_secs(self.disturbed),
            mean_gap: Duration::from_millis(self.gap),
            keep: self.story,
        }
    }

    #[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command talks to whoever runs it")]
    fn run(&self) -> ExitCode {
        let (next, failed) = (AtomicU64::new(0), AtomicU64::new(0));
        let said = Mutex::new(Instant::now());
        let began = Instant::now();
        let work = || loop {
            let done = next.fetch_add(1, Ordering::Relaxed);
            if done >= self.seeds {
                return;
            }
            let seed = self.seed + done;
            match run(&self.plan(seed)) {
                Ok(outcome) => {
                    let broken = !outcome.violations.is_empty();
                    failed.fetch_add(u64::from(broken), Ordering::Relaxed);
                    if broken || self.seeds == 1 {
                        println!("{}", self.report(seed, &outcome));
                    }
                }
                Err(error) => eprintln!("{error}"),
            }
            let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
            if said.elapsed() > Duration::from_secs(2) {
                *said = Instant::now();
                let failed = failed.load(Ordering::Relaxed);
                eprintln!("{done} of {} seeds, {failed} with a broken rule", self.seeds);
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
                scope.spawn(work);
            }
        });
        let failed = failed.into_inner();
        println!("{} seeds, {failed} with a broken rule, {:.1} s", self.seeds, began.elapsed().as_secs_f64());
        if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    fn report(&self, seed: u64, outcome: &Outcome) -> String {
        let mut report = outcome.story.join("\n");
        for violation in &outcome.violations {
            report.push_str(&format!("\nseed {seed}: {violation}"));
        }
        let Outcome { calls, most_probes, costs, hash, .. } = outcome;
        report.push_str(&format!("\nseed {seed}: {calls} calls, {most_probes} probes at once at most, {costs:?}, story {hash:016x}"));
        report.push_str(&format!(
            "\n  again: cargo run --release -p fleet -- chaos --seed {seed} --disturbed {} --gap {} --story 100000\n",
            self.disturbed, self.gap
        ));
        report
    }
}
