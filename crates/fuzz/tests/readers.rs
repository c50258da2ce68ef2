//! Every target for a while, and inputs that once showed a fault. See the crate's page for the variables.

#![expect(clippy::print_stderr, reason = "what a run did")]

use std::{path::Path, process::ExitCode, time::Duration};

use fuzz::{REPETITIONS, Settings, TARGETS, Target};
use libtest_mimic::{Arguments, Failed, Trial};

/// How long a target runs as a part of the suite.
const SUITE_SECONDS: u64 = 10;

/// The seed of the suite: a change that breaks nothing must not meet an old fault by chance.
const GATE_SEED: u64 = 11;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    fuzz::silence_panics();
    let trials = TARGETS.iter().map(|target| Trial::test(target.name, || run(target)));
    let repetitions = REPETITIONS.iter().map(|repetition| {
        let check = || repetition.check().map_err(|violation| Failed::from(violation.to_string()));
        Trial::test(format!("many::{}", repetition.name), check)
    });
    libtest_mimic::run(&arguments, trials.chain(repetitions).collect()).exit_code()
}

fn run(target: &'static Target) -> Result<(), Failed> {
    if let Some(folder) = std::env::var_os("FUZZ_EXPORT") {
        return export(target, &Path::new(&folder).join(target.name)).map_err(Failed::from);
    }
    if let Some(file) = std::env::var_os("FUZZ_INPUT") {
        let input = std::fs::read(file)?;
        let cost = fuzz::run_once(target, &input).map_err(|violation| violation.to_string())?;
        eprintln!("{}: {} bytes, {cost:?}", target.name, input.len());
        return Ok(());
    }
    // The gate tries the same inputs at each run: what is new is looked for by hand.
    let is_long = variable("FUZZ_SECONDS").is_some();
    let seed = variable("FUZZ_SEED").or_else(|| is_long.then(|| fastrand::u64(..)));
    let settings = Settings {
        seed: seed.unwrap_or(GATE_SEED),
        duration: Duration::from_secs(variable("FUZZ_SECONDS").unwrap_or(SUITE_SECONDS)),
    };
    match fuzz::run(target, settings) {
        Ok(summary) => {
            eprintln!("{}: seed {}, {summary:?}", target.name, settings.seed);
            Ok(())
        }
        Err(fault) => {
            let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.input", target.name));
            let written = std::fs::write(&file, &fault.input);
            Err(format!("{fault}\nwritten to {}: {written:?}", file.display()).into())
        }
    }
}

/// The seeds as files, for a fuzzer that wants a folder of them.
fn export(target: &Target, folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for (index, seed) in (target.seeds)().iter().enumerate() {
        std::fs::write(folder.join(format!("seed-{index}")), seed)?;
    }
    Ok(())
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
