//! Clients and what they do by themselves after a 503: data, each row with its source.

use std::time::Duration;

/// What a client makes of `retry-after`.
#[derive(Debug, Clone, Copy)]
pub(super) enum RetryAfter {
    /// It waits for that long in place of its own wait, unless it is longer than this.
    Replaces {
        longest: Duration,
    },
    /// It waits for the longer of the two.
    AtLeast,
    Ignored,
}

/// One wait.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wait {
    /// Its own, without jitter.
    pub(super) seconds: f64,
    pub(super) retry_after: RetryAfter,
}

/// What a client says of its retries in `x-stainless-retry-count`.
#[derive(Debug, Clone, Copy)]
pub(super) enum RetryCount {
    Absent,
    /// An official SDK whose own retries are on: how often it has come again.
    Actual,
    /// An official SDK whose retries another loop makes: always 0.
    Zero,
}

/// A client.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) name: &'static str,
    /// Its own waits, for people.
    pub(super) own: &'static str,
    /// What it makes of `retry-after`, for people.
    pub(super) obeys: &'static str,
    pub(super) source: &'static str,
    /// The least and the most by which its own waits are multiplied.
    pub(super) jitter: [f64; 2],
    count: RetryCount,
    waits: fn() -> Vec<Wait>,
}

impl Client {
    pub(super) fn waits(&self) -> Vec<Wait> {
        (self.waits)()
    }

    /// The header of the request after so many retries.
    pub(super) fn retry_count(&self, retries: usize) -> Option<u32> {
        match self.count {
            RetryCount::Absent => None,
            RetryCount::Actual => u32::try_from(retries).ok(),
            RetryCount::Zero => Some(0),
        }
    }
}

/// `first`, doubled with every retry, up to `longest`.
fn doubled(retries: i32, first: f64, longest: f64, retry_after: RetryAfter) -> Vec<Wait> {
    let seconds = |retry| (first * 2_f64.powi(retry)).min(longest);
    (0..retries).map(|retry| Wait { seconds: seconds(retry), retry_after }).collect()
}

/// An official SDK with this many retries.
fn sdk(retries: i32) -> Vec<Wait> {
    doubled(retries, 0.5, 8.0, replaces(60))
}

const fn replaces(longest: u64) -> RetryAfter {
    RetryAfter::Replaces { longest: Duration::from_secs(longest) }
}

/// A loop around calls that retry by themselves: these waits lie between two calls.
fn around(call: &[Wait], between: &[Wait]) -> Vec<Wait> {
    let rest = between.iter().flat_map(|wait| std::iter::once(*wait).chain(call.iter().copied()));
    call.iter().copied().chain(rest).collect()
}

const DAY: u64 = 86_400;

pub(super) const CLIENTS: [Client; 13] = [
    Client {
        name: "OpenAI's and Anthropic's SDKs",
        own: "0.5, 1",
        obeys: "in place of its own, up to 60 s (OpenAI's in Python 120 s, Anthropic's in Python any)",
        source: "`_calculate_retry_timeout` of openai 3.57 and anthropic 2.14, `retryRequest` of both in JS",
        jitter: [0.75, 1.0],
        count: RetryCount::Actual,
        waits: || sdk(2),
    },
    Client {
        name: "the same with `max_retries=10`",
        own: "0.5 doubling to 8",
        obeys: "the same",
        source: "the same",
        jitter: [0.75, 1.0],
        count: RetryCount::Actual,
        waits: || sdk(10),
    },
    Client {
        name: "Claude Code",
        own: "0.5 doubling to 32, 10 times",
        obeys: "the longer of the two; above 60 s it gives up",
        source: "2.1.197",
        jitter: [1.0, 1.25],
        count: RetryCount::Zero,
        waits: || doubled(10, 0.5, 32.0, RetryAfter::AtLeast),
    },
    Client {
        name: "opencode",
        own: "2, 4, 8, 16, 32",
        obeys: "in place of its own, of any length",
        source: "1.18.33",
        jitter: [1.0, 1.25],
        count: RetryCount::Absent,
        waits: || doubled(5, 2.0, f64::MAX, replaces(DAY)),
    },
    Client {
        name: "Codex",
        own: "0.2, 0.4, 0.8, 1.6; six times, with 0.2 doubling between them",
        obeys: "in place of the former four",
        source: "0.171.0, measured; `codex-client/src/retry.rs`",
        jitter: [0.9, 1.1],
        count: RetryCount::Absent,
        waits: || {
            let between = doubled(5, 0.2, f64::MAX, RetryAfter::Ignored);
            around(&doubled(4, 0.2, f64::MAX, replaces(DAY)), &between)
        },
    },
    Client {
        name: "Gemini CLI",
        own: "5 doubling to 30, 9 times",
        obeys: "no, after a 5xx",
        source: "`retryWithBackoff` of 0.61.0",
        jitter: [0.7, 1.3],
        count: RetryCount::Absent,
        waits: || doubled(9, 5.0, 30.0, RetryAfter::Ignored),
    },
    Client {
        name: "Vercel's AI SDK",
        own: "2, 4",
        obeys: "in place of its own, up to 60 s",
        source: "`getRetryDelayInMs` of ai",
        jitter: [1.0, 1.0],
        count: RetryCount::Absent,
        waits: || doubled(2, 2.0, f64::MAX, replaces(60)),
    },
    Client {
        name: "the same with `maxRetries: 5`",
        own: "2, 4, 8, 16, 32",
        obeys: "the same",
        source: "the same",
        jitter: [1.0, 1.0],
        count: RetryCount::Absent,
        waits: || doubled(5, 2.0, f64::MAX, replaces(60)),
    },
    Client {
        name: "LangChain in JS",
        own: "1 doubling to 32, 6 times, each up to twice that",
        obeys: "no, after a 5xx",
        source: "`async_caller` of @langchain/core",
        jitter: [1.0, 2.0],
        count: RetryCount::Zero,
        waits: || doubled(6, 1.0, f64::MAX, RetryAfter::Ignored),
    },
    Client {
        name: "LlamaIndex",
        own: "the SDK's, three times, with 1 between them",
        obeys: "in the SDK",
        source: "measured",
        jitter: [1.0, 1.0],
        count: RetryCount::Zero,
        waits: || around(&sdk(2), &doubled(2, 1.0, 1.0, RetryAfter::Ignored)),
    },
    Client {
        name: "DSPy (through LiteLLM)",
        own: "1, 2, 4",
        obeys: "in place of its own, of any length",
        source: "3.4, measured",
        jitter: [1.0, 1.0],
        count: RetryCount::Zero,
        waits: || doubled(3, 1.0, 10.0, replaces(DAY)),
    },
    Client {
        name: "aider",
        own: "the SDK's, nine times, with 0.25 doubling to 32 between them",
        obeys: "in the SDK",
        source: "0.86.2, measured",
        jitter: [1.0, 1.0],
        count: RetryCount::Zero,
        waits: || around(&sdk(2), &doubled(8, 0.25, 32.0, RetryAfter::Ignored)),
    },
    Client {
        name: "google-genai in Python with `retry_options`",
        own: "1, 2, 4, 8",
        obeys: "no",
        source: "3.6.1; by default it does not retry",
        jitter: [1.0, 1.0],
        count: RetryCount::Absent,
        waits: || doubled(4, 1.0, 60.0, RetryAfter::Ignored),
    },
];
