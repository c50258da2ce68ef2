//! `.env` files, as docker-compose reads them: comments, `export`, quotes, a byte order mark. The one difference: only
//! `${NAME}` and `${NAME:-default}` are replaced, and any other `$` is itself, since keys and passwords contain it.
//!
//! A file belongs to several programs, so a line that cannot be read is no error by itself: it is the value of its
//! variable, and whoever asks for that variable hears of it.

use std::collections::HashMap;

/// A variable of a `.env` file.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Assignment {
    pub(super) name: String,
    /// Counted from 1.
    pub(super) line: usize,
    pub(super) value: Result<String, LineError>,
}

/// Why a line has no value. It never quotes the line, which may contain a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum LineError {
    #[error("expected NAME=value")]
    NoAssignment,
    #[error("has no closing quote; put a value that contains quotes in quotes of the other kind")]
    UnclosedQuote,
    #[error("has text after its closing quote; put all of the value in quotes")]
    TextAfterQuote,
    #[error("is not UTF-8; save the file as UTF-8")]
    NotUtf8,
    #[error(
        "uses ${{{0}}}, which is not set; set it, give a default as ${{{0}:-default}}, or put a literal ${{ in single quotes"
    )]
    Unset(String),
    #[error("is longer than all variables of the file may be together; each ${{NAME}} repeats a value")]
    TooLong,
}

/// A default in a default, and so on: this deep, and no deeper, since each level is a call.
const MAX_NESTED_DEFAULTS: usize = 8;

/// What the variables of a file may have together, besides as many bytes as the file has. Each line can repeat the value of the
/// one before twice, so that a few lines would fill all memory.
const MAX_EXPANDED_BYTES: usize = 1024 * 1024;

/// The variables of the text in its order. `process` has the variables that win over it, also in `${NAME}`. `is_ours`: a line
/// that sets one of these ends a quoted value that no one closed.
pub(super) fn parse(
    text: &str,
    process: impl Fn(&str) -> Option<String>,
    is_ours: impl Fn(&str) -> bool,
) -> Vec<Assignment> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    let mut assignments: Vec<Assignment> = Vec::new();
    let mut latest: HashMap<&str, usize> = HashMap::new();
    let mut left_bytes = text.len() + MAX_EXPANDED_BYTES;
    let (mut rest, mut line) = (text.as_str(), 1);
    while !rest.is_empty() {
        let (this_line, next) = rest.split_once('\n').unwrap_or((rest, ""));
        let mut read_lines = 1;
        let mut after = next;
        if let Some((name, raw)) = split_name(this_line) {
            let value = match raw {
                None if is_ours(name) => Err(LineError::NoAssignment),
                // The name alone: docker-compose takes the process's variable, which wins anyway.
                None => Ok(None),
                Some(raw) => {
                    // Where the value stands in the rest of the text, which a quoted one may go on into.
                    let from_value = &rest[this_line.len() - raw.len()..];
                    read_value(from_value, raw, &is_ours).map(|(value, end)| {
                        let end = this_line.len() - raw.len() + end;
                        read_lines = rest[..end].matches('\n').count() + 1;
                        after = rest[end..].split_once('\n').map_or("", |(_, after)| after);
                        Some(value)
                    })
                }
            };
            let lookup = |name: &str| {
                let before = || assignments.get(*latest.get(name)?);
                process(name).or_else(|| before()?.value.clone().ok())
            };
            let value = value.and_then(|raw| raw.map(|raw| raw.finish(&lookup, left_bytes)).transpose());
            if let Some(value) = value.transpose() {
                left_bytes -= value.as_ref().map_or(0, String::len);
                latest.insert(name, assignments.len());
                assignments.push(Assignment { name: name.to_owned(), line, value });
            }
        }
        (rest, line) = (after, line + read_lines);
    }
    assignments
}

/// The name of a line, and what stands behind its `=`. `None`: no variable, such as a comment.
fn split_name(line: &str) -> Option<(&str, Option<&str>)> {
    let line = line.trim_start();
    let line =
        line.strip_prefix("export").filter(|rest| rest.starts_with([' ', '\t'])).unwrap_or(line).trim_start();
    let is_in_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '[' | ']');
    let end = line.find(|c| !is_in_name(c)).unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    let value = rest.trim_start().strip_prefix(['=', ':']);
    (!name.is_empty()).then_some((name, value))
}

/// A value as it stands in the file, without its quotes.
enum RawValue<'a> {
    /// Nothing is replaced but `\'`.
    SingleQuoted(&'a str),
    DoubleQuoted(&'a str),
    Unquoted(&'a str),
}

/// The value at the beginning of the text, and where it ends; `line` is what its own line has of it.
fn read_value<'a>(
    text: &'a str,
    line: &'a str,
    is_ours: impl Fn(&str) -> bool,
) -> Result<(RawValue<'a>, usize), LineError> {
    let blanks = line.len() - line.trim_start().len();
    let Some(quote) = line[blanks..].chars().next().filter(|first| matches!(first, '"' | '\'')) else {
        // Without a blank before it, it is part of the value, as in a colour.
        let comment = line.match_indices('#').find(|(at, _)| line[..*at].ends_with([' ', '\t']));
        let value = line[..comment.map_or(line.len(), |(at, _)| at)].trim();
        return match value.contains(char::REPLACEMENT_CHARACTER) {
            true => Err(LineError::NotUtf8),
            false => Ok((RawValue::Unquoted(value), line.len())),
        };
    };
    let quoted = &text[blanks + 1..];
    let mut escaped = false;
    let end = quoted.find(|c| {
        let is_end = c == quote && !escaped;
        escaped = c == '\\' && !escaped;
        is_end
    });
    let (value, after) = quoted.split_at(end.ok_or(LineError::UnclosedQuote)?);
    // The quote that ends it may be the first of another line's value.
    let swallows =
        |line: &str| split_name(line).is_some_and(|(name, value)| value.is_some() && is_ours(name));
    if value.lines().skip(1).any(swallows) {
        return Err(LineError::UnclosedQuote);
    }
    let after = after[1..].lines().next().unwrap_or_default().trim();
    if !after.is_empty() && !after.starts_with('#') {
        return Err(LineError::TextAfterQuote);
    }
    if value.contains(char::REPLACEMENT_CHARACTER) {
        return Err(LineError::NotUtf8);
    }
    let raw = if quote == '\'' { RawValue::SingleQuoted(value) } else { RawValue::DoubleQuoted(value) };
    Ok((raw, blanks + value.len() + 2))
}

impl RawValue<'_> {
    /// `max_bytes`: the longest that it may be.
    fn finish(
        &self,
        lookup: &impl Fn(&str) -> Option<String>,
        max_bytes: usize,
    ) -> Result<String, LineError> {
        let mut filled = Filled { text: String::new(), max_bytes };
        match self {
            Self::SingleQuoted(text) => filled.push(&text.replace("\\'", "'"))?,
            Self::DoubleQuoted(text) => fill(text, true, lookup, MAX_NESTED_DEFAULTS, &mut filled)?,
            Self::Unquoted(text) => fill(text, false, lookup, MAX_NESTED_DEFAULTS, &mut filled)?,
        }
        Ok(filled.text)
    }
}

/// A value, as far as it is filled in.
struct Filled {
    text: String,
    max_bytes: usize,
}

impl Filled {
    fn push(&mut self, text: &str) -> Result<(), LineError> {
        if self.text.len() + text.len() > self.max_bytes {
            return Err(LineError::TooLong);
        }
        self.text.push_str(text);
        Ok(())
    }
}

/// Appends the text with its variables replaced and, where there are any, its escapes.
fn fill(
    text: &str,
    has_escapes: bool,
    lookup: &impl Fn(&str) -> Option<String>,
    depth: usize,
    filled: &mut Filled,
) -> Result<(), LineError> {
    let mut rest = text;
    while let Some(at) = rest.find(['\\', '$']) {
        let (before, special) = rest.split_at(at);
        filled.push(before)?;
        if depth > 0
            && let Some((reference, after)) = Reference::at_start(special)
        {
            match (lookup(reference.name), reference.default) {
                (Some(value), None) => filled.push(&value)?,
                (Some(value), Some(_)) if !value.is_empty() => filled.push(&value)?,
                (_, Some(default)) => fill(default, has_escapes, lookup, depth - 1, filled)?,
                (None, None) => return Err(LineError::Unset(reference.name.to_owned())),
            }
            rest = after;
            continue;
        }
        let mut chars = special.chars();
        let first = chars.next();
        let replaced =
            (first == Some('\\') && has_escapes).then(|| chars.clone().next()).flatten().and_then(unescape);
        if replaced.is_some() {
            chars.next();
        }
        filled.text.extend(replaced.or(first));
        rest = chars.as_str();
    }
    filled.push(rest)
}

/// What a backslash and this character stand for. With any other, the backslash is itself.
const fn unescape(c: char) -> Option<char> {
    match c {
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        '\\' | '"' | '$' => Some(c),
        _ => None,
    }
}

/// `${NAME}` or `${NAME:-default}`.
struct Reference<'a> {
    name: &'a str,
    default: Option<&'a str>,
}

impl<'a> Reference<'a> {
    /// The one at the beginning of the text, and what follows it.
    fn at_start(text: &'a str) -> Option<(Self, &'a str)> {
        let inside = text.strip_prefix("${")?;
        let end = inside.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
        let (name, rest) = inside.split_at(end);
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        if let Some(after) = rest.strip_prefix('}') {
            return Some((Self { name, default: None }, after));
        }
        let default = rest.strip_prefix(":-")?;
        let mut open = 0;
        let end = default.char_indices().find_map(|(at, c)| match c {
            '{' if default[..at].ends_with('$') => {
                open += 1;
                None
            }
            '}' if open == 0 => Some(at),
            '}' => {
                open -= 1;
                None
            }
            _ => None,
        })?;
        let (default, after) = default.split_at(end);
        Some((Self { name, default: Some(default) }, &after[1..]))
    }
}

#[cfg(test)]
mod tests;
