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
use fleet::{
    chaos::{ChaosConfig, ChaosReport, run},
    growth::{Measured, MeasurementConfig, Phase, measure},
    mixed_fleet::MixedFleet,
    poison_tables::{TableConfig, false_trip_table, outage_table, poison_table},
};

/// Fleets in virtual time, running the real circuits.
#[derive(Debug, Parser)]
#[command(name = "fleet")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Injects random faults into small fleets, one per seed, and checks what must hold.
    Chaos(Chaos),
    /// Measures what fleets of growing size cost, and how soon they know.
    Growth(Growth),
    /// Requests that fail everywhere, and models that are down: who loses what, with the rule off and on (B12).
    Poison(Poison),
    /// Open SWE instances beside two gateways: how long a failing model's circuit is open (O6).
    OpenSwe(OpenSwe),
}

#[derive(Debug, Args)]
struct OpenSwe {
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many seeds, whose mean is shown.
    #[arg(long, default_value_t = 100)]
    seeds: u32,
    /// Numbers of Open SWE instances.
    #[arg(long, value_delimiter = ',', default_value = "0,1,3,6")]
    instances: Vec<usize>,
}

#[derive(Debug, Args)]
struct Chaos {
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// How many seeds, each a fleet of its own.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// Instances in each fleet [default: 3 to 8 at random].
    #[arg(long)]
    instances: Option<usize>,
    /// Models [default: 1 to 3 at random].
    #[arg(long)]
    models: Option<usize>,
    /// Seconds of virtual time with faults.
    #[arg(long, default_value_t = 45)]
    disturbed: u64,
    /// Mean milliseconds between two faults.
    #[arg(long, default_value_t = 2_500)]
    gap: u64,
    /// Lines of trace to print for a fleet that broke a rule, and for a single seed.
    #[arg(long, default_value_t = 0)]
    story: usize,
}

#[derive(Debug, Args)]
struct Growth {
    /// The seed.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Fleet sizes.
    #[arg(long, value_delimiter = ',', default_value = "1,10,100,1000")]
    instances: Vec<usize>,
    /// Models, of which one has the outage.
    #[arg(long, default_value_t = 4)]
    models: usize,
    /// Mean milliseconds between two calls of an instance to a model.
    #[arg(long, default_value_t = 500)]
    gap: u64,
}

#[derive(Debug, Args)]
struct Poison {
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Seeds per figure of a poison.
    #[arg(long, default_value_t = 2)]
    seeds: u64,
    /// Seeds per figure of an outage.
    #[arg(long, default_value_t = 20)]
    outage_seeds: u64,
    /// The share of their length that experiments last, for a quick look.
    #[arg(long, default_value_t = 1.0)]
    length: f64,
    /// Only rows of poisons and outages that have this text in their names.
    #[arg(long, default_value = "")]
    only: String,
    /// Fleet sizes for trips by random errors.
    #[arg(long, value_delimiter = ',', default_value = "1,16,1000", num_args = 0..)]
    instances: Vec<usize>,
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Chaos(chaos) => chaos.run(),
        Command::Growth(growth) => growth.run(),
        Command::Poison(poison) => poison.run(),
        Command::OpenSwe(open_swe) => open_swe.run(),
    }
}

impl OpenSwe {
    #[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command talks to whoever runs it")]
    fn run(&self) -> ExitCode {
        println!("| Open SWE instances | open | changes of state: ours | foreign |\n|---|---|---|---|");
        for open_swe in self.instances.iter().copied() {
            let (mut open, mut own, mut foreign) = (0.0, 0.0, 0.0);
            for seed in (self.seed..).take(self.seeds as usize) {
                match fleet::mixed_fleet::run(&MixedFleet { open_swe, ..MixedFleet::new(seed) }) {
                    Ok(figures) => {
                        open += figures.open;
                        own += f64::from(figures.own);
                        foreign += f64::from(figures.foreign);
                    }
                    Err(error) => eprintln!("{error}"),
                }
            }
            let [open, own, foreign] = [open, own, foreign].map(|sum| sum / f64::from(self.seeds.max(1)));
            println!("| {open_swe} | {:.0} % | {own:.1} | {foreign:.1} |", open * 100.0);
        }
        ExitCode::SUCCESS
    }
}

impl Poison {
    #[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command talks to whoever runs it")]
    fn run(&self) -> ExitCode {
        let Self { seed, seeds, outage_seeds, length, .. } = *self;
        let config = TableConfig { seed, seeds, outage_seeds, length };
        let tables: [&(dyn Fn() -> std::io::Result<String> + Sync); 3] =
            [&|| poison_table(&self.only, &config), &|| outage_table(&self.only, &config), &|| {
                false_trip_table(&self.instances, &config)
            }];
        let results = std::thread::scope(|scope| {
            let running: Vec<_> = tables.iter().map(|table| scope.spawn(table)).collect();
            running.into_iter().map(|table| table.join()).collect::<Vec<_>>()
        });
        for table in results {
            match table {
                Ok(Ok(table)) => println!("{table}"),
                Ok(Err(error)) => eprintln!("{error}"),
                Err(_) => return ExitCode::FAILURE,
            }
        }
        ExitCode::SUCCESS
    }
}

impl Growth {
    #[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command talks to whoever runs it")]
    fn run(&self) -> ExitCode {
        let mut all = Vec::new();
        for instances in self.instances.iter().copied() {
            let began = Instant::now();
            let size = MeasurementConfig {
                seed: self.seed,
                instances,
                models: self.models,
                call_interval: Duration::from_millis(self.gap),
            };
            match measure(&size, |phase| {
                eprintln!("{instances} instances: {phase:?}, {:.0?}", began.elapsed());
            }) {
                Ok(measured) => all.push(measured),
                Err(error) => eprintln!("{error}"),
            }
        }
        print!("{}", markdown_table(&all));
        let violations: Vec<_> = all.iter().flat_map(|measured| &measured.violations).collect();
        violations.iter().take(20).for_each(|violation| println!("{violation}"));
        if violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// The measurements as a Markdown table, one column per fleet.
fn markdown_table(all: &[Measured]) -> String {
    let mut table = String::new();
    let mut row = |name: &str, cell: &dyn Fn(&Measured) -> String| {
        let cells: Vec<String> = all.iter().map(cell).collect();
        table.push_str(&format!("| {name} | {} |\n", cells.join(" | ")));
    };
    row("instances", &|m| m.config.instances.to_string());
    row("---", &|_| "---:".to_owned());
    row("outage begins, until the trip is written", &|m| format_ms(m.time_to_trip));
    row("the trip is written, until half of the instances refuse", &|m| format_ms(m.converged_by(50)));
    row("… 99 % of them", &|m| format_ms(m.converged_by(99)));
    row("… all of them", &|m| format_ms(m.converged_by(100)));
    row("calls that reached the unavailable model: before the trip", &|m| {
        m.calls_to_dead_model.0.to_string()
    });
    row("… in the second after it", &|m| m.calls_to_dead_model.1.to_string());
    row("… later (probes)", &|m| m.calls_to_dead_model.2.to_string());
    row("concurrent probes, at most", &|m| m.max_concurrent_probes.to_string());
    row("changes of state while one call in 20 failed", &|m| m.false_trips.to_string());
    for phase in Phase::ALL {
        let costs = |m: &Measured| m.phases.get(&phase).copied().unwrap_or_default();
        let rate = |m: &Measured, number: u64| {
            format!("{:.1}", u32::try_from(number).map_or(0.0, f64::from) / costs(m).0.as_secs_f64())
        };
        row(&format!("{phase:?}: commands a second"), &|m| rate(m, costs(m).1.commands()));
        row("… of these reads of one circuit", &|m| rate(m, costs(m).1.loads));
        row("… compare-and-set", &|m| rate(m, costs(m).1.writes));
        row("… of these in conflict", &|m| rate(m, costs(m).1.conflicts));
        row("… pushes a second", &|m| rate(m, costs(m).1.pushes));
        row("… kB a second", &|m| rate(m, costs(m).1.bytes / 1_000));
    }
    row("commands of the whole outage", &|m| m.outage_commands().to_string());
    row("… per instance", &|m| {
        let instances = u32::try_from(m.config.instances).map_or(1.0, f64::from);
        format!("{:.1}", u32::try_from(m.outage_commands()).map_or(0.0, f64::from) / instances)
    });
    table
}

fn format_ms(time: Duration) -> String {
    format!("{} ms", time.as_millis())
}

impl Chaos {
    fn plan(&self, seed: u64) -> ChaosConfig {
        ChaosConfig {
            seed,
            instances: self.instances,
            models: self.models,
            fault_period: Duration::from_secs(self.disturbed),
            mean_fault_interval: Duration::from_millis(self.gap),
            max_trace_lines: self.story,
        }
    }

    #[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command talks to whoever runs it")]
    fn run(&self) -> ExitCode {
        let (next, failed) = (AtomicU64::new(0), AtomicU64::new(0));
        let reported_at = Mutex::new(Instant::now());
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
            let mut reported_at = reported_at.lock().unwrap_or_else(PoisonError::into_inner);
            if reported_at.elapsed() > Duration::from_secs(2) {
                *reported_at = Instant::now();
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

    fn report(&self, seed: u64, outcome: &ChaosReport) -> String {
        let mut report = outcome.trace.join("\n");
        for violation in &outcome.violations {
            report.push_str(&format!("\nseed {seed}: {violation}"));
        }
        let ChaosReport { calls, max_concurrent_probes, costs, trace_hash: hash, .. } = outcome;
        report.push_str(&format!(
            "\nseed {seed}: {calls} calls, at most {max_concurrent_probes} concurrent probes, {costs:?}, trace {hash:016x}"
        ));
        report.push_str(&format!(
            "\n  repeat: cargo run --release -p fleet -- chaos --seed {seed} --disturbed {} --gap {} --story 100000\n",
            self.disturbed, self.gap
        ));
        report
    }
}
