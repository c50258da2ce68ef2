//! Coding agents in loops of tools against models of every maker, with a detour to another maker in the middle: streamed,
//! as they all are, and plain.
//!
//! | turn | answered by | with |
//! | --- | --- | --- |
//! | 0 | the maker | thinking, text, two calls at once |
//! | 1 | the maker | thinking, a call with an odd input or a freeform text |
//! | 2, 3 | the detour, since the maker is overloaded | thinking, a call |
//! | 4 | the maker | thinking, a call |
//! | 5 | the maker | text |
//!
//! The simulators refuse what the makers' APIs refuse: signatures of others, calls and results that do not belong
//! together, a budget for thinking without thinking before the last calls. Each is asked once a turn, so nothing was refused.

use dialects::Dialect;
use manager::Reply;
use serde_json::Value;
use simulator::{Behaviour, ProviderError, Script, Simulator};

use crate::accumulate::accumulate;
use crate::agents::{AGENTS, Agent, Session, result};
use crate::formats::{self, BEDROCK_CLAUDE, Formats, NOVA, events};
use crate::received::{Received, read};
use crate::support::{TestConfig, never_trips};

/// A maker, by a model of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Maker {
    Claude,
    ClaudeWithBudget,
    Gpt,
    Gemini,
    Local,
    /// By Amazon Bedrock's InvokeModel; it takes a budget for thinking.
    BedrockClaude,
    /// By Amazon Bedrock's Converse.
    Nova,
}

/// Makers, and whom the chain goes to in the middle of the loop: each is both, and Bedrock's go to and come from every format.
const PAIRS: [(Maker, Maker); 14] = [
    (Maker::Claude, Maker::Gpt),
    (Maker::ClaudeWithBudget, Maker::Local),
    (Maker::Gpt, Maker::Gemini),
    (Maker::Gemini, Maker::ClaudeWithBudget),
    (Maker::Local, Maker::Claude),
    (Maker::BedrockClaude, Maker::ClaudeWithBudget),
    (Maker::BedrockClaude, Maker::Gpt),
    (Maker::BedrockClaude, Maker::Local),
    (Maker::ClaudeWithBudget, Maker::BedrockClaude),
    (Maker::Gemini, Maker::BedrockClaude),
    (Maker::Nova, Maker::Claude),
    (Maker::Nova, Maker::Gemini),
    (Maker::Gpt, Maker::Nova),
    (Maker::Local, Maker::Nova),
];

impl Maker {
    const fn key(self) -> &'static str {
        match self {
            Self::Claude => "anthropic:claude-opus-5-5",
            Self::ClaudeWithBudget => "anthropic:claude-sonnet-4-5",
            Self::Gpt => "openai:gpt-5.5",
            Self::Gemini => "google-genai:gemini-3-pro-preview",
            Self::Local => "local:qwen3",
            Self::BedrockClaude => BEDROCK_CLAUDE,
            Self::Nova => NOVA,
        }
    }

    /// The format that it is called in for this agent: GPT has chat completions, too.
    fn dialect(self, agent: Agent) -> Dialect {
        match self {
            Self::Claude | Self::ClaudeWithBudget | Self::BedrockClaude => Dialect::Anthropic,
            Self::Gpt if agent.dialect == Dialect::OpenAiChat => Dialect::OpenAiChat,
            Self::Gpt => Dialect::OpenAiResponses,
            Self::Gemini => Dialect::Gemini,
            Self::Local => Dialect::OpenAiChat,
            Self::Nova => Dialect::BedrockConverse,
        }
    }

    const fn simulator(self, world: &Formats) -> &Simulator {
        match self {
            Self::Claude | Self::ClaudeWithBudget => &world.anthropic,
            Self::Gpt => &world.openai,
            Self::Gemini => &world.google,
            Self::Local => &world.local,
            Self::BedrockClaude | Self::Nova => &world.bedrock,
        }
    }

    const fn has_messages(self) -> bool {
        matches!(self, Self::Claude | Self::ClaudeWithBudget | Self::BedrockClaude)
    }

    const fn takes_budget(self) -> bool {
        matches!(self, Self::ClaudeWithBudget | Self::BedrockClaude)
    }
}

const TURNS: usize = 6;
const DETOUR: std::ops::Range<usize> = 2..4;

/// JSON and a text that are easily broken: order, spaces, numbers, escapes.
const ODD_INPUT: &str = r#"{"z": "a \"b\" \\ c\nd", "a": {"list": [1, 2], "none": null}, "text": "é\t{}"}"#;
const PATCH: &str = "*** Begin Patch\n*** Add File: a \"b\".txt\n+say \"hi\" \\ back\\slash\n+\té {\"input\": 1}\n*** End Patch\n";

/// The call of a turn: name and input; a freeform one in the words of a maker's own API.
fn call_of(agent: Agent, turn: usize, index: usize) -> (&'static str, String) {
    match turn {
        1 if agent.is_freeform => (agent.write, PATCH.to_owned()),
        1 => (agent.write, ODD_INPUT.to_owned()),
        _ => (agent.read, format!(r#"{{"path":"{turn}.{index}"}}"#)),
    }
}

/// As a model answers that has functions alone.
fn as_function(input: &str) -> String {
    serde_json::json!({"input": input}).to_string()
}

fn behaviour(agent: Agent, maker: Maker, turn: usize, thinks: bool) -> Behaviour {
    if turn + 1 == TURNS {
        return Behaviour::ok();
    }
    let calls = if turn == 0 { 2 } else { 1 };
    let step = Behaviour::ok().words(if turn == 0 { 3 } else { 0 });
    let step = if thinks { step.thinking(format!("thought {turn}"), format!("turn {turn}")) } else { step };
    (0..calls).fold(step, |step, index| {
        let (name, input) = call_of(agent, turn, index);
        let step = match turn == 1 && agent.is_freeform {
            true if maker.dialect(agent) == Dialect::OpenAiResponses => step.freeform_call(name, input),
            true => step.tool_call(name, as_function(&input)),
            false => step.tool_call(name, input),
        };
        // As Kimi's models number their calls, which fits no other API.
        let id = format!("functions.{name}:{turn}{index}{}", "0".repeat(64));
        if maker == Maker::Local { step.call_id(id) } else { step }
    })
}

fn last_request(simulator: &Simulator) -> (Value, http::HeaderMap) {
    let traffic = simulator.traffic();
    let last = traffic.received().last().unwrap();
    (serde_json::from_slice(&last.body).unwrap(), last.headers.clone())
}

/// The calls and results of all turns before, as this maker gets them.
fn expected_history(agent: Agent, dialect: Dialect, turns: usize) -> (Vec<(String, String)>, Vec<String>) {
    let (mut calls, mut results) = (Vec::new(), Vec::new());
    for turn in 0..turns {
        for index in 0..if turn == 0 { 2 } else { 1 } {
            let (name, input) = call_of(agent, turn, index);
            let input = match dialect {
                Dialect::OpenAiResponses => input,
                _ if turn == 1 && agent.is_freeform => as_function(&input),
                _ => input,
            };
            calls.push((name.to_owned(), input));
            results.push(result(turn, index));
        }
    }
    (calls, results)
}

/// An input whose JSON was parsed on its way has no bytes of its own: what it says must be the same.
fn same_input(dialect: Dialect, agent: Agent, got: &str, expected: &str) -> bool {
    let has_text = |dialect| matches!(dialect, Dialect::OpenAiChat | Dialect::OpenAiResponses);
    let json = |text| serde_json::from_str::<Value>(text).ok();
    if has_text(dialect) && has_text(agent.dialect) {
        return got == expected;
    }
    got == expected || json(got).is_some_and(|got| Some(got) == json(expected))
}

fn assert_received(agent: Agent, maker: Maker, turn: usize, body: &Value, case: &str) {
    let dialect = maker.dialect(agent);
    let Received { system, calls, results, tools } = read(dialect, body);
    let (expected_calls, expected_results) = expected_history(agent, dialect, turn);
    assert_eq!(results, expected_results, "{case}: {body}");
    assert_eq!(calls.len(), expected_calls.len(), "{case}: {calls:?}");
    for ((name, input), (expected_name, expected_input)) in calls.iter().zip(&expected_calls) {
        assert_eq!(name, expected_name, "{case}");
        assert!(same_input(dialect, agent, input, expected_input), "{case}: {input} for {expected_input}");
    }
    let own = read(
        agent.dialect,
        &serde_json::from_slice(Session::new(agent, false).call(true).request.body()).unwrap(),
    );
    // Formats with one text for it join the blocks by lines.
    let without_lines = |texts: Vec<String>| texts.concat().replace('\n', "");
    let is_billing = |text: &String| text.starts_with("x-anthropic-billing-header");
    let mut own_system = own.system;
    own_system.retain(|text| dialect == agent.dialect || !is_billing(text));
    assert_eq!(without_lines(system), without_lines(own_system), "{case}");
    let hosted = ["web_search", "tool_search"];
    let own_tools =
        own.tools.iter().filter(|name| dialect == agent.dialect || !hosted.contains(&name.as_str()));
    assert_eq!(tools, own_tools.cloned().collect::<Vec<_>>(), "{case}");
}

/// Which turns a maker answered before this one whose reasoning it must get back.
fn own_turns(agent: Agent, maker: Maker, is_detour: bool, turn: usize) -> usize {
    let is_signed = maker != Maker::Local && maker.dialect(agent) != Dialect::OpenAiChat;
    let turns = (0..turn).filter(|turn| DETOUR.contains(turn) == is_detour);
    if is_signed && agent.keeps_reasoning { turns.count() } else { 0 }
}

fn assert_reasoning(agent: Agent, maker: Maker, own: usize, body: &Value, case: &str) {
    let text = body.to_string();
    assert_eq!(text.matches("simulated/").count(), own, "{case}: {text}");
    assert!(!text.contains("c3dpdGNoYm9hcmQ6"), "an envelope went out, {case}: {text}");
    // Chat completions' reasoning is a plain text, which a server of that format gets back from its own kind of caller.
    if maker.dialect(agent) != Dialect::OpenAiChat {
        let texts = text.matches("\"thought ").count();
        assert!(texts <= own, "{case}: another's thought: {text}");
    }
}

/// Bedrock has them in the body.
fn assert_betas(agent: Agent, by: Maker, body: &Value, headers: &http::HeaderMap, case: &str) {
    let is_own = agent.dialect == Dialect::Anthropic && by.has_messages();
    let is_bedrocks = is_own && by == Maker::BedrockClaude;
    assert_eq!(headers.contains_key("anthropic-beta"), is_own && !is_bedrocks, "{case}: {headers:?}");
    assert_eq!(body["anthropic_beta"].is_array(), is_bedrocks, "{case}: {body}");
}

async fn answered(agent: Agent, reply: Reply, stream: bool, case: &str) -> Value {
    if !stream {
        return formats::answer(reply).await;
    }
    assert!(matches!(reply.body, manager::Body::Stream { .. }), "{case}: {:?}", reply.body);
    accumulate(agent.dialect, &events(reply).await)
}

/// The agent's own calls of a turn, as its SDK has them.
fn assert_calls(agent: Agent, turn: usize, answer: &Value, case: &str) {
    let wrapped = match agent.dialect {
        Dialect::BedrockConverse => panic!("no caller has it"),
        Dialect::OpenAiChat => serde_json::json!({"messages": [answer["choices"][0]["message"]]}),
        Dialect::OpenAiResponses => serde_json::json!({"input": answer["output"]}),
        Dialect::Anthropic => serde_json::json!({"messages": [{"content": answer["content"]}]}),
        Dialect::Gemini => serde_json::json!({"contents": [answer["candidates"][0]["content"]]}),
    };
    let calls = read(agent.dialect, &wrapped).calls;
    let (all, _) = expected_history(agent, agent.dialect, turn + 1);
    let expected = if turn + 1 == TURNS { &[] } else { &all[all.len() - if turn == 0 { 2 } else { 1 }..] };
    assert_eq!(calls.len(), expected.len(), "{case}: {answer}");
    for ((name, input), (expected_name, expected_input)) in calls.iter().zip(expected) {
        assert_eq!(name, expected_name, "{case}");
        let is_same = same_input(agent.dialect, agent, input, expected_input);
        assert!(is_same, "{case}: {input} for {expected_input}");
    }
}

/// `detour_thinks`: without, nothing in its turns says that another maker's model made them.
async fn run_loop(agent: Agent, (maker, detour): (Maker, Maker), detour_thinks: bool, stream: bool) {
    let config = TestConfig { policy: never_trips(), ..TestConfig::default() };
    let retry = manager::Retry { max_attempts: 1, ..config.retry };
    let config = TestConfig { retry, ..config };
    let world = Formats::with_route(config, &[maker.key(), detour.key()]).await;
    let steps = (0..TURNS).map(|turn| match DETOUR.contains(&turn) {
        true => ProviderError::overloaded().into(),
        false => behaviour(agent, maker, turn, true),
    });
    maker.simulator(&world).script_default(Script::sequence(steps));
    let steps = DETOUR.map(|turn| behaviour(agent, detour, turn, detour_thinks));
    detour.simulator(&world).script_default(Script::sequence(steps));
    let adaptive = [maker, detour].contains(&Maker::Claude);
    // Claude refuses the detour's calls, whether it is overloaded or not, and is asked once more without any thinking.
    let asks_again = !detour_thinks && maker.takes_budget() && agent.name == "Claude Code";
    // Two providers of one format get each other's thinking as the caller sends it: nothing says whose it is. The simulators
    // refuse it, and are asked once more without any.
    let gets_foreign = agent.dialect == Dialect::Anthropic && maker.has_messages() && detour.has_messages();
    let is_stripped = |turn: usize| gets_foreign && turn >= 2 && (detour_thinks || turn < 4);
    let mut session = Session::new(agent, adaptive);
    for turn in 0..TURNS {
        let is_detour = DETOUR.contains(&turn);
        let by = if is_detour { detour } else { maker };
        let case = format!("{} to {by:?}, turn {turn} of a loop with {maker:?} and {detour:?}", agent.name);
        let reply = world.call(session.call(stream)).await.unwrap_or_else(|error| panic!("{case}: {error}"));
        assert_eq!(reply.answered_by.as_str(), by.key(), "{case}");
        assert_eq!(reply.attempts, if is_detour { 2 } else { 1 }, "{case}");
        assert_eq!(reply.translated.is_some(), by.dialect(agent) != agent.dialect, "{case}");
        if let Some(translated) = &reply.translated
            && agent.is_freeform
        {
            let dropped = &translated.dropped;
            assert!(dropped.iter().any(|name| name.contains("web_search")), "{case}: {dropped:?}");
        }
        let (body, headers) = last_request(by.simulator(&world));
        assert_received(agent, by, turn, &body, &case);
        let own = own_turns(agent, by, is_detour, turn);
        let own = match turn {
            4 if asks_again => 0,
            3 if !detour_thinks && by != Maker::Gemini => 0,
            _ if is_stripped(turn) => 0,
            _ => own,
        };
        assert_reasoning(agent, by, own, &body, &case);
        assert_betas(agent, by, &body, &headers, &case);
        // A key of the cache is a wish for one.
        let has_marks =
            by.has_messages() && matches!(agent.dialect, Dialect::Anthropic | Dialect::OpenAiResponses);
        assert_eq!(body.to_string().contains("cache_control"), has_marks, "{case}: {body}");
        let has_points = by == Maker::Nova && agent.dialect == Dialect::Anthropic;
        assert_eq!(body.to_string().contains("cachePoint"), has_points, "{case}: {body}");
        let answer = answered(agent, reply, stream, &case).await;
        assert_calls(agent, turn, &answer, &case);
        session.push(&answer);
    }
    let calls = |maker: Maker| maker.simulator(&world).traffic().all_calls();
    assert_eq!(
        (calls(maker), calls(detour)),
        (
            // Refused before it is overloaded, or instead.
            TURNS
                + if asks_again {
                    2
                } else {
                    (3..TURNS).filter(|turn| detour_thinks && is_stripped(*turn)).count()
                },
            DETOUR.len() + DETOUR.filter(|turn| is_stripped(*turn)).count()
        ),
        "{} with {maker:?} and {detour:?}: each was asked once a turn",
        agent.name
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_agent_keeps_its_loop_with_every_maker() {
    run_all(true, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_detour_whose_model_does_not_think_breaks_no_loop() {
    run_all(false, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loop_of_plain_answers_is_the_same() {
    run_all(true, false).await;
}

async fn run_all(detour_thinks: bool, stream: bool) {
    let run = |agent| PAIRS.map(|pair| tokio::spawn(run_loop(agent, pair, detour_thinks, stream)));
    let mut failed = 0;
    for running in AGENTS.into_iter().flat_map(run).collect::<Vec<_>>() {
        failed += usize::from(running.await.is_err());
    }
    assert_eq!(failed, 0, "loops failed, as said above");
}
