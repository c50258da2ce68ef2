//! What the page's rows are about: how the provider behaves, and what must be the same on both sides.

use simulator::{Behaviour, Fault, Finish, ProviderError, Usage};

use crate::format::Format;

/// How the provider answers.
#[derive(Debug)]
pub(crate) enum Provider {
    /// The simulator, which shows this.
    Simulated(fn(Format) -> Behaviour),
    /// A recorded answer of `answers/FORMAT/ROW.json`, for those formats that have the matter; others answer with a text.
    Recorded,
}

/// What the caller gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The model's answer, in which these are as the provider said them (see `said`).
    Answer(&'static [&'static str]),
    /// The provider's error, in its own words, with its own status.
    ProviderError,
    /// An error of the gateway's with this code: nobody else could answer.
    GatewayError(&'static str),
    /// A stream's error event behind its beginning, and no end marker.
    Interrupted,
    /// What one format's model got wrong is no answer: the next model's turn.
    FaultOfTheModel,
    /// What the model thought comes back to it, and to nobody else, with the caller's next request.
    CarriedBack,
}

#[derive(Debug)]
pub(crate) struct Matter {
    pub(crate) name: &'static str,
    pub(crate) provider: Provider,
    /// What the provider receives as the caller sent it (see `asked`).
    pub(crate) asked: &'static [&'static str],
    pub(crate) outcome: Outcome,
}

const USAGE: Usage = Usage { input: 100, cache_read: 40, cache_write: 0, output: 50, reasoning: 20 };
const PARIS: &str = r#"{"city":"Paris"}"#;

fn ok(_: Format) -> Behaviour {
    Behaviour::ok()
}

fn one_call(_: Format) -> Behaviour {
    Behaviour::ok().tool_call("get_weather", PARIS)
}

fn two_calls(_: Format) -> Behaviour {
    Behaviour::ok().words(0).tool_call("get_weather", PARIS).tool_call("get_weather", r#"{"city": "Rome"}"#)
}

fn thinking(_: Format) -> Behaviour {
    Behaviour::ok().thinking("A secret thought.", "opaque")
}

fn thinking_and_call(_: Format) -> Behaviour {
    Behaviour::ok().thinking("A secret thought.", "opaque").tool_call("get_weather", PARIS)
}

fn usage(_: Format) -> Behaviour {
    Behaviour::ok().usage(USAGE)
}

fn length(_: Format) -> Behaviour {
    Behaviour::ok().finish(Finish::Length)
}

fn refusal(_: Format) -> Behaviour {
    Behaviour::ok().finish(Finish::Refusal)
}

fn status(code: u16) -> Behaviour {
    Behaviour::status(http::StatusCode::from_u16(code).unwrap())
}

/// Events of a stream up to its first words.
const fn first_content(format: Format) -> usize {
    match format {
        Format::Chat | Format::Converse => 3,
        Format::Responses => 6,
        Format::Messages => 5,
        Format::Gemini => 2,
    }
}

fn error_behind_content(format: Format) -> Behaviour {
    let error = ProviderError::overloaded();
    Behaviour::ok().words(9).with(Fault::ErrorEvent { after: first_content(format), error })
}

fn cut_behind_content(format: Format) -> Behaviour {
    Behaviour::ok().words(9).with(Fault::Cut { after: first_content(format) })
}

const fn simulated(
    name: &'static str,
    behaviour: fn(Format) -> Behaviour,
    asked: &'static [&'static str],
    said: &'static [&'static str],
) -> Matter {
    Matter { name, provider: Provider::Simulated(behaviour), asked, outcome: Outcome::Answer(said) }
}

const fn recorded(name: &'static str, said: &'static [&'static str]) -> Matter {
    Matter { name, provider: Provider::Recorded, asked: &["turns"], outcome: Outcome::Answer(said) }
}

const fn failing(name: &'static str, behaviour: fn(Format) -> Behaviour, outcome: Outcome) -> Matter {
    Matter { name, provider: Provider::Simulated(behaviour), asked: &["turns"], outcome }
}

const TEXT: &[&str] = &["text", "finish"];
const CALLS: &[&str] = &["text", "calls", "finish"];

pub(crate) const MATTERS: &[Matter] = &[
    simulated("text", ok, &["turns"], TEXT),
    simulated("system", ok, &["system", "turns"], TEXT),
    simulated("mid-conversation-system", ok, &["texts"], TEXT),
    simulated("turns", ok, &["turns"], TEXT),
    simulated("prefill", ok, &["turns"], TEXT),
    simulated("image", ok, &["turns", "media"], TEXT),
    simulated("image-url", ok, &["turns", "media"], TEXT),
    simulated("pdf", ok, &["turns", "media"], TEXT),
    simulated("stored-file", ok, &[], TEXT),
    simulated("tool-call", one_call, &["turns", "tools"], CALLS),
    simulated("parallel-tool-calls", two_calls, &["turns", "tools"], CALLS),
    simulated("forced-tool", one_call, &["tools", "choice"], CALLS),
    simulated("named-tool", one_call, &["tools", "choice"], CALLS),
    simulated("forbidden-tool", ok, &["tools", "choice"], CALLS),
    simulated("one-call-at-most", one_call, &["tools", "single_call"], CALLS),
    simulated("tool-result", ok, &["calls", "results"], TEXT),
    simulated("tool-result-image", ok, &["calls", "media", "texts"], TEXT),
    simulated("tool-result-error", ok, &["calls", "results"], TEXT),
    simulated("hosted-tool-beside-functions", ok, &["tools", "hosted"], TEXT),
    simulated("hosted-tool-alone", ok, &["hosted"], TEXT),
    simulated("json-schema", ok, &["schema"], TEXT),
    simulated("json-object", ok, &["json"], TEXT),
    simulated("stop-sequences", ok, &["stop"], TEXT),
    simulated("max-tokens", length, &["max_tokens"], TEXT),
    simulated("temperature", ok, &["temperature"], TEXT),
    simulated("top-k", ok, &["top_k"], TEXT),
    simulated("seed", ok, &["seed"], TEXT),
    simulated("penalties", ok, &["penalties"], TEXT),
    simulated("two-answers", ok, &["answers"], TEXT),
    simulated("logprobs", ok, &["logprobs"], TEXT),
    simulated("logit-bias", ok, &[], TEXT),
    simulated("audio-out", ok, &[], TEXT),
    simulated("effort", ok, &["effort"], TEXT),
    simulated("no-thinking", ok, &["effort"], TEXT),
    simulated("thinking", thinking, &["effort"], &["text", "reasoning", "finish"]),
    Matter {
        name: "thinking-carried-back",
        provider: Provider::Simulated(thinking_and_call),
        asked: &["turns", "tools"],
        outcome: Outcome::CarriedBack,
    },
    simulated("foreign-thinking", ok, &["turns"], TEXT),
    Matter { outcome: Outcome::CarriedBack, ..recorded("redacted-thinking", TEXT) },
    simulated("cache-marks", ok, &["cache_marks", "turns"], TEXT),
    simulated("cache-key", ok, &["cache_key"], TEXT),
    simulated("cache-usage", usage, &["turns"], &["usage"]),
    simulated("usage", ok, &["turns"], &["usage"]),
    simulated("length", length, &["turns"], TEXT),
    simulated("refusal", refusal, &["turns"], TEXT),
    recorded("stop-sequence-met", TEXT),
    recorded("context-full", TEXT),
    recorded("filtered", TEXT),
    recorded("recitation", TEXT),
    recorded("blocked-prompt", TEXT),
    Matter { outcome: Outcome::FaultOfTheModel, ..recorded("malformed-call", TEXT) },
    recorded("citations", &["text", "sources", "finish"]),
    simulated("user", ok, &["user"], TEXT),
    simulated("metadata", ok, &["metadata"], TEXT),
    simulated("service-tier", ok, &["service_tier"], TEXT),
    simulated("verbosity", ok, &["verbosity"], TEXT),
    Matter {
        name: "previous-response",
        provider: Provider::Simulated(ok),
        asked: &["stored"],
        outcome: Outcome::ProviderError,
    },
    failing("error-400", |_| status(400), Outcome::ProviderError),
    failing("error-401", wrong_key, Outcome::GatewayError("provider_auth")),
    failing("error-404", |_| Fault::from(ProviderError::unknown_model()).into(), Outcome::ProviderError),
    failing("error-429", |_| status(429), Outcome::GatewayError("attempts_exhausted")),
    failing("error-503", |_| status(503), Outcome::GatewayError("attempts_exhausted")),
    failing(
        "context-too-long",
        |_| Fault::from(ProviderError::context_too_long()).into(),
        Outcome::ProviderError,
    ),
    failing(
        "content-policy",
        |_| Fault::from(ProviderError::content_policy()).into(),
        Outcome::ProviderError,
    ),
    failing("error-before-content", error_before_content, Outcome::GatewayError("attempts_exhausted")),
    failing("cut-before-content", cut_before_content, Outcome::GatewayError("attempts_exhausted")),
    failing("error-behind-content", error_behind_content, Outcome::Interrupted),
    failing("cut-behind-content", cut_behind_content, Outcome::Interrupted),
];

fn wrong_key(_: Format) -> Behaviour {
    Fault::from(ProviderError::wrong_key()).into()
}

fn error_before_content(_: Format) -> Behaviour {
    Behaviour::ok().with(Fault::ErrorEvent { after: 0, error: ProviderError::overloaded() })
}

fn cut_before_content(_: Format) -> Behaviour {
    Behaviour::ok().with(Fault::Cut { after: 0 })
}
