//! The words of an error.

/// An error's words, including the message. They are matched here and dropped.
pub(super) struct ErrorText<'a> {
    /// `None`: of an error inside a 200 that names none.
    pub(super) status: Option<u16>,
    /// Types, codes and reasons.
    pub(super) identifiers: Vec<&'a str>,
    /// In lower case, as the model.
    pub(super) message: String,
    /// The requested model; `None`: unknown.
    pub(super) model: Option<String>,
    pub(super) flagged: bool,
    /// Google names the quota: one for a day is not refilled by waiting a little.
    pub(super) daily_quota: bool,
}

/// No error says what it has to say later than here. What follows is the request, quoted.
const MAX_MESSAGE_LEN: usize = 2_048;

/// Where validators begin to quote what they were given.
const QUOTES: [&str; 3] = ["'input':", "\"input\":", "input_value="];

/// The words of a message in lower case, without what it quotes: a prompt may speak of credit and keys.
pub(super) fn words_of(message: &str) -> String {
    let mut end = message.len().min(MAX_MESSAGE_LEN);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    let words = message[..end].to_lowercase();
    let quoted = QUOTES.iter().filter_map(|quote| words.find(quote)).min();
    words[..quoted.unwrap_or(words.len())].to_owned()
}

#[cfg(test)]
mod tests {
    use super::words_of;

    #[test]
    fn what_is_quoted_is_no_word_of_the_error() {
        assert_eq!(words_of("Bad Field 'x', 'input': 'Insufficient balance'"), "bad field 'x', ");
        assert_eq!(words_of(&"é".repeat(2_000)).len(), 2_048);
    }
}
