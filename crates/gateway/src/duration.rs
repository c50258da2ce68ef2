//! Durations as settings and requests write them: "500ms", "5s", "10m", "1h".

use std::{fmt, str::FromStr, time::Duration};

/// A duration written as a whole number and one of the units `ms`, `s`, `m`, `h`; at most a year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DurationText(pub Duration);

/// Why a text is not a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// It is not a whole number and a unit.
    #[error("expected a duration such as \"500ms\", \"5s\", \"10m\" or \"1h\"")]
    Syntax,
    /// It is longer than [`DurationText::MAX`].
    #[error("expected a duration of at most a year (8760h)")]
    TooLong,
}

/// The units and their milliseconds, the shortest first.
const UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];

impl DurationText {
    /// The longest duration that is accepted: adding it to a time does not overflow.
    pub const MAX: Duration = Duration::from_secs(365 * 24 * 3_600);
}

impl FromStr for DurationText {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or(DurationError::Syntax)?;
        if number.is_empty() {
            return Err(DurationError::Syntax);
        }
        let millis = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*factor));
        let duration = Duration::from_millis(millis.ok_or(DurationError::TooLong)?);
        if duration > Self::MAX { Err(DurationError::TooLong) } else { Ok(Self(duration)) }
    }
}

impl fmt::Display for DurationText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = breaker::millis(self.0);
        let exact = UNITS.iter().rev().find(|(_, factor)| millis > 0 && millis.is_multiple_of(*factor));
        let (unit, factor) = exact.unwrap_or(&UNITS[1]);
        write!(f, "{}{unit}", millis / factor)
    }
}

impl serde::Serialize for DurationText {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for DurationText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_read_and_written_in_the_largest_exact_unit() {
        for (text, millis, written) in [
            ("500ms", 500, "500ms"),
            ("5s", 5_000, "5s"),
            ("90s", 90_000, "90s"),
            ("600s", 600_000, "10m"),
            ("1h", 3_600_000, "1h"),
            ("0s", 0, "0s"),
            ("0ms", 0, "0s"),
        ] {
            let duration: DurationText = text.parse().unwrap();
            assert_eq!(duration.0, Duration::from_millis(millis), "{text}");
            assert_eq!(duration.to_string(), written);
        }
    }

    #[test]
    fn rejects_text_that_is_not_a_duration() {
        for text in ["", "5", "s", "5 s", "-5s", "+5s", "1.5s", "5S", "5d", "1m30s", "٥s"] {
            assert_eq!(text.parse::<DurationText>(), Err(DurationError::Syntax), "{text:?}");
        }
        for text in ["8761h", "99999999999999999999s", "18446744073709551615h"] {
            assert_eq!(text.parse::<DurationText>(), Err(DurationError::TooLong), "{text:?}");
        }
    }
}
