//! The cooldown that a provider requests (B9).

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};

/// Pairs of headers: what remains of a limit, and when it resets.
///
/// Sources: OpenAI's and Anthropic's pages on rate limits, inference-docs.cerebras.ai/support/rate-limits (its four),
/// openrouter.ai/docs/api-reference/limits and docs.together.ai/docs/rate-limits (without a name behind), and
/// datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers of 2021.
const RATE_LIMIT_HEADERS: [(&str, &str); 12] = [
    ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
    ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    ("anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"),
    ("anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"),
    ("anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset"),
    ("anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-reset"),
    ("x-ratelimit-remaining-requests-minute", "x-ratelimit-reset-requests-minute"),
    ("x-ratelimit-remaining-requests-day", "x-ratelimit-reset-requests-day"),
    ("x-ratelimit-remaining-tokens-minute", "x-ratelimit-reset-tokens-minute"),
    ("x-ratelimit-remaining-tokens-day", "x-ratelimit-reset-tokens-day"),
    ("x-ratelimit-remaining", "x-ratelimit-reset"),
    ("ratelimit-remaining", "ratelimit-reset"),
];

/// Headers with a wait in milliseconds; the second is of Azure's API Management.
const MILLISECOND_HEADERS: [&str; 2] = ["retry-after-ms", "x-ms-retry-after-ms"];

/// The delay that the headers of a 429 request: `retry-after-ms`, else `retry-after`, else the longest of the reset
/// headers whose limit is used up. `None`: they have none, or one that is over.
///
/// Points in time are compared with the response's own `date`, so this machine's clock does not matter.
pub(crate) fn retry_delay(headers: &HeaderMap) -> Option<Duration> {
    let now = response_date(headers);
    parse_retry_after(headers, now)
        .or_else(|| RATE_LIMIT_HEADERS.iter().filter_map(|limit| until_reset(headers, *limit, now)).max())
        .filter(|delay| !delay.is_zero())
}

/// The same for `retry-after-ms` and `retry-after` alone, which any status may have.
pub(crate) fn requested_delay(headers: &HeaderMap) -> Option<Duration> {
    parse_retry_after(headers, response_date(headers)).filter(|delay| !delay.is_zero())
}

fn response_date(headers: &HeaderMap) -> SystemTime {
    header_text(headers, DATE.as_str())
        .and_then(|date| httpdate::parse_http_date(date).ok())
        .unwrap_or_else(SystemTime::now)
}

/// The wait until a point in Unix milliseconds; `None`: it is over.
pub(crate) fn delay_until(unix_ms: u64, headers: &HeaderMap) -> Option<Duration> {
    let then = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(unix_ms))?;
    duration_between(response_date(headers), then).filter(|delay| !delay.is_zero())
}

/// Azure sends `retry-after-ms: 0` beside `retry-after: 1`: a wait of nothing is none.
fn parse_retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let in_ms = || {
        let values = MILLISECOND_HEADERS.iter().filter_map(|name| header_text(headers, name));
        values.filter_map(|ms| parse_seconds(ms, 1e-3)).find(|delay| !delay.is_zero())
    };
    in_ms().or_else(|| {
        header_text(headers, RETRY_AFTER.as_str()).and_then(|value| parse_retry_after_value(value, now))
    })
}

fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// RFC 9110, section 10.2.3: whole seconds or an HTTP date. Providers also send fractions.
fn parse_retry_after_value(value: &str, now: SystemTime) -> Option<Duration> {
    parse_seconds(value, 1.0).or_else(|| duration_between(now, httpdate::parse_http_date(value).ok()?))
}

fn until_reset(headers: &HeaderMap, (remaining, reset): (&str, &str), now: SystemTime) -> Option<Duration> {
    if header_text(headers, remaining)? != "0" {
        return None;
    }
    let reset = header_text(headers, reset)?;
    parse_go_duration(reset)
        .or_else(|| parse_number(reset, now))
        .or_else(|| duration_between(now, reset.parse::<jiff::Timestamp>().ok()?.into()))
}

/// A number without a unit: Azure, Together and Cerebras mean seconds, others a point in time, in Unix seconds or milliseconds.
/// Nobody waits for thirty years, so its size tells.
fn parse_number(number: &str, now: SystemTime) -> Option<Duration> {
    const UNIX_SECONDS: f64 = 1e9;
    const UNIX_MILLISECONDS: f64 = 1e12;
    let value: f64 = number.parse().ok()?;
    let scale = if value >= UNIX_MILLISECONDS { 1e-3 } else { 1.0 };
    let duration = parse_seconds(number, scale)?;
    if value < UNIX_SECONDS {
        return Some(duration);
    }
    duration_between(now, SystemTime::UNIX_EPOCH.checked_add(duration)?)
}

fn duration_between(now: SystemTime, then: SystemTime) -> Option<Duration> {
    then.duration_since(now).ok()
}

fn parse_seconds(number: &str, scale: f64) -> Option<Duration> {
    let number: f64 = number.parse().ok()?;
    Duration::try_from_secs_f64(number * scale).ok()
}

/// OpenAI's durations: `6m0s`, `12ms`, `1h2m3.5s`; Groq's `7.66s`.
fn parse_go_duration(mut text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    if text.is_empty() {
        return None;
    }
    while !text.is_empty() {
        let number_end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, rest) = text.split_at(number_end);
        let unit_end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (unit, rest) = rest.split_at(unit_end);
        let scale = match unit {
            "d" => 86_400.0,
            "h" => 3_600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        total = total.checked_add(parse_seconds(number, scale)?)?;
        text = rest;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::retry_delay;

    const DATE: (&str, &str) = ("date", "Tue, 01 Jul 2025 12:00:00 GMT");

    fn delay_ms(headers: &[(&'static str, &'static str)]) -> Option<u128> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        retry_delay(&map).map(|delay| delay.as_millis())
    }

    #[test]
    fn retry_after() {
        for (value, expected) in [
            ("2", Some(2_000)),
            (" 0.25 ", Some(250)),
            ("Tue, 01 Jul 2025 12:01:00 GMT", Some(60_000)),
            ("Tuesday, 01-Jul-25 12:00:30 GMT", Some(30_000)),
            ("Tue, 01 Jul 2025 11:59:00 GMT", None),
            ("0", None),
            ("-1", None),
            ("NaN", None),
            ("inf", None),
            ("1e300", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(delay_ms(&[DATE, ("retry-after", value)]), expected, "{value}");
        }
    }

    #[test]
    fn the_more_exact_header_comes_first() {
        assert_eq!(delay_ms(&[("retry-after", "2"), ("retry-after-ms", "1500.5")]), Some(1_500));
        assert_eq!(delay_ms(&[("retry-after", "2"), ("retry-after-ms", "?")]), Some(2_000));
        assert_eq!(delay_ms(&[("retry-after", "1"), ("retry-after-ms", "0")]), Some(1_000));
        assert_eq!(delay_ms(&[("retry-after-ms", "0"), ("x-ms-retry-after-ms", "7")]), Some(7));
        assert_eq!(delay_ms(&[("retry-after-ms", "0")]), None);
    }

    #[test]
    fn openais_reset_headers() {
        for (reset, expected) in [
            ("6m0s", Some(360_000)),
            ("12ms", Some(12)),
            ("1s", Some(1_000)),
            ("1h2m3.5s", Some(3_723_500)),
            ("2d", Some(172_800_000)),
            ("1.5", Some(1_500)),
            ("27", Some(27_000)),
            ("1751371230", Some(30_000)),
            ("1751371230000", Some(30_000)),
            ("1751371200", None),
            ("-3", None),
            ("5 minutes", None),
            ("m", None),
            ("0s", None),
        ] {
            let headers = [DATE, ("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", reset)];
            assert_eq!(delay_ms(&headers), expected, "{reset}");
        }
    }

    #[test]
    fn of_the_limits_that_are_used_up_the_longest_counts() {
        let headers = [
            DATE,
            ("anthropic-ratelimit-requests-remaining", "7"),
            ("anthropic-ratelimit-requests-reset", "2025-07-01T13:00:00Z"),
            ("anthropic-ratelimit-input-tokens-remaining", "0"),
            ("anthropic-ratelimit-input-tokens-reset", "2025-07-01T12:00:20Z"),
            ("anthropic-ratelimit-output-tokens-remaining", "0"),
            ("anthropic-ratelimit-output-tokens-reset", "2025-07-01T14:00:40+02:00"),
        ];
        assert_eq!(delay_ms(&headers), Some(40_000));
        assert_eq!(delay_ms(&headers[..3]), None);
        assert_eq!(
            delay_ms(&[("x-ratelimit-remaining-tokens", "-1"), ("x-ratelimit-reset-tokens", "1s")]),
            None
        );
    }

    #[test]
    fn other_vendors_headers() {
        let openrouter = [DATE, ("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1751371230000")];
        assert_eq!(delay_ms(&openrouter), Some(30_000));
        let cerebras =
            [("x-ratelimit-remaining-tokens-minute", "0"), ("x-ratelimit-reset-tokens-minute", "33.5")];
        assert_eq!(delay_ms(&cerebras), Some(33_500));
    }

    #[test]
    fn retry_after_outranks_the_reset_headers() {
        let headers =
            [("retry-after", "3"), ("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", "9s")];
        assert_eq!(delay_ms(&headers), Some(3_000));
    }

    #[test]
    fn without_headers_there_is_no_delay() {
        assert_eq!(delay_ms(&[]), None);
    }
}
