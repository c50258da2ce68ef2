//! Waits that a body says in words, or in a copy of its headers.

use std::time::Duration;

use serde_json::Value;

/// What stands before a wait, in lower case.
///
/// Sources: "Please try again in 20s" (OpenAI, Groq: github.com/n3d1117/chatgpt-telegram-bot/pull/341), "Please retry after 3
/// seconds" (Azure: github.com/microsoft/action-python/issues/12), "Try again in 2 seconds" (Azure:
/// github.com/microsoft/copilot-camp/issues/551), "try again after 1 seconds" (Kimi:
/// github.com/harry0703/MoneyPrinterTurbo/issues/339), "Please retry in 56.4s" (Google:
/// github.com/google-gemini/gemini-cli/issues/22486), "Your quota will reset after 5h59m59s" (Google:
/// github.com/Wei-Shaw/claude-relay-service/issues/746).
const BEFORE: [&str; 6] =
    ["try again in ", "try again after ", "retry after ", "retry in ", "will reset after ", "please wait "];

/// The wait that the message of a 429 names, in lower case.
pub(super) fn delay_in_words(message: &str) -> Option<Duration> {
    BEFORE
        .iter()
        .filter_map(|before| message.split_once(before))
        .find_map(|(_, wait)| parse_wait(wait))
        .filter(|wait| !wait.is_zero())
}

/// `20s`, `1m3.2s`, `6ms`, `2 seconds`, `1 minute`. Words without a unit say nothing.
fn parse_wait(text: &str) -> Option<Duration> {
    let mut total = None;
    let mut rest = text;
    while rest.starts_with(|letter: char| letter.is_ascii_digit()) {
        let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(end);
        let after = after.strip_prefix(' ').unwrap_or(after);
        let unit_end = after.find(|letter: char| !letter.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let seconds = match unit {
            "ms" | "millisecond" | "milliseconds" => 1e-3,
            "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
            "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
            "h" | "hour" | "hours" => 3_600.0,
            "d" | "day" | "days" => 86_400.0,
            _ => break,
        };
        let part: f64 = number.trim_end_matches('.').parse().ok()?;
        let part = Duration::try_from_secs_f64(part * seconds).ok()?;
        total = Some(total.unwrap_or(Duration::ZERO).checked_add(part)?);
        rest = after;
    }
    total
}

/// OpenRouter repeats its headers in the body: `X-RateLimit-Reset` is a time in Unix milliseconds, and counts once nothing
/// remains (openrouter.ai/docs/api-reference/limits).
pub(super) fn reset_in_headers(headers: &Value) -> Option<u64> {
    let header = |name: &str| {
        let mut fields = headers.as_object()?.iter();
        fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    };
    let number = |value: &Value| match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64(),
    };
    let remaining: u64 = number(header("x-ratelimit-remaining")?)?;
    (remaining == 0).then(|| number(header("x-ratelimit-reset")?)).flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{delay_in_words, reset_in_headers};

    #[test]
    fn waits_in_words() {
        for (message, ms) in [
            ("limit: 3 / min. please try again in 20s. contact us", Some(20_000)),
            ("please try again in 1m3.2s. visit", Some(63_200)),
            ("please try again in 6ms.", Some(6)),
            ("please try again in 7m12s", Some(432_000)),
            ("pricing tier. please retry after 3 seconds. please go here", Some(3_000)),
            ("rate limit is exceeded. try again in 1 second.", Some(1_000)),
            ("max request: 3, please try again after 1 seconds", Some(1_000)),
            ("* quota exceeded\nplease retry in 56.42777108s.", Some(56_427)),
            ("your quota will reset after 5h59m59s.", Some(21_599_000)),
            ("please try again in 0s", None),
            ("please try again in a few minutes", None),
            ("please try again later", None),
            ("please retry after 20", None),
            ("try again in 5.", None),
            ("try again in 1e300s", None),
            ("limit 20s", None),
        ] {
            assert_eq!(delay_in_words(message).map(|wait| wait.as_millis()), ms, "{message}");
        }
    }

    #[test]
    fn resets_in_headers() {
        let headers = json!({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1741305600000"});
        assert_eq!(reset_in_headers(&headers), Some(1_741_305_600_000));
        let left = json!({"x-ratelimit-remaining": 3, "x-ratelimit-reset": 1_741_305_600_000_u64});
        assert_eq!(reset_in_headers(&left), None);
        for odd in [json!(null), json!([1]), json!({"X-RateLimit-Remaining": "0"})] {
            assert_eq!(reset_in_headers(&odd), None, "{odd}");
        }
    }
}
