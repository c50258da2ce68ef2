//! Names of tools and ids of calls that fit the target's rules.
//!
//! What fits stays as it is. What does not is changed in a way that depends on nothing but itself, so that the same
//! history maps to the same bytes on every turn and every instance (T4).

use std::borrow::Cow;
use std::collections::HashMap;

/// What a target allows in a name or id.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Charset {
    pub(crate) max_len: usize,
    /// Characters besides ASCII letters, digits, `_` and `-`.
    pub(crate) others: &'static str,
}

/// OpenAI's names of functions; Anthropic's are longer, but nobody needs more.
pub(crate) const OPENAI_TOOL_NAME: Charset = Charset { max_len: 64, others: "" };
/// Anthropic's names of tools.
pub(crate) const ANTHROPIC_TOOL_NAME: Charset = Charset { max_len: 128, others: "" };
/// Gemini's names of functions, which begin with a letter or `_`.
pub(crate) const GEMINI_TOOL_NAME: Charset = Charset { max_len: 128, others: ".:" };
/// Amazon Bedrock's names of tools in Converse.
pub(crate) const CONVERSE_TOOL_NAME: Charset = Charset { max_len: 64, others: "" };
/// OpenAI's chat refuses longer ids of calls.
pub(crate) const CHAT_CALL_ID: Charset = Charset { max_len: 40, others: "" };
/// The responses API refuses longer ids of calls.
pub(crate) const RESPONSES_CALL_ID: Charset = Charset { max_len: 64, others: "" };
/// Anthropic's ids have no known limit.
pub(crate) const ANTHROPIC_CALL_ID: Charset = Charset { max_len: 128, others: "" };
/// Amazon Bedrock's ids of calls in Converse: botocore 1.44.8 has `.` and `:` too, older models of the API have not.
pub(crate) const CONVERSE_CALL_ID: Charset = Charset { max_len: 64, others: "" };

/// A name that fits: the same if it does already, else cut and with a hash of the whole behind it.
pub(crate) fn fit(name: &str, charset: Charset) -> Cow<'_, str> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-') || charset.others.contains(c);
    if !name.is_empty() && name.len() <= charset.max_len && name.chars().all(allowed) {
        return Cow::Borrowed(name);
    }
    let kept: String =
        name.chars().map(|c| if allowed(c) { c } else { '_' }).take(charset.max_len - 9).collect();
    Cow::Owned(format!("{kept}_{:08x}", hash(name.as_bytes()) >> 32))
}

/// An id made of what it stands for, for calls that come without one.
pub(crate) fn derived_id(prefix: &str, seed: &[&str]) -> String {
    let mut bytes = Vec::new();
    for part in seed {
        bytes.extend_from_slice(part.as_bytes());
        bytes.push(0);
    }
    format!("{prefix}{:016x}", hash(&bytes))
}

/// FNV-1a, 64 bits: stable over versions and machines, which std's hashers do not promise.
fn hash(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// What a name that a provider uses was called by the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClientName {
    pub(crate) name: String,
    pub(crate) namespace: Option<String>,
    /// A freeform tool, which the target knows as a function with one text parameter `input`.
    pub(crate) custom: bool,
}

/// Names that were changed on the way to the provider, to be restored in its answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct ToolNames(HashMap<String, ClientName>);

impl ToolNames {
    /// Notes how `sent` is called by the client, where that is not the same.
    pub(crate) fn note(&mut self, sent: &str, client: ClientName) {
        if client.custom || client.namespace.is_some() || client.name != sent {
            self.0.insert(sent.to_owned(), client);
        }
    }

    /// The client's name for a call in the answer.
    pub(crate) fn restore(&self, sent: &str) -> ClientName {
        self.0.get(sent).cloned().unwrap_or_else(|| ClientName {
            name: sent.to_owned(),
            namespace: None,
            custom: false,
        })
    }
}

/// One name for a tool in a namespace, for targets that have none.
pub(crate) fn flat_name<'a>(namespace: Option<&str>, name: &'a str) -> Cow<'a, str> {
    match namespace {
        Some(namespace) => Cow::Owned(format!("{namespace}__{name}")),
        None => Cow::Borrowed(name),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    use super::{CHAT_CALL_ID, Charset, OPENAI_TOOL_NAME, derived_id, fit};

    #[test]
    fn what_fits_stays() {
        assert_eq!(fit("get_weather-2", OPENAI_TOOL_NAME), "get_weather-2");
        assert_eq!(fit("toolu_01A09q90qw90lq917835lq9", CHAT_CALL_ID), "toolu_01A09q90qw90lq917835lq9");
    }

    #[test]
    fn two_long_names_stay_two() {
        let name = |end: &str| format!("{}{end}", "mcp__server__".repeat(6));
        let (a, b) = (name("a"), name("b"));
        let (a, b) = (fit(&a, OPENAI_TOOL_NAME), fit(&b, OPENAI_TOOL_NAME));
        assert!(a != b && a.len() == 64 && a.starts_with("mcp__server__"), "{a} {b}");
        assert_eq!(derived_id("call_", &["resp", "0"]), derived_id("call_", &["resp", "0"]));
    }

    proptest! {
        #[test]
        fn any_name_fits_afterwards(name in any::<String>(), max_len in 10_usize..70) {
            let charset = Charset { max_len, others: "." };
            let fitted = fit(&name, charset);
            prop_assert!(!fitted.is_empty() && fitted.len() <= max_len);
            prop_assert_eq!(fit(&fitted, charset), &*fitted);
        }
    }
}
