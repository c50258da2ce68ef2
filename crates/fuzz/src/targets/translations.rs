//! A caller of each API format whose request a provider of another one answers.

use std::sync::LazyLock;

use dialects::Dialect;
use translate::{CallerOptions, CallerRequest, Target, Translation};

/// The API formats of providers.
pub(super) const PROVIDERS: [Dialect; 5] = [
    Dialect::OpenAiChat,
    Dialect::OpenAiResponses,
    Dialect::Anthropic,
    Dialect::Gemini,
    Dialect::BedrockConverse,
];

/// The API formats of callers.
pub(super) const DIALECTS: [Dialect; 4] =
    [Dialect::OpenAiChat, Dialect::OpenAiResponses, Dialect::Anthropic, Dialect::Gemini];

/// The API format of a provider that the first byte of an input selects, and what follows it.
pub(super) fn select(input: &[u8]) -> Option<(Dialect, &[u8])> {
    let (first, after) = input.split_first()?;
    Some((PROVIDERS[usize::from(*first) % PROVIDERS.len()], after))
}

/// An input that [`select`] reads as these.
pub(super) fn with_selector(dialect: Dialect, content: &[u8]) -> Vec<u8> {
    // A digit: an input stays printable.
    let selector = (b'0'..=b'9').find(|digit| PROVIDERS[usize::from(*digit) % PROVIDERS.len()] == dialect);
    [&[selector.unwrap_or_default()], content].concat()
}

/// The ways back from a provider's format to every other one, streams among them.
pub(super) fn ways_back(provider: Dialect) -> impl Iterator<Item = &'static Translation> {
    static ALL: LazyLock<Vec<Translation>> = LazyLock::new(all);
    ALL.iter().filter(move |translation| translation.provider() == provider)
}

fn all() -> Vec<Translation> {
    let pairs = DIALECTS.iter().flat_map(|caller| PROVIDERS.map(|provider| (*caller, provider)));
    pairs
        .filter(|(caller, provider)| caller != provider)
        .filter_map(|(caller, provider)| translation(caller, provider))
        .collect()
}

fn translation(caller: Dialect, provider: Dialect) -> Option<Translation> {
    let body = match caller {
        // Nobody calls in it.
        Dialect::BedrockConverse => return None,
        Dialect::OpenAiChat => {
            r#"{"messages":[{"role":"user","content":"hi"}],"stream_options":{"include_usage":true}}"#
        }
        Dialect::OpenAiResponses => r#"{"input":"hi","reasoning":{"summary":"auto"}}"#,
        Dialect::Anthropic => r#"{"max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#,
        Dialect::Gemini => r#"{"contents":[{"parts":[{"text":"hi"}]}]}"#,
    };
    let options = CallerOptions {
        stream: true,
        json_array: provider == Dialect::Anthropic,
        request_id: "req_1".to_owned(),
        ..CallerOptions::default()
    };
    CallerRequest::read(caller, body.as_bytes()).ok()?.translate(&target(provider, true), options).ok()
}

/// A model of an API format: its maker's own, or one of a compatible server.
pub(super) const fn target(dialect: Dialect, is_official: bool) -> Target<'static> {
    let model = match (dialect, is_official) {
        (Dialect::OpenAiChat | Dialect::OpenAiResponses, true) => "gpt-5.6",
        (Dialect::Anthropic, true) => "claude-opus-4-5",
        (Dialect::Gemini, _) => "gemini-3-pro",
        (Dialect::BedrockConverse, _) => "amazon.nova-pro-v1:0",
        (_, false) => "any-model",
    };
    Target { dialect, provider: "p", model, is_official, refuses: &[] }
}
