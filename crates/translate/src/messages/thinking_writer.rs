//! Asks for reasoning in the way that the model understands.

use super::tool_writer::Tools;
use super::turn_writer::Conversation;
use crate::abilities::{self, Abilities};
use crate::form::{Effort, Reasoning, Request};
use crate::json::ObjectWriter;
use crate::target::Losses;

/// The least budget that Anthropic takes.
const LEAST_BUDGET: u64 = 1_024;

/// The caller's word for it in what was left out.
const FIELD: &str = "reasoning";

#[derive(Debug, Default)]
pub(super) struct Thinking {
    /// The field `thinking`.
    pub(super) config: Option<ObjectWriter>,
    /// The field `output_config.effort`.
    pub(super) effort: Option<Effort>,
    /// The request switches it on.
    pub(super) is_on: bool,
}

/// What the caller wants, in whichever of the ways it said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Nothing,
    Off,
    /// On; `None`: as much as the model likes.
    On(Option<Effort>),
}

pub(super) fn write(
    request: &Request,
    abilities: Abilities,
    conversation: &Conversation,
    tools: &Tools,
    max_tokens: u64,
    losses: &mut Losses,
) -> Thinking {
    let asked = &request.reasoning;
    let mut wish = wish(asked);
    if tools.is_forced && matches!(wish, Wish::On(_)) && abilities.forced_tools {
        wish = without_forced(asked, losses);
    }
    match abilities.thinking {
        abilities::Thinking::Adaptive { xhigh } => adaptive(wish, asked, xhigh, "disabled", losses),
        abilities::Thinking::BetweenTools => adaptive(wish, asked, true, "between_tools", losses),
        abilities::Thinking::Always => always(wish, asked, losses),
        abilities::Thinking::No => {
            losses.drop_if(matches!(wish, Wish::On(_)), FIELD);
            Thinking::default()
        }
        abilities::Thinking::Budget => match wish {
            Wish::On(_) if conversation.continues_calls_without_thinking() => {
                losses.drop(FIELD);
                Thinking::default()
            }
            Wish::On(level) => {
                let thinking = budget(level, asked, conversation, max_tokens, losses);
                // These models show their thinking unless they are asked not to.
                let hide = |config: ObjectWriter| match asked.show {
                    Some(false) => config.str("display", "omitted"),
                    _ => config,
                };
                Thinking { config: thinking.config.map(hide), ..thinking }
            }
            Wish::Off | Wish::Nothing => Thinking::default(),
        },
        // Others that speak this format: the oldest way is the one that most of them know.
        _ => match wish {
            Wish::On(level) => budget(level, asked, conversation, max_tokens, losses),
            Wish::Off => Thinking { config: Some(ObjectWriter::of_type("disabled")), ..Thinking::default() },
            Wish::Nothing => Thinking::default(),
        },
    }
}

fn wish(asked: &Reasoning) -> Wish {
    if asked.enabled == Some(false) || asked.effort == Some(Effort::None) || asked.budget == Some(0) {
        return Wish::Off;
    }
    match asked.effort.or(asked.budget.map(Effort::of_budget)) {
        None if asked.enabled.is_none() => Wish::Nothing,
        level => Wish::On(level),
    }
}

/// A model that thinks cannot be made to call a tool. Who only names an effort can do without; who switches thinking
/// on cannot.
fn without_forced(asked: &Reasoning, losses: &mut Losses) -> Wish {
    if asked.enabled == Some(true) || asked.budget.is_some() {
        losses
            .refuse("tool_choice", "makes the model call a tool, which it cannot be made to while it thinks");
    } else {
        losses.drop(FIELD);
    }
    Wish::Off
}

fn display(config: ObjectWriter, asked: &Reasoning) -> ObjectWriter {
    config
        .maybe(asked.show, |config, show| config.str("display", if show { "summarized" } else { "omitted" }))
}

/// `off`: the type that comes nearest to no thinking.
fn adaptive(wish: Wish, asked: &Reasoning, xhigh: bool, off: &str, losses: &mut Losses) -> Thinking {
    let level = match wish {
        Wish::On(level) => level,
        _ => asked.effort.filter(|effort| *effort != Effort::None),
    };
    let is_on = matches!(wish, Wish::On(_)) || wish == Wish::Nothing && asked.show == Some(true);
    let config = match wish {
        _ if is_on => Some(display(ObjectWriter::of_type("adaptive"), asked)),
        Wish::Off => Some(ObjectWriter::of_type(off)),
        _ => None,
    };
    // Without thinking an effort above `high` is refused.
    let greatest = match wish {
        Wish::Off => Effort::High,
        _ => Effort::Max,
    };
    let effort = level.map(|level| known_effort(level, xhigh, losses).min(greatest));
    Thinking { config, effort, is_on }
}

fn always(wish: Wish, asked: &Reasoning, losses: &mut Losses) -> Thinking {
    losses.drop_if(wish == Wish::Off, FIELD);
    let effort = match wish {
        Wish::Off => Some(Effort::Low),
        Wish::On(level) => level.map(|level| known_effort(level, true, losses)),
        Wish::Nothing => None,
    };
    let config = match wish {
        Wish::On(_) => Some(display(ObjectWriter::of_type("adaptive"), asked)),
        _ if asked.show == Some(true) => Some(display(ObjectWriter::of_type("adaptive"), asked)),
        _ => None,
    };
    Thinking { config, effort, is_on: true }
}

/// Claude's scale goes from `low` to `max`.
fn known_effort(level: Effort, xhigh: bool, losses: &mut Losses) -> Effort {
    match level {
        Effort::None | Effort::Minimal => Effort::Low,
        Effort::Xhigh if !xhigh => {
            losses.drop(FIELD);
            Effort::High
        }
        level => level,
    }
}

/// A budget of tokens, which must be less than the limit of the whole answer.
fn budget(
    level: Option<Effort>,
    asked: &Reasoning,
    conversation: &Conversation,
    max_tokens: u64,
    losses: &mut Losses,
) -> Thinking {
    // A budget that an effort stands for leaves half of the answer's tokens for the answer.
    let most = if asked.budget.is_some() { max_tokens.saturating_sub(1) } else { max_tokens / 2 };
    if most < LEAST_BUDGET || conversation.is_prefilled() {
        losses.drop(FIELD);
        return Thinking::default();
    }
    let wanted = asked.budget.unwrap_or(match level {
        Some(Effort::None | Effort::Minimal | Effort::Low) => LEAST_BUDGET,
        Some(Effort::Medium) => 4_096,
        Some(Effort::High) | None => 16_384,
        Some(Effort::Xhigh | Effort::Max) => 32_000,
    });
    let tokens = wanted.clamp(LEAST_BUDGET, most);
    losses.drop_if(asked.budget.is_some_and(|asked| asked != tokens), FIELD);
    let config = ObjectWriter::of_type("enabled").u64("budget_tokens", tokens);
    Thinking { config: Some(config), effort: None, is_on: true }
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
        let target = Target { dialect: Dialect::Anthropic, provider: "p", model, is_official: true };
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
