//! What the fields of the common form are called in the formats of callers: who is told that a field was left out or
//! stands in the way looks for it by the name that it has there.

use crate::caller::Caller;

/// The common form's name, then those of Chat Completions, Responses, Messages and Gemini. Other fields have the same
/// name everywhere, or only one format has them.
const NAMES: [(&str, [&str; 4]); 20] = [
    (
        "cache_control",
        ["prompt_cache_breakpoint", "prompt_cache_breakpoint", "cache_control", "cache_control"],
    ),
    ("file_id", ["file_id", "file_id", "file_id", "fileData"]),
    (
        "frequency_penalty",
        ["frequency_penalty", "frequency_penalty", "frequency_penalty", "frequencyPenalty"],
    ),
    ("image", ["image_url", "input_image", "image", "inlineData"]),
    ("logprobs", ["logprobs", "top_logprobs", "logprobs", "responseLogprobs"]),
    // As Google's Python SDK writes it; the API takes both.
    ("max_tokens", ["max_tokens", "max_output_tokens", "max_tokens", "max_output_tokens"]),
    ("messages", ["messages", "input", "messages", "contents"]),
    (
        "parallel_tool_calls",
        ["parallel_tool_calls", "parallel_tool_calls", "disable_parallel_tool_use", "parallel_tool_calls"],
    ),
    ("presence_penalty", ["presence_penalty", "presence_penalty", "presence_penalty", "presencePenalty"]),
    ("reasoning", ["reasoning_effort", "reasoning", "thinking", "thinkingConfig"]),
    ("reasoning_effort", ["reasoning_effort", "reasoning", "thinking", "thinkingConfig"]),
    ("response_format", ["response_format", "text.format", "output_config.format", "responseMimeType"]),
    ("stop", ["stop", "stop", "stop_sequences", "stopSequences"]),
    ("system", ["messages", "instructions", "system", "systemInstruction"]),
    ("tool_call_id", ["tool_call_id", "call_id", "tool_use_id", "functionResponse"]),
    ("tool_choice", ["tool_choice", "tool_choice", "tool_choice", "toolConfig"]),
    ("top_k", ["top_k", "top_k", "top_k", "topK"]),
    ("top_p", ["top_p", "top_p", "top_p", "topP"]),
    ("user", ["user", "user", "metadata.user_id", "user"]),
    ("verbosity", ["verbosity", "text.verbosity", "verbosity", "verbosity"]),
];

/// The caller's name of a field.
pub(crate) fn name_of(caller: Caller, field: &str) -> &str {
    let column = match caller {
        Caller::Chat => 0,
        Caller::Responses => 1,
        Caller::Messages => 2,
        Caller::Gemini => 3,
    };
    NAMES.iter().find(|(name, _)| *name == field).map_or(field, |(_, names)| names[column])
}

/// The caller's names of these fields, each once.
pub(crate) fn names_of(caller: Caller, fields: &[String]) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(fields.len());
    for field in fields {
        let name = name_of(caller, field);
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::{Caller, name_of, names_of};

    #[test]
    fn a_field_is_named_as_the_caller_wrote_it() {
        assert_eq!(name_of(Caller::Gemini, "messages"), "contents");
        assert_eq!(name_of(Caller::Messages, "seed"), "seed");
        let fields = ["reasoning", "top_k", "reasoning_effort"].map(str::to_owned);
        assert_eq!(names_of(Caller::Gemini, &fields), ["thinkingConfig", "topK"]);
    }
}
