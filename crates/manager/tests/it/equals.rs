//! Equals of a chain (C7): four simulated providers of one model, and a fallback behind them.

use std::time::Duration;

use breaker::Policy;
use circuits::{Circuits, Policies};
use dialects::{Endpoint, Request};
use http::StatusCode;
use manager::{Call, ModelGroup, ModelManager, Route, Settings};
use providers::{ProviderConfig, ProviderKind};
use simulator::{Behaviour, Simulator};

use crate::support::{TestConfig, complete, never_trips, reply_of};

const EQUALS: [&str; 4] = ["eu:m", "us:m", "asia:m", "own:m"];
const OPEN_FOR: Duration = Duration::from_millis(300);

struct World {
    providers: Vec<Simulator>,
    manager: ModelManager,
    circuits: Circuits,
}

impl World {
    /// The route `chat` over four equals, then `last:m`.
    async fn start() -> Self {
        let policy = TestConfig::default().policy;
        Self::with(Policy {
            open_duration: OPEN_FOR,
            max_open_duration: OPEN_FOR,
            open_jitter: 0.0,
            ..policy
        })
        .await
    }

    async fn with(policy: Policy) -> Self {
        let mut providers = Vec::new();
        for _ in 0..5 {
            providers.push(Simulator::start().await.unwrap());
        }
        let names = EQUALS.map(|key| key.split_once(':').unwrap().0).into_iter().chain(["last"]);
        let config = names.zip(&providers).map(|(name, simulator)| {
            ProviderConfig::new(name, ProviderKind::OpenAi, simulator.openai_base_url().parse().unwrap())
        });
        let test = TestConfig::default();
        let equals = ModelGroup::of_equals(EQUALS.iter().map(|key| key.parse().unwrap())).unwrap();
        let route = Route { models: vec![equals, "last:m".parse().unwrap()], ..test.route(&[]) };
        let settings = Settings {
            providers: config.collect(),
            routes: [("chat".to_owned(), route)].into(),
            retry: test.retry,
            timeouts: test.timeouts,
            ..Settings::default()
        };
        let circuits = Circuits::in_memory(Policies { default: policy, ..Policies::default() });
        let manager = ModelManager::new(settings, circuits.clone()).unwrap();
        Self { providers, manager, circuits }
    }

    /// A turn of a conversation; `None`: a call of none. The model that answered, and the attempts.
    async fn turn(&self, conversation: Option<usize>) -> (String, u32) {
        let reply = reply_of(self.manager.call(call(conversation)).await.unwrap());
        let answered = (reply.answered_by.to_string(), reply.attempts);
        assert_eq!(complete(reply).0, 200);
        answered
    }

    async fn all(&self, conversations: usize) -> Vec<String> {
        let mut answered = Vec::new();
        for conversation in 0..conversations {
            answered.push(self.turn(Some(conversation)).await.0);
        }
        answered
    }
}

fn call(conversation: Option<usize>) -> Call {
    let key = conversation.map_or_else(String::new, |number| format!(r#","prompt_cache_key":"c-{number}""#));
    let messages = if conversation.is_some() { r#","messages":[{"role":"user","content":"a"}]"# } else { "" };
    let body = format!(r#"{{"model":"chat"{messages}{key}}}"#);
    Call {
        id: "id".into(),
        caller: None,
        allowed_models: None,
        request: Request::parse(Endpoint::ChatCompletions, body.into()).unwrap(),
        headers: http::HeaderMap::new(),
        beta: false,
        fallback: true,
        client_timeout: None,
        injected_fault: None,
    }
}

#[tokio::test]
async fn conversations_stay_move_when_one_opens_and_return() {
    let world = World::start().await;
    let before = world.all(60).await;
    for key in EQUALS {
        let count = before.iter().filter(|answered| *answered == key).count();
        assert!((5..=28).contains(&count), "{key}: {count} of 60");
    }
    assert_eq!(world.all(60).await, before, "every conversation stays");

    // One fails: its conversations go to the other three, and to no fallback; the others' stay.
    world.providers[0].script("m", Behaviour::status(StatusCode::SERVICE_UNAVAILABLE));
    let during = world.all(60).await;
    assert!(during.iter().all(|answered| answered != "eu:m" && answered != "last:m"), "{during:?}");
    for (conversation, (before, during)) in before.iter().zip(&during).enumerate() {
        assert!(before == during || before == "eu:m", "{conversation}: {before} to {during}");
    }
    let moved: std::collections::BTreeSet<_> = before
        .iter()
        .zip(&during)
        .filter(|(before, _)| *before == "eu:m")
        .map(|(_, during)| during)
        .collect();
    assert!(moved.len() > 1, "not all to one: {moved:?}");

    // It is well again: after one probe, just its own conversations return.
    world.providers[0].script("m", Behaviour::default());
    tokio::time::sleep(OPEN_FOR).await;
    let first = before.iter().position(|answered| answered == "eu:m").unwrap();
    world.turn(Some(first)).await;
    world.circuits.wait_idle(&"eu:m".parse().unwrap()).await;
    assert_eq!(world.all(60).await, before);
}

#[tokio::test]
async fn an_equal_is_called_instead_of_a_retry_and_before_the_fallback() {
    let world = World::start().await;
    for provider in &world.providers[..3] {
        provider.script("m", Behaviour::status(StatusCode::SERVICE_UNAVAILABLE));
    }
    let (answered, attempts) = world.turn(None).await;
    assert_eq!(answered, "own:m");
    assert!((1..=4).contains(&attempts), "{attempts}: each of the others at most once");
    world.providers[3].script("m", Behaviour::status(StatusCode::SERVICE_UNAVAILABLE));
    assert_eq!(world.turn(None).await.0, "last:m");
}

#[tokio::test]
async fn where_no_equal_can_be_called_the_same_model_is_retried() {
    let world = World::with(never_trips()).await;
    // Three are forced open, so the fourth has its second attempt, as a model without equals has.
    for key in &EQUALS[..3] {
        world.circuits.open(&key.parse().unwrap(), None, None, None).await.unwrap();
    }
    world.providers[3]
        .script("m", simulator::Script::first(1, Behaviour::status(StatusCode::SERVICE_UNAVAILABLE)));
    for conversation in [None, Some(1), Some(2), Some(3)] {
        let (answered, attempts) = world.turn(conversation).await;
        assert_eq!((answered.as_str(), attempts), ("own:m", if conversation.is_none() { 2 } else { 1 }));
    }
}

#[tokio::test]
async fn one_that_was_open_is_probed_by_calls_of_no_conversation() {
    let world = World::start().await;
    world.providers[0].script("m", Behaviour::status(StatusCode::SERVICE_UNAVAILABLE));
    while world.providers[0].traffic().calls("m") == 0 {
        world.turn(None).await;
    }
    world.providers[0].script("m", Behaviour::default());
    tokio::time::sleep(OPEN_FOR).await;
    let mut answered = std::collections::BTreeSet::new();
    for _ in 0..60 {
        answered.insert(world.turn(None).await.0);
    }
    assert_eq!(answered.len(), 4, "{answered:?}");
}

#[tokio::test]
async fn without_fallback_all_equals_may_be_called() {
    let world = World::start().await;
    for provider in &world.providers[..3] {
        provider.script("m", Behaviour::status(StatusCode::SERVICE_UNAVAILABLE));
    }
    for conversation in 0..8 {
        let call = Call { fallback: false, ..call(Some(conversation)) };
        let reply = reply_of(world.manager.call(call).await.unwrap());
        assert_eq!(reply.answered_by.as_str(), "own:m");
    }
}

#[tokio::test]
async fn calls_of_no_conversation_go_where_least_is_in_flight() {
    let world = World::start().await;
    for provider in &world.providers[..4] {
        provider.script("m", Behaviour::default().latency(Duration::from_millis(300)));
    }
    let calls = (0..40).map(|_| world.manager.call(call(None)));
    for response in futures_util::future::join_all(calls).await {
        complete(reply_of(response.unwrap()));
    }
    let counts: Vec<_> = world.providers.iter().map(|provider| provider.traffic().calls("m")).collect();
    assert!(counts[..4].iter().all(|count| (7..=13).contains(count)) && counts[4] == 0, "{counts:?}");
}
