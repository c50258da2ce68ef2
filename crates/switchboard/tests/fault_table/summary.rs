//! What was measured, for people: run the test with `--nocapture`.

use std::{collections::BTreeMap, time::Duration};

use dialects::Dialect;

use crate::{case::Case, check::Measurement, sdk_errors::ExpectedException, table::Mode};

type Group<'a> = BTreeMap<(usize, Mode), Vec<(&'a Case, &'a Measurement)>>;

/// Prints a line for each row and mode: calls to the first and the second model; the pause before the same model again;
/// the time until the next model; the caller's time with and without a next model; what the SDKs raised.
pub(crate) fn print_summary(results: &[(Result<Measurement, String>, Case)]) {
    let mut groups = Group::new();
    for (result, case) in results {
        if let Ok(measured) = result {
            groups.entry((case.row.line, case.mode)).or_default().push((case, measured));
        }
    }
    println!(
        "| fault | call | calls | pause ms | next after ms | caller ms | alone ms | chat | responses | anthropic | gemini |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for ((_, mode), group) in groups {
        let times = |time: &dyn Fn(&Case, &Measurement) -> Option<Duration>| {
            format_range(group.iter().filter_map(|(case, measured)| time(case, measured)))
        };
        let raised = |format: Dialect| {
            let of_format = group.iter().filter(|(case, _)| case.caller == format);
            let errors = of_format.map(|(_, measured)| &measured.raised);
            errors
                .max_by_key(|raised| matches!(raised, ExpectedException::Error { .. }))
                .map_or("n/a".to_owned(), ExpectedException::to_string)
        };
        let (case, measured) = group.iter().max_by_key(|(_, measured)| measured.calls.1).unwrap();
        println!(
            "| `{}` | {mode} | {}+{} | {} | {} | {} | {} | {} |",
            case.row.fault,
            measured.calls.0,
            measured.calls.1,
            times(&|_, measured| measured.retry_delay),
            times(&|_, measured| measured.detection_time),
            times(&|case, measured| case.has_fallback.then_some(measured.caller)),
            times(&|case, measured| (!case.has_fallback).then_some(measured.caller)),
            Dialect::ALL.map(raised).join(" | "),
        );
    }

    let again =
        results.iter().filter(|(result, _)| result.as_ref().is_ok_and(|measured| measured.attempt > 0));
    println!(
        "{} calls as the table says, {} of them only when made again alone",
        results.len(),
        again.count()
    );
}

fn format_range(times: impl Iterator<Item = Duration>) -> String {
    let times: Vec<u128> = times.map(|time| time.as_millis()).collect();
    match (times.iter().min(), times.iter().max()) {
        (Some(least), Some(most)) if least == most => least.to_string(),
        (Some(least), Some(most)) => format!("{least}–{most}"),
        _ => "–".to_owned(),
    }
}
