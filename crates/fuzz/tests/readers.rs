//! Every target for a while, and inputs that once showed a fault. See the crate's page for the variables.

#![expect(clippy::print_stderr, reason = "what a run did")]

use std::{path::Path, process::ExitCode, time::Duration};

use fuzz::{REPETITIONS, Settings, TARGETS, Target};
use libtest_mimic::{Arguments, Failed, Trial};

/// How long a target runs as a part of the suite.
const SUITE_SECONDS: u64 = 10;

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
    let settings = Settings {
        seed: variable("FUZZ_SEED").unwrap_or_else(|| fastrand::u64(..)),
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
