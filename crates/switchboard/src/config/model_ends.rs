//! Announced end-of-life dates of models.
//!
//! The table is a dated copy of what the providers publish. It has two uses: a test requires that no built-in default
//! ends within [`NOTICE_DAYS`] of the date of the table (not of today, so that the test does not fail by itself), and
//! `switchboard doctor` compares the models in use with the current date.

mod model_end;
mod table;

pub use model_end::{Announcer, ModelEnd, NOTICE_DAYS};
pub use table::AS_OF;

/// The announced end of a model, by its name in a request.
///
/// The provider does not matter: a proxy, or another provider with the same model name, follows the maker. AWS has its
/// own names and dates, which are not in the table.
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
    fn an_end_is_near_for_the_last_ninety_days() {
        let end = end_of("claude-sonnet-4-5-20250929").unwrap();
        assert_eq!((end.date, end.by.name), (date(2026, 11, 30), "Anthropic"));
        assert!(!end.is_near(date(2026, 8, 31)));
        assert!(end.is_near(date(2026, 9, 1)), "90 days are left");
        assert!(end.is_near(date(2030, 1, 1)), "long past");
        assert_eq!(end_of("no-such-model"), None);
    }
}
