//! The models that a caller may ask for, as patterns over the names that calls use.

use std::{fmt, str::FromStr};

/// The most characters of a [`ModelPattern`]: more than the longest name of a model.
const MAX_PATTERN_CHARS: usize = 512;

/// A pattern over the names of routes and model keys: `*` stands for any characters, also none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelPattern(String);

/// A text that is not a [`ModelPattern`]. Whoever wrote the configuration has to change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected the name of a route or model without blanks, * for any characters, such as \"openai:*\"")]
pub struct ModelPatternError;

/// The models that a caller may ask for. What a route then falls back on is the route's affair: a pattern is compared with
/// the name that was asked for (a route's name, or the key of a model).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedModels(Vec<ModelPattern>);

impl ModelPattern {
    /// Whether it covers this name.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let Some((start, rest)) = self.0.split_once('*') else { return self.0 == name };
        let Some(mut name) = name.strip_prefix(start) else { return false };
        let mut parts = rest.split('*').peekable();
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                return name.ends_with(part);
            }
            match name.split_once(part) {
                Some((_, after)) => name = after,
                None => return false,
            }
        }
        true
    }
}

impl FromStr for ModelPattern {
    type Err = ModelPatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_allowed = |letter: char| !letter.is_whitespace() && !letter.is_control();
        if text.is_empty() || text.chars().count() > MAX_PATTERN_CHARS || !text.chars().all(is_allowed) {
            return Err(ModelPatternError);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for ModelPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AllowedModels {
    /// What these patterns cover, and nothing else.
    #[must_use]
    pub const fn new(patterns: Vec<ModelPattern>) -> Self {
        Self(patterns)
    }

    /// Whether this route or model may be asked for.
    #[must_use]
    pub fn allows(&self, name: &str) -> bool {
        self.0.iter().any(|pattern| pattern.matches(name))
    }

    /// The patterns.
    pub fn patterns(&self) -> impl Iterator<Item = &ModelPattern> {
        self.0.iter()
    }
}

impl fmt::Display for AllowedModels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("no model");
        }
        let names: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, good, bad) in [
            ("planner", vec!["planner"], vec!["planner2", "a-planner", "Planner", ""]),
            (
                "openai:*",
                vec!["openai:gpt-5", "openai:"],
                vec!["openai", "openai-eu:gpt-5", "azure:openai:x"],
            ),
            ("*", vec!["", "planner", "openai:gpt-5"], vec![]),
            ("*:gpt-5", vec!["openai:gpt-5", "azure:gpt-5"], vec!["openai:gpt-5.6", "gpt-5"]),
            ("a*b*c", vec!["abc", "axxbxxc", "abcbc"], vec!["ab", "acb", "abcd", "xabc"]),
            ("a*a", vec!["aa", "aba"], vec!["a"]),
            ("a**b", vec!["ab", "axb"], vec!["a"]),
        ] {
            let pattern: ModelPattern = pattern.parse().unwrap();
            assert!(good.iter().all(|name| pattern.matches(name)), "{pattern} {good:?}");
            assert!(!bad.iter().any(|name| pattern.matches(name)), "{pattern} {bad:?}");
        }
        for bad in ["", "two words", "a\u{1b}", &"x".repeat(513)] {
            assert_eq!(bad.parse::<ModelPattern>(), Err(ModelPatternError), "{bad:?}");
        }
    }

    #[test]
    fn the_list_is_shown_in_order() {
        let allowed = |patterns: &[&str]| {
            AllowedModels::new(patterns.iter().map(|pattern| pattern.parse().unwrap()).collect())
        };
        let some = allowed(&["planner", "openai:*"]);
        assert!(some.allows("planner") && some.allows("openai:x") && !some.allows("anthropic:x"));
        assert_eq!(some.to_string(), "planner, openai:*");
        assert!(!allowed(&[]).allows("planner"));
        assert_eq!(allowed(&[]).to_string(), "no model");
    }
}
