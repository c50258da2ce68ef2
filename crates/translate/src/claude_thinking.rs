//! Asks a Claude for reasoning, in the fields `thinking` and `output_config` that it has in every format.

use crate::abilities::{self, Abilities};
use crate::form::{Effort, Reasoning, Request};
use crate::json::ObjectWriter;
use crate::target::Losses;

/// The least budget that Anthropic takes.
const LEAST_BUDGET: u64 = 1_024;

/// The caller's word for it in what was left out.
const FIELD: &str = "reasoning";

#[derive(Debug, Default)]
pub(crate) struct Thinking {
    /// The field `thinking`.
    pub(crate) config: Option<ObjectWriter>,
    /// The field `output_config.effort`.
    pub(crate) effort: Option<Effort>,
    /// The request switches it on.
    pub(crate) is_on: bool,
}

/// What in the request stands against thinking.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Situation {
    /// The model is made to call a tool.
    pub(crate) is_forced: bool,
    /// The request begins the answer.
    pub(crate) is_prefilled: bool,
    /// The last answer called tools without thinking first: another model's.
    pub(crate) continues_calls: bool,
    /// The limit on the answer's tokens.
    pub(crate) max_tokens: u64,
}

/// What the caller wants, in whichever of the ways it said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Nothing,
    Off,
    /// On; `None`: as much as the model likes.
    On(Option<Effort>),
}

pub(crate) fn write(
    request: &Request,
    abilities: Abilities,
    situation: Situation,
    losses: &mut Losses,
) -> Thinking {
    let asked = &request.reasoning;
    let mut wish = wish(asked);
    if situation.is_forced && matches!(wish, Wish::On(_)) && abilities.forced_tools {
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
            Wish::On(_) if situation.continues_calls => {
                losses.drop(FIELD);
                Thinking::default()
            }
            Wish::On(level) => {
                let thinking = budget(level, asked, situation, losses);
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
            Wish::On(level) => budget(level, asked, situation, losses),
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
fn budget(level: Option<Effort>, asked: &Reasoning, situation: Situation, losses: &mut Losses) -> Thinking {
    let max_tokens = situation.max_tokens;
    // A budget that an effort stands for leaves half of the answer's tokens for the answer.
    let most = if asked.budget.is_some() { max_tokens.saturating_sub(1) } else { max_tokens / 2 };
    if most < LEAST_BUDGET || situation.is_prefilled {
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
