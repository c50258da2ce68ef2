//! Fields by the names that the caller has for them (T3).
//!
//! Writers know the common form and not who asked, so they name what they lose as OpenAI's formats do. The caller is told in
//! its own words.

use dialects::Dialect;

/// Names of the common form, and of Responses, Messages and Gemini where they differ.
const NAMES: [(&str, &str, &str, &str); 20] = [
    ("frequency_penalty", "frequency_penalty", "frequency_penalty", "generationConfig.frequencyPenalty"),
    ("logprobs", "top_logprobs", "logprobs", "generationConfig.responseLogprobs"),
    ("max_tokens", "max_output_tokens", "max_tokens", "generationConfig.maxOutputTokens"),
    ("messages", "input", "messages", "contents"),
    ("n", "n", "n", "generationConfig.candidateCount"),
    (
        "parallel_tool_calls",
        "parallel_tool_calls",
        "tool_choice.disable_parallel_tool_use",
        "parallel_tool_calls",
    ),
    ("presence_penalty", "presence_penalty", "presence_penalty", "generationConfig.presencePenalty"),
    ("reasoning", "reasoning", "thinking", "generationConfig.thinkingConfig"),
    ("reasoning_effort", "reasoning.effort", "output_config.effort", "generationConfig.thinkingConfig"),
    ("response_format", "text.format", "output_config.format", "generationConfig.responseJsonSchema"),
    ("seed", "seed", "seed", "generationConfig.seed"),
    ("service_tier", "service_tier", "service_tier", "serviceTier"),
    ("stop", "stop", "stop_sequences", "generationConfig.stopSequences"),
    ("system", "instructions", "system", "systemInstruction"),
    ("temperature", "temperature", "temperature", "generationConfig.temperature"),
    ("tool_choice", "tool_choice", "tool_choice", "toolConfig.functionCallingConfig"),
    ("top_k", "top_k", "top_k", "generationConfig.topK"),
    ("top_p", "top_p", "top_p", "generationConfig.topP"),
    ("user", "user", "metadata.user_id", "user"),
    ("verbosity", "text.verbosity", "verbosity", "verbosity"),
];

/// The caller's name of a field that a writer or the caller's own reader has named.
pub(crate) fn in_words_of(caller: Dialect, field: String) -> String {
    let Some((_, responses, messages, gemini)) = NAMES.iter().find(|(name, ..)| *name == field) else {
        return field;
    };
    let name = match caller {
        Dialect::OpenAiChat => return field,
        Dialect::OpenAiResponses => responses,
        Dialect::Anthropic => messages,
        Dialect::Gemini => gemini,
    };
    (*name).to_owned()
}

#[cfg(test)]
mod tests {
    use dialects::Dialect;

    use super::in_words_of;

    #[test]
    fn every_caller_is_told_in_its_own_words() {
        let stop = |caller| in_words_of(caller, "stop".to_owned());
        assert_eq!(
            Dialect::ALL.map(stop),
            ["stop", "stop", "stop_sequences", "generationConfig.stopSequences"]
        );
        assert_eq!(in_words_of(Dialect::Gemini, "safetySettings".to_owned()), "safetySettings");
    }
}
