//! Asks for reasoning in the way that the model understands.

use super::tool_writer::Tools;
use super::turn_writer::Conversation;
use crate::abilities::Abilities;
use crate::claude_thinking::{self, Situation, Thinking};
use crate::form::Request;
use crate::target::Losses;

pub(super) fn write(
    request: &Request,
    abilities: Abilities,
    conversation: &Conversation,
    tools: &Tools,
    max_tokens: u64,
    losses: &mut Losses,
) -> Thinking {
    let situation = Situation {
        is_forced: tools.is_forced,
        is_prefilled: conversation.is_prefilled(),
        continues_calls: conversation.continues_calls_without_thinking(),
        max_tokens,
    };
    claude_thinking::write(request, abilities, situation, losses)
}

#[cfg(test)]
mod tests {
    use dialects::Dialect;

    use crate::form::{Effort, Reasoning};
    use crate::json::Object;
    use crate::messages::{read_request, write_request};
    use crate::target::Target;

    const OFF: Reasoning = Reasoning { effort: None, budget: None, enabled: Some(false), show: None };

    fn effort(effort: Effort) -> Reasoning {
        Reasoning { effort: Some(effort), ..Reasoning::default() }
    }

    fn budget(tokens: u64) -> Reasoning {
        Reasoning { budget: Some(tokens), enabled: Some(true), ..Reasoning::default() }
    }

    /// What stands behind the messages and the tools, and whether something was left out; or the refusal.
    fn written(reasoning: Reasoning, model: &str, rest: &str) -> Result<(String, bool), String> {
        let body = format!(r#"{{"max_tokens":20000,{rest}}}"#);
        let mut request = read_request(&Object::parse(body.as_bytes()).unwrap()).unwrap();
        request.reasoning = reasoning;
        let target =
            Target { dialect: Dialect::Anthropic, provider: "p", model, is_official: true, refuses: &[] };
        let written = write_request(&request, &target).map_err(|refused| refused[0].field.clone())?;
        let at = written.body.find(r#""thinking""#).or_else(|| written.body.find(r#""output_config""#));
        Ok((at.map(|at| written.body[at..].to_owned()).unwrap_or_default(), !written.dropped.is_empty()))
    }

    #[test]
    fn each_model_is_asked_in_its_own_way() {
        let user = r#""messages":[{"role":"user","content":"x"}]"#;
        let shown = |reasoning| Reasoning { show: Some(true), ..reasoning };
        for (reasoning, model, expected, is_changed) in [
            (
                effort(Effort::Low),
                "claude-sonnet-4-5",
                r#""thinking":{"type":"enabled","budget_tokens":1024}}"#,
                false,
            ),
            (
                effort(Effort::Max),
                "claude-sonnet-4-5",
                r#""thinking":{"type":"enabled","budget_tokens":10000}}"#,
                false,
            ),
            (
                budget(31_999),
                "claude-sonnet-4-5",
                r#""thinking":{"type":"enabled","budget_tokens":19999}}"#,
                true,
            ),
            (effort(Effort::None), "claude-sonnet-4-5", "", false),
            (effort(Effort::High), "claude-3-haiku", "", true),
            (
                shown(effort(Effort::Minimal)),
                "claude-opus-4-8",
                r#""thinking":{"type":"adaptive","display":"summarized"},"output_config":{"effort":"low"}}"#,
                false,
            ),
            (
                budget(30_000),
                "claude-opus-4-6",
                r#""thinking":{"type":"adaptive"},"output_config":{"effort":"high"}}"#,
                true,
            ),
            (OFF, "claude-opus-5", r#""thinking":{"type":"disabled"}}"#, false),
            (OFF, "claude-sonnet-5-5", r#""thinking":{"type":"between_tools"}}"#, false),
            (effort(Effort::None), "claude-opus-5-5", r#""output_config":{"effort":"low"}}"#, true),
            (Reasoning::default(), "claude-opus-5-5", "", false),
            (OFF, "other", r#""thinking":{"type":"disabled"}}"#, false),
        ] {
            let expected = (expected.to_owned(), is_changed);
            assert_eq!(written(reasoning.clone(), model, user), Ok(expected), "{reasoning:?} {model}");
        }
    }

    #[test]
    fn a_model_that_thinks_is_not_made_to_call() {
        let rest = r#""messages":[{"role":"user","content":"x"}],"tools":[{"name":"f","input_schema":{"type":"object"}}],"tool_choice":{"type":"any"}"#;
        assert_eq!(written(effort(Effort::High), "claude-sonnet-4-5", rest), Ok((String::new(), true)));
        assert_eq!(written(budget(2_000), "claude-sonnet-4-5", rest), Err("tool_choice".to_owned()));
        assert_eq!(written(Reasoning::default(), "claude-opus-5-5", rest), Err("tool_choice".to_owned()));
    }

    #[test]
    fn calls_of_another_model_are_gone_on_with_without_a_budget() {
        let rest = r#""messages":[{"role":"assistant","content":[{"type":"tool_use","id":"c","name":"f","input":{}}]},
            {"role":"user","content":[{"type":"tool_result","tool_use_id":"c"}]}]"#;
        assert_eq!(written(budget(2_000), "claude-sonnet-4-5", rest), Ok((String::new(), true)));
    }
}
