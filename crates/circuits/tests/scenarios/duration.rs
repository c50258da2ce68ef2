//! Durations as tables write them: `0`, `250ms`, `5s`, `10m`, `24h`, `24h10m`.

use std::time::Duration;

pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    if let Some((hours, rest)) = text.split_once('h').filter(|(_, rest)| !rest.is_empty()) {
        return Ok(parse(&format!("{hours}h"))? + parse(rest)?);
    }
    let number_ends = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(number_ends);
    let number: u64 = number.parse().map_err(|_| format!("{text:?} is no duration, such as 250ms or 5s"))?;
    let millis = match unit {
        "" if number == 0 => 1,
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(format!("{text:?} is no duration: its unit must be ms, s, m or h")),
    };
    Ok(Duration::from_millis(number * millis))
}

/// A duration with a sign, in ms: `+1h`, `-5s`.
pub(crate) fn parse_signed(text: &str) -> Result<i64, String> {
    let (sign, rest) = match text.split_at_checked(1) {
        Some(("+", rest)) => (1, rest),
        Some(("-", rest)) => (-1, rest),
        _ => return Err(format!("{text:?} needs a sign, such as +1h")),
    };
    i64::try_from(parse(rest)?.as_millis()).map(|millis| sign * millis).map_err(|error| error.to_string())
}
