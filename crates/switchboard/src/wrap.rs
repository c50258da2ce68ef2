//! Text that fits a width, in characters. Those that take two columns are rare in names of models and count as one.

/// The text, or its beginning and "…" if it is wider.
#[must_use]
pub fn shorten(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut kept: String = text.chars().take(width.saturating_sub(1)).collect();
    kept.truncate(kept.trim_end().len());
    kept.extend((width > 0).then_some('…'));
    kept
}

/// Lines of the text, broken between words; a word that is wider than a line is broken within.
#[must_use]
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split(' ') {
        let mut word: Vec<char> = word.chars().collect();
        if used > 0 && used + 1 + word.len() > width {
            lines.push(std::mem::take(&mut line));
            used = 0;
        } else if used > 0 {
            line.push(' ');
            used += 1;
        }
        while word.len() > width {
            let rest = word.split_off(width);
            lines.push(word.into_iter().collect());
            word = rest;
        }
        used += word.len();
        line.extend(word);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_off_is_marked() {
        for (width, expected) in [(9, "reason no"), (8, "reason…"), (3, "re…"), (1, "…"), (0, "")] {
            assert_eq!(shorten("reason no", width), expected, "{width}");
        }
    }

    #[test]
    fn lines_end_between_words() {
        for (width, expected) in [
            (40, &["set it to http://host/path, or else"][..]),
            (22, &["set it to", "http://host/path, or", "else"]),
            (8, &["set it", "to", "http://h", "ost/path", ", or", "else"]),
        ] {
            assert_eq!(wrap("set it to http://host/path, or else", width), expected, "{width}");
        }
        assert_eq!(wrap("", 5), [""]);
    }
}
