//! Names that are nearly a route's. Without this, a typing error would go to a provider as the name of a model, and come back
//! as an error in the provider's words.

/// A name of at least this many letters may have two errors, a shorter one has one.
const MIN_CHARS_FOR_TWO_EDITS: usize = 8;

/// How names of models begin that vendors give out. A route may be named nearly like one of them.
const MODEL_FAMILIES: [&str; 14] = [
    "claude-",
    "codestral-",
    "command-",
    "dall-e-",
    "deepseek-",
    "gemini-",
    "gemma-",
    "gpt-",
    "grok-",
    "llama-",
    "mistral-",
    "qwen",
    "text-embedding-",
    "whisper-",
];

/// The nearest route, if `name` is a route's name with a typing error: one letter more, less, other or exchanged with the
/// next one; two of these from [`MIN_CHARS_FOR_TWO_EDITS`] letters on. Names that differ in digits and punctuation alone are
/// versions of a model (`gpt-5.4-mini`, `gpt-5.1-mini`).
pub(crate) fn mistyped<'r>(name: &str, routes: impl Iterator<Item = &'r str>) -> Option<&'r str> {
    let name = name.to_lowercase();
    if MODEL_FAMILIES.iter().any(|family| name.starts_with(family)) {
        return None;
    }
    let length = name.chars().count();
    let near = routes.filter_map(|route| {
        let known = route.to_lowercase();
        let route_length = known.chars().count();
        let edits = if route_length < MIN_CHARS_FOR_TWO_EDITS { 1 } else { 2 };
        // The distance is at least the difference in length, and this is cheap.
        if length.abs_diff(route_length) > edits || known != name && letters(&known).eq(letters(&name)) {
            return None;
        }
        let distance = strsim::osa_distance(&name, &known);
        (distance <= edits).then_some((distance, route))
    });
    near.min().map(|(_, route)| route)
}

fn letters(name: &str) -> impl Iterator<Item = char> {
    name.chars().filter(|letter| letter.is_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::mistyped;

    #[test]
    fn a_typing_error_finds_its_route() {
        let routes = ["assistant", "chat", "gpt-5-mini", "summarizer", "team2"];
        for (name, expected) in [
            ("asistant", Some("assistant")),
            ("asisstant", Some("assistant")),
            ("assitsant", Some("assistant")),
            ("asistent", Some("assistant")),
            ("asisten", None),
            ("Assistant", Some("assistant")),
            ("chta", Some("chat")),
            ("chatt", Some("chat")),
            ("char", Some("chat")),
            ("cht2", None),
            ("sumarizer", Some("summarizer")),
            ("summariser", Some("summarizer")),
            // Versions and families of models.
            ("team3", None),
            ("gpt-5.4-mini", None),
            ("gpt-5-mono", None),
            ("claude-chat", None),
            ("llama3", None),
            ("", None),
        ] {
            assert_eq!(mistyped(name, routes.into_iter()), expected, "{name}");
        }
    }

    #[test]
    fn the_nearest_route_is_named() {
        assert_eq!(mistyped("plannerr", ["planner-b", "planner"].into_iter()), Some("planner"));
    }
}
