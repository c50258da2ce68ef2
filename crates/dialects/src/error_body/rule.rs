//! A row of the table of vendors' words, and when it fits.

use super::text::ErrorText;

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub(super) struct ErrorRule {
    /// Who says it.
    pub(super) vendor: &'static str,
    /// With these statuses; empty: with any of the caller's side (4xx). An error inside a 200 needs none.
    pub(super) statuses: &'static [u16],
    /// Its type or code is one of these; empty: whatever it is.
    pub(super) names: &'static [&'static str],
    /// Its message begins with this, in lower case. `…` stands for any text, `{model}` for the requested model's name.
    pub(super) words: &'static str,
    /// The status and the body of an example; 200: it is inside an answer.
    pub(super) sample: (u16, &'static str),
    /// Where it was seen. "recorded": in a public recording of the vendor's traffic. "unverified": nobody has shown it.
    pub(super) source: &'static str,
}

impl ErrorRule {
    pub(super) fn fits(&self, error: &ErrorText<'_>) -> bool {
        let status_fits = match (error.status, self.statuses) {
            (None, _) => true,
            (Some(status), []) => (400..500).contains(&status),
            (Some(status), statuses) => statuses.contains(&status),
        };
        let name_fits = || {
            let mut names = error.identifiers.iter();
            self.names.is_empty()
                || names.any(|name| self.names.iter().any(|listed| name.eq_ignore_ascii_case(listed)))
        };
        // Without a status, words have to say it: a row of statuses alone means nothing there.
        let says_something = error.status.is_some() || !self.names.is_empty() || !self.words.is_empty();
        status_fits
            && says_something
            && name_fits()
            && begins_with(self.words, &error.message, error.model.as_deref())
    }
}

/// The requested model's name in a row.
pub(super) const MODEL: &str = "{model}";

/// Whether a message begins with the words of a row.
fn begins_with(words: &str, message: &str, model: Option<&str>) -> bool {
    let mut rest = message;
    let mut is_start = true;
    for piece in words.split('…') {
        if !piece.is_empty() {
            let Some(end) = find_piece(rest, piece, model, is_start) else { return false };
            rest = &rest[end..];
        }
        is_start = false;
    }
    true
}

/// Where a piece without `…` ends in a text: at its start only, or anywhere.
fn find_piece(text: &str, piece: &str, model: Option<&str>, at_start: bool) -> Option<usize> {
    let Some((before, after)) = piece.split_once(MODEL) else {
        return if at_start { text.starts_with(piece).then_some(piece.len()) } else { end_of(text, piece) };
    };
    let Some(model) = model else {
        // Nobody knows which one was requested: any name will do.
        let start =
            if at_start { text.starts_with(before).then_some(before.len()) } else { end_of(text, before) }?;
        return Some(start + end_of(&text[start..], after)?);
    };
    let piece = [before, model, after].concat();
    text.match_indices(&piece).find_map(|(start, _)| {
        let (name, end) = (start + before.len(), start + piece.len());
        let is_whole = (!before.is_empty() || !text[..name].ends_with(is_name_char))
            && (!after.is_empty() || !text[end..].starts_with(is_name_char));
        (is_whole && (!at_start || start == 0)).then_some(end)
    })
}

fn end_of(text: &str, piece: &str) -> Option<usize> {
    text.find(piece).map(|start| start + piece.len())
}

/// `gpt-5` is not `gpt-5-mini`. A colon may follow: Ollama adds the tag.
fn is_name_char(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "-_".contains(letter)
}

#[cfg(test)]
mod tests {
    use super::begins_with;

    #[test]
    fn patterns() {
        for (words, message, expected) in [
            ("", "anything", true),
            ("model not exist", "model not exist", true),
            ("model not exist", "the model not exist", false),
            ("…context length", "this model's maximum context length is 8", true),
            (
                "request too large for …limit … requested",
                "request too large for m: limit 3, requested 4",
                true,
            ),
            (
                "request too large for …limit … requested",
                "request too large for m: requested 4, limit 3",
                false,
            ),
            ("{model} is not", "org/m is not a valid model id", true),
            ("{model} is not", "other/org/m is not a valid model id", false),
            ("model '{model}…not found", "model 'org/m:latest' not found", true),
            ("model '{model}…not found", "model 'org/m-fast' not found", false),
            ("model: {model}", "model: org/m", true),
            ("model: {model}", "model: org/m-2", false),
            ("…/{model}`", "projects/p/org/m` not found", true),
        ] {
            assert_eq!(begins_with(words, message, Some("org/m")), expected, "{words} {message}");
        }
        assert!(begins_with("the model `{model}` does", "the model `x` does not exist", None));
        assert!(!begins_with("the model `{model}` does", "a model `x` does not exist", None));
    }
}
