//! One row, as one call: by one SDK, in one mode, on a chain with or without a next model.

use std::time::Duration;

use dialects::Dialect;

use crate::provider_api::ProviderApi;
use crate::sdk_errors::GivenError;
use crate::table::{CallerReceives, Mode, Row, Section, word_of};

#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) row: Row,
    /// The caller's API format.
    pub(crate) caller: Dialect,
    /// The API of the provider with the fault.
    pub(crate) provider: ProviderApi,
    pub(crate) mode: Mode,
    /// Which of OpenAI's calls it is, if it is no conversation.
    pub(crate) openai_call: Option<&'static str>,
    /// Whether a healthy model follows in the chain.
    pub(crate) has_fallback: bool,
}

impl Case {
    /// All cases of a row.
    pub(crate) fn all_of(row: &Row) -> Vec<Self> {
        let mut cases = Vec::new();
        for caller in row.callers.iter().copied() {
            for provider in row.providers.iter().copied() {
                let is_own = provider == ProviderApi::Of(caller);
                let belongs = match row.section {
                    Section::SameFormat | Section::OpenAiCalls => is_own,
                    Section::AcrossFormats => !is_own && !provider.is_bedrock(),
                    Section::Bedrock => provider.is_bedrock(),
                };
                if !belongs {
                    continue;
                }
                for mode in row.modes.iter().copied() {
                    for has_fallback in chains(row, mode, caller, provider).iter().copied() {
                        let case = Self {
                            row: row.clone(),
                            caller,
                            provider,
                            mode,
                            openai_call: None,
                            has_fallback,
                        };
                        match &row.openai_calls[..] {
                            [] => cases.push(case),
                            calls => cases.extend(
                                calls.iter().map(|call| Self { openai_call: Some(call), ..case.clone() }),
                            ),
                        }
                    }
                }
            }
        }
        cases
    }

    /// The model's and the route's name, which no other case has.
    pub(crate) fn name(&self, attempt: usize) -> String {
        let chain = if self.has_fallback { "followed" } else { "alone" };
        let (caller, provider) = (self.caller.label(), self.provider.label());
        let call = self.openai_call.unwrap_or("conversation");
        format!("line-{}-{call}-{caller}-to-{provider}-{}-{chain}-{attempt}", self.row.line, self.mode)
    }

    /// What the simulator shows. The table counts the events of a stream as chat completions and Anthropic have them: one
    /// of each is before the first word, and four are behind it. OpenAI's Responses begin with four, Gemini with none; Converse has no
    /// event for the beginning of a text.
    pub(crate) fn simulated_fault(&self) -> String {
        let is_stream = matches!(self.mode, Mode::Stream | Mode::Buffered);
        let mut words: Vec<&str> = self.row.fault.split('-').collect();
        for place in 1..words.len() {
            if words[place - 1] == "after" {
                words[place] = match (self.provider, words[place]) {
                    (ProviderApi::Of(Dialect::OpenAiResponses), "4") => "6",
                    (ProviderApi::Converse, "4") => "3",
                    (ProviderApi::Of(Dialect::Gemini), "4") => "2",
                    (ProviderApi::Of(Dialect::Gemini), "1") if is_stream => "0",
                    (_, same) => same,
                };
            }
        }
        words.join("-")
    }

    /// The model with the fault. One that cannot be connected to is a provider of its own.
    pub(crate) fn first(&self, attempt: usize) -> String {
        let refused = if self.row.fault == REFUSED_FAULT { "-refused" } else { "" };
        format!("{}{refused}:{}", self.provider.label(), self.name(attempt))
    }

    /// The healthy model.
    pub(crate) fn second(&self, attempt: usize) -> String {
        format!("{}-backup:{}", self.second_api().label(), self.name(attempt))
    }

    /// Across formats, a fallback leads to yet another format, which may be the caller's; Bedrock's to its other API.
    fn second_api(&self) -> ProviderApi {
        let place = Dialect::ALL.iter().position(|format| *format == self.provider.dialect());
        let next = Dialect::ALL[(place.unwrap_or_default() + 1) % Dialect::ALL.len()];
        match (self.row.section, self.provider) {
            (Section::SameFormat | Section::OpenAiCalls, provider) => provider,
            (Section::AcrossFormats, _) => ProviderApi::Of(next),
            (Section::Bedrock, ProviderApi::Converse) => ProviderApi::Invoke,
            (Section::Bedrock, _) => ProviderApi::Converse,
        }
    }

    /// What `x-switchboard-translated` says of an answer.
    pub(crate) fn translated(&self) -> Option<String> {
        let by = if self.calls_to_second() > 0 { self.second_api() } else { self.provider }.dialect();
        (by != self.caller).then(|| format!("{}>{}", self.caller.label(), by.label()))
    }

    /// The error that the caller must get.
    pub(crate) fn expected_error(&self) -> Option<&GivenError> {
        match self.row.caller_receives {
            CallerReceives::ErrorResponse => self.row.error.of(self.caller),
            CallerReceives::NextModelResponse if !self.has_fallback => self.row.error.of(self.caller),
            _ => None,
        }
    }

    /// Whether an error comes inside a stream, whose status is a 200.
    pub(crate) fn errs_in_stream(&self) -> bool {
        // The head of what is no conversation waits for an answer.
        self.mode == Mode::Buffered && self.openai_call.is_none()
            || self.mode == Mode::Stream && self.row.after_first_token
    }

    /// Whether it ends in the middle of bytes, among which nothing can say so: the connection is cut off.
    pub(crate) fn is_cut_off(&self) -> bool {
        self.openai_call == Some("speech")
            && self.row.after_first_token
            && self.row.caller_receives == CallerReceives::ErrorResponse
    }

    /// What is called, by its word.
    pub(crate) fn word(&self) -> &'static str {
        self.openai_call.unwrap_or_else(|| word_of(self.caller))
    }

    /// Whether it mostly waits for time to pass.
    pub(crate) fn is_mostly_waiting(&self) -> bool {
        const LONG: Duration = Duration::from_millis(150);
        self.row.detection_time > LONG || self.row.retry_after.is_some_and(|pause| pause.0 > LONG)
    }

    pub(crate) fn calls_to_first(&self) -> usize {
        1 + usize::from(self.row.retry_after.is_some())
    }

    pub(crate) fn calls_to_second(&self) -> usize {
        usize::from(self.row.has_fallback && self.has_fallback)
    }
}

/// With a next model and without: of two formats, the half of their pairs has one each. Where nobody else is to answer, it
/// is all one whether somebody could.
fn chains(row: &Row, mode: Mode, caller: Dialect, provider: ProviderApi) -> &'static [bool] {
    match (row.caller_receives, mode) {
        (_, Mode::Direct) => &[false],
        (CallerReceives::NextModelResponse, _) if row.section == Section::SameFormat => &[true, false],
        (CallerReceives::NextModelResponse, _) if is_alone(caller, provider) => &[false],
        _ => &[true],
    }
}

fn is_alone(caller: Dialect, provider: ProviderApi) -> bool {
    match provider {
        ProviderApi::Of(format) => (caller as usize) < format as usize,
        ProviderApi::Converse => (caller as usize).is_multiple_of(2),
        ProviderApi::Invoke => !(caller as usize).is_multiple_of(2),
    }
}

/// The name that the table has for a port that nobody listens on.
pub(crate) const REFUSED_FAULT: &str = "refused";
