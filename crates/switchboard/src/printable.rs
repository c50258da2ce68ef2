//! What may reach a terminal or a log. Values from Redis, servers, files and callers may hold escape sequences that
//! rewrite the screen, line breaks that forge a line, and marks that reverse the order of letters.

use std::{borrow::Cow, iter::Peekable, str::CharIndices};

/// Whether this character does something else than being seen: the control characters, of seven and eight bits, the separators of
/// lines, and the marks of writing direction.
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text on one line.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if is_unprintable(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// The text with its line breaks and tabs: it comes from a model.
#[must_use]
pub fn printable_lines(text: &str) -> String {
    let is_kept = |c: char| !is_unprintable(c) || matches!(c, '\n' | '\t');
    text.chars().map(|c| if is_kept(c) { c } else { char::REPLACEMENT_CHARACTER }).collect()
}

/// What a terminal may get besides text: line breaks and tabs, and, if `colour`, the codes of colours.
pub(crate) fn for_terminal(text: &str, colour: bool) -> Cow<'_, str> {
    let keep = |c: char| matches!(c, '\n' | '\t');
    replaced(text, colour, keep, |_, cleaned| cleaned.push(char::REPLACEMENT_CHARACTER))
}

/// A line of the log, without its end: escaped, so that nothing is lost and JSON stays JSON.
pub(crate) fn for_log(line: &str, colour: bool) -> Cow<'_, str> {
    replaced(line, colour, |_| false, |c, cleaned| cleaned.push_str(&format!("\\u{:04x}", u32::from(c))))
}

/// JSON with the escapes that serializers leave out.
pub(crate) fn for_json(text: &str) -> Cow<'_, str> {
    let escape = |c: char, cleaned: &mut String| cleaned.push_str(&format!("\\u{:04x}", u32::from(c)));
    replaced(text, false, |c| c == '\n', escape)
}

fn replaced(
    text: &str,
    colour: bool,
    is_kept: impl Fn(char) -> bool,
    replace: impl Fn(char, &mut String),
) -> Cow<'_, str> {
    if !text.chars().any(is_unprintable) {
        return Cow::Borrowed(text);
    }
    let mut cleaned = String::with_capacity(text.len() + 8);
    let mut characters = text.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        match c {
            '\u{1b}' if colour && let Some(code) = colour_code(&text[at..]) => {
                cleaned.push_str(code);
                skip(&mut characters, at + code.len());
            }
            c if is_unprintable(c) && !is_kept(c) => replace(c, &mut cleaned),
            c => cleaned.push(c),
        }
    }
    Cow::Owned(cleaned)
}

fn skip(characters: &mut Peekable<CharIndices<'_>>, to: usize) {
    while characters.next_if(|(at, _)| *at < to).is_some() {}
}

/// The escape sequence that the text begins with, if it only sets a colour.
fn colour_code(text: &str) -> Option<&str> {
    let parameters = text.strip_prefix("\u{1b}[")?;
    let length = parameters.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    // 8 hides the text behind it.
    let hides = parameters[..length].split(';').any(|number| number.trim_start_matches('0') == "8");
    (parameters[length..].starts_with('m') && !hides).then(|| &text[..length + 3])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Clears the screen; colours by a sequence of eight bits; forges a line; reverses what follows.
    const HOSTILE: &str = "a\u{1b}[2Jb\u{9b}31mc\nd\u{202e}e\rf\u{7}";

    #[test]
    fn nothing_reaches_a_terminal_but_text_and_colours() {
        assert_eq!(printable(HOSTILE), "a\u{fffd}[2Jb\u{fffd}31mc\u{fffd}d\u{fffd}e\u{fffd}f\u{fffd}");
        assert_eq!(for_terminal(HOSTILE, true), "a\u{fffd}[2Jb\u{fffd}31mc\nd\u{fffd}e\u{fffd}f\u{fffd}");
        let coloured = "\u{1b}[38;5;10mgood\u{1b}[0m";
        assert_eq!(for_terminal(coloured, true), coloured);
        assert_eq!(for_terminal(coloured, false), "\u{fffd}[38;5;10mgood\u{fffd}[0m");
        assert_eq!(for_terminal("\u{1b}[8mhidden", true), "\u{fffd}[8mhidden");
        assert_eq!(for_terminal("\u{1b}[31", true), "\u{fffd}[31");
    }

    #[test]
    fn a_line_of_the_log_stays_one_line() {
        let escaped = "a\\u001b[2Jb\\u009b31mc\\u000ad\\u202ee\\u000df\\u0007";
        assert_eq!(for_log(HOSTILE, false), escaped);
        assert_eq!(for_log(HOSTILE, true), escaped);
        assert_eq!(for_log("\u{1b}[32mINFO\u{1b}[0m", true), "\u{1b}[32mINFO\u{1b}[0m");
    }

    #[test]
    fn json_keeps_its_meaning() {
        let json = serde_json::to_string_pretty(&[HOSTILE]).unwrap();
        let printed = for_json(&json);
        assert!(!printed.contains(['\u{1b}', '\u{9b}', '\u{202e}']));
        assert_eq!(serde_json::from_str::<[String; 1]>(&printed).unwrap(), [HOSTILE]);
    }
}
