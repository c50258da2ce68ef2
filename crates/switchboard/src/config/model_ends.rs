//! Which models end, and when, as far as their providers have said so.
//!
//! The table is a copy of what the providers publish, and has a date of its own. Two things go by it: a built-in
//! default must not end within [`NOTICE_DAYS`] of the table's date (a test, which the passing of time cannot break),
//! and `switchboard doctor` compares the models in use with the day on which it runs.

use jiff::{ToSpan as _, civil::Date};

mod table;

pub use table::AS_OF;

/// So many days before its end a model is no longer to be relied on: a release and its roll-out take weeks.
pub const NOTICE_DAYS: i32 = 90;

/// A provider that announces the ends of its models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announcer {
    /// Its name.
    pub name: &'static str,
    /// Its page of ends, which also names the models that follow.
    pub page: &'static str,
}

/// The announced end of some models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelEnd {
    /// The first day on which the name answers no longer, or with another model.
    pub date: Date,
    /// Who has announced it.
    pub by: Announcer,
    /// The models, by the names that a request has.
    pub models: &'static [&'static str],
}

impl ModelEnd {
    /// Whether the end is past on that day, or at most [`NOTICE_DAYS`] away.
    #[must_use]
    pub fn is_near(&self, day: Date) -> bool {
        self.date <= day.saturating_add(NOTICE_DAYS.days())
    }
}

/// The end of a model, by the name that a request has; `None`: none is known.
///
/// Whoever serves it: a proxy, or another provider with the same name for it, passes the maker's end on. AWS gives
/// its models other names and ends of its own, which the table does not have.
#[must_use]
pub fn end_of(model: &str) -> Option<&'static ModelEnd> {
    table::ENDS.iter().find(|end| end.models.contains(&model))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiff::civil::date;

    use super::*;
    use crate::config::tasks::default_models;

    /// Files whose models people copy.
    const EXAMPLES: [(&str, &str); 5] = [
        ("README.md", include_str!("../../../../README.md")),
        (".env.example", include_str!("../../../../.env.example")),
        ("switchboard.example.toml", include_str!("../../../../switchboard.example.toml")),
        ("permits.py", include_str!("../../../../examples/python/permits.py")),
        ("permits.ts", include_str!("../../../../examples/typescript/permits.ts")),
    ];

    fn ends_soon(model: &str) -> bool {
        end_of(model).is_some_and(|end| end.is_near(AS_OF))
    }

    #[test]
    fn no_default_ends_soon() {
        let defaults: Vec<_> = default_models().collect();
        assert_eq!(defaults.len(), 25, "five tasks, each with a first model and four fallbacks");
        for (task, model) in defaults {
            assert!(!ends_soon(model), "{task}: {model}: {:?}", end_of(model));
        }
    }

    #[test]
    fn no_example_ends_soon() {
        for (file, text) in EXAMPLES {
            let words = text.split(|c: char| !c.is_ascii_alphanumeric() && !"-._".contains(c));
            for word in words.map(|word| word.trim_end_matches('.')) {
                assert!(!ends_soon(word), "{file}: {word}: {:?}", end_of(word));
            }
        }
    }

    #[test]
    fn every_model_stands_in_the_table_once_and_the_dates_ascend() {
        let all: Vec<_> = table::ENDS.iter().flat_map(|end| end.models).collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        assert!(table::ENDS.is_sorted_by_key(|end| (end.by.name, end.date)));
    }

    #[test]
    fn an_end_is_near_from_ninety_days_before_it() {
        let end = end_of("claude-sonnet-4-5-20250929").unwrap();
        assert_eq!((end.date, end.by.name), (date(2026, 11, 30), "Anthropic"));
        assert!(!end.is_near(date(2026, 8, 31)));
        assert!(end.is_near(date(2026, 9, 1)), "90 days are left");
        assert!(end.is_near(date(2030, 1, 1)), "long past");
        assert_eq!(end_of("no-such-model"), None);
    }
}
