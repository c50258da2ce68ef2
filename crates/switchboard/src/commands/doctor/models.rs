//! The check of the models in use: which of them have reached, or will soon reach, their end of life.

use std::{collections::BTreeMap, fmt::Write as _};

use breaker::ModelKey;
use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::{diagnosis::Diagnosis, finding::Check};
use crate::config::{
    Config,
    model_ends::{AS_OF, ModelEnd, end_of},
};

const ADVICE: &str = "use another model: in the route's models, or for a task in DEFAULT_PLANNER_MODEL, \
                      FALLBACK_OPENAI_PLANNER_MODEL and so on; successors are listed at";

/// The current date in UTC.
pub(super) fn today() -> Date {
    Timestamp::now().to_zoned(TimeZone::UTC).date()
}

/// Compares the configured models with the announced ends, as of `today`.
pub(super) fn examine(config: &Config, today: Date, diagnosis: &mut Diagnosis) {
    let places = places(config);
    let count = places.len();
    let mut ending: Vec<_> = places
        .into_iter()
        .filter_map(|(key, places)| Some((end_of(key.model())?, key, places)))
        .filter(|(end, ..)| end.is_near(today))
        .collect();
    if ending.is_empty() {
        return diagnosis.ok(
            Check::Models,
            format_args!("{count} configured; no announced end within 90 days (as of {AS_OF})"),
        );
    }
    ending.sort_by_key(|(end, key, _)| (end.date, *key));
    let found: Vec<_> = ending.iter().map(|(end, key, places)| describe(end, key, places, today)).collect();
    diagnosis.warn(Check::Models, found.join("; "), advice(ending.iter().map(|(end, ..)| *end)));
}

/// Where each model is configured.
fn places(config: &Config) -> BTreeMap<&ModelKey, Vec<String>> {
    let mut places = BTreeMap::<_, Vec<_>>::new();
    for (name, route) in &config.routes {
        for key in route.keys() {
            places.entry(key).or_default().push(format!("route {name}"));
        }
    }
    for key in config.policies.models.keys() {
        places.entry(key).or_default().push(format!("[models.{:?}]", key.as_str()));
    }
    places
}

fn describe(end: &ModelEnd, key: &ModelKey, places: &[String], today: Date) -> String {
    let verb = if end.date <= today { "ended" } else { "ends" };
    format!("{key} {verb} on {} according to {}: {}", end.date, end.by.name, places.join(", "))
}

fn advice<'a>(ends: impl Iterator<Item = &'a ModelEnd>) -> String {
    let mut pages: Vec<_> = ends.map(|end| end.by.page).collect();
    pages.sort_unstable();
    pages.dedup();
    let mut advice = ADVICE.to_owned();
    for page in pages {
        // Writing to a String cannot fail.
        _ = write!(advice, " {page}");
    }
    advice
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::{
        commands::doctor::finding::{Finding, Verdict},
        config::{Environment, SourceFile, Sources},
    };

    fn finding(text: &str, today: Date) -> Finding {
        let variables = [("OPENAI_API_KEY", "k"), ("ANTHROPIC_API_KEY", "k")];
        let file = SourceFile { path: "f.toml".into(), text: text.to_owned() };
        let environment = Environment::from_pairs(variables);
        let config = Config::load(&Sources { file: Some(file), environment, listen: None }).unwrap();
        let mut diagnosis = Diagnosis::default();
        examine(&config, today, &mut diagnosis);
        diagnosis.finish().into_iter().find(|finding| finding.check == Check::Models).unwrap()
    }

    const ROUTES: &str = "[routes.a]\nmodels = ['anthropic:claude-sonnet-4-5', 'openai:gpt-5']\n\
                          [routes.b]\nmodels = ['openai:gpt-5', 'openai:mine']\n\
                          [models.'openai:gpt-5'.breaker]\nmode = 'observe'";

    #[test]
    fn an_end_is_reported_with_its_places_and_advice() {
        let Finding { verdict, found, advice, .. } = finding(ROUTES, date(2026, 12, 1));
        assert_eq!(verdict, Verdict::Warning);
        assert_eq!(
            found,
            "anthropic:claude-sonnet-4-5 ended on 2026-11-30 according to Anthropic: route a; \
             openai:gpt-5 ends on 2026-12-11 according to OpenAI: route a, route b, [models.\"openai:gpt-5\"]"
        );
        let advice = advice.unwrap();
        for part in ["DEFAULT_PLANNER_MODEL", "developers.openai.com", "platform.claude.com"] {
            assert!(advice.contains(part), "{advice}");
        }
    }

    #[test]
    fn the_verdict_depends_on_the_date() {
        assert_eq!(finding(ROUTES, date(2026, 8, 31)).verdict, Verdict::Ok, "91 days before the first end");
        let found = finding(ROUTES, date(2026, 9, 1)).found;
        assert!(found.contains("sonnet-4-5 ends on 2026-11-30") && !found.contains("gpt-5"), "{found}");
    }

    #[test]
    fn the_defaults_are_ok() {
        let Finding { verdict, found, advice, .. } = finding("", AS_OF);
        assert_eq!((verdict, advice), (Verdict::Ok, None), "{found}");
    }
}
