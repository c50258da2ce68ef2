//! Inputs with very many of something, each with a name of its own: what a reader compares with all others shows by them, and
//! hardly by chance.

use std::fmt::Write as _;

use crate::{
    execution::{Violation, check_growth},
    targets::TARGETS,
};

/// How many there are in the short input.
const SHORT: usize = 150;

/// How many there are in the long one.
const LONG: usize = 1_200;

/// Very many of something.
#[derive(Debug, Clone, Copy)]
pub struct Repetition {
    /// What there are many of.
    pub name: &'static str,
    /// The name of the target that reads it.
    pub target: &'static str,
    make: fn(usize) -> String,
}

impl Repetition {
    /// Checks that many cost no more than in proportion.
    ///
    /// # Errors
    /// What was violated.
    pub fn check(&self) -> Result<(), Violation> {
        let Some(target) = TARGETS.iter().find(|target| target.name == self.target) else { return Ok(()) };
        check_growth(target, (self.make)(SHORT).as_bytes(), (self.make)(LONG).as_bytes())
    }
}

/// The items `0..count`, each with its number in place of every `#`.
fn items(count: usize, item: &str, separator: &str) -> String {
    let mut text = String::new();
    for number in 0..count {
        let _ = write!(
            text,
            "{}{}",
            if number > 0 { separator } else { "" },
            item.replace('#', &number.to_string())
        );
    }
    text
}

/// All of them.
pub const REPETITIONS: [Repetition; 14] = [
    Repetition {
        name: "calls_of_tools",
        target: "request_chat",
        make: |count| {
            let calls = items(
                count,
                r##"{"id":"c#","type":"function","function":{"name":"f#","arguments":"{}"}}"##,
                ",",
            );
            let results = items(count, r##"{"role":"tool","tool_call_id":"c#","content":"r"}"##, ",");
            format!(r#"{{"model":"m","messages":[{{"role":"assistant","tool_calls":[{calls}]}},{results}]}}"#)
        },
    },
    Repetition {
        name: "names_of_tools",
        target: "request_chat",
        make: |count| {
            let tools = items(
                count,
                r##"{"type":"function","function":{"name":"f.#/x","parameters":{"type":"object"}}}"##,
                ",",
            );
            format!(r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}],"tools":[{tools}]}}"#)
        },
    },
    Repetition {
        name: "results_of_tools",
        target: "request_messages",
        make: |count| {
            let calls = items(count, r##"{"type":"tool_use","id":"c#","name":"f","input":{}}"##, ",");
            let results = items(count, r##"{"type":"tool_result","tool_use_id":"c#","content":"r"}"##, ",");
            format!(
                r#"{{"model":"m","max_tokens":1,"messages":[{{"role":"assistant","content":[{calls}]}},{{"role":"user","content":[{results}]}}]}}"#
            )
        },
    },
    Repetition {
        name: "items_of_input",
        target: "request_responses",
        make: |count| {
            let pair = r##"{"type":"function_call","call_id":"c#","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"c#","output":"r"}"##;
            format!(r#"{{"model":"m","input":[{}]}}"#, items(count, pair, ","))
        },
    },
    Repetition {
        name: "function_responses",
        target: "request_gemini",
        make: |count| {
            let calls = items(count, r##"{"functionCall":{"name":"f#","args":{}}}"##, ",");
            let results = items(count, r##"{"functionResponse":{"name":"f#","response":{}}}"##, ",");
            format!(
                r#"{{"contents":[{{"role":"model","parts":[{calls}]}},{{"role":"user","parts":[{results}]}}]}}"#
            )
        },
    },
    Repetition {
        name: "streamed_calls",
        target: "stream",
        make: |count| {
            let call = r##"data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":#,"id":"i#","function":{"name":"f","arguments":"{}"}}]}}]}"##;
            format!("0{}\n\n", items(count, call, "\n\n"))
        },
    },
    Repetition {
        name: "streamed_items",
        target: "stream",
        make: |count| {
            let added = r##"data: {"type":"response.output_item.added","output_index":#,"item":{"type":"function_call","id":"i#","call_id":"c#","name":"f","arguments":""}}"##;
            let delta = r##"data: {"type":"response.function_call_arguments.delta","output_index":#,"item_id":"i#","delta":"{}"}"##;
            format!("1{}\n\n{}\n\n", items(count, added, "\n\n"), items(count, delta, "\n\n"))
        },
    },
    Repetition {
        name: "streamed_blocks",
        target: "stream",
        make: |count| {
            let start = r##"data: {"type":"content_block_start","index":#,"content_block":{"type":"tool_use","id":"i#","name":"f","input":{}}}"##;
            let delta = r##"data: {"type":"content_block_delta","index":#,"delta":{"type":"input_json_delta","partial_json":"{}"}}"##;
            format!("2{}\n\n{}\n\n", items(count, start, "\n\n"), items(count, delta, "\n\n"))
        },
    },
    Repetition {
        name: "streamed_pieces",
        target: "stream",
        make: |count| {
            let delta = r##"data: {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"[#,"}}"##;
            let start = r#"data: {"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"i","name":"f","input":{}}}"#;
            format!("2{start}\n\n{}\n\n", items(count, delta, "\n\n"))
        },
    },
    Repetition {
        name: "streamed_function_calls",
        target: "stream",
        make: |count| {
            let call = r##"data: {"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"a":#}}}]}}]}"##;
            format!("3{}\n\n", items(count, call, "\n\n"))
        },
    },
    Repetition { name: "variables", target: "dotenv", make: |count| items(count, "A#=${B}${C}\n", "") },
    Repetition { name: "unclosed_quotes", target: "dotenv", make: |count| items(count, "A#=\"\n", "") },
    Repetition {
        name: "keys",
        target: "configuration",
        make: |count| items(count, "[keys.k#]\nkey=\"0123456789abcdef#\"\n", ""),
    },
    Repetition {
        name: "routes",
        target: "configuration",
        make: |count| {
            let routes = items(count, "[routes.r#]\nmodels=[\"a:m#\"]\n", "");
            format!("[providers.a]\nkind=\"openai\"\nbase_url=\"http://h/v1\"\n{routes}")
        },
    },
];
