//! What the caller is told if no model answers does not depend on the order of the models (C4).

use std::time::Duration;

use http::StatusCode;
use manager::{CallError, OnAuthError, Retry};
use simulator::{Behaviour, Fault, ProviderError};

use crate::support::{Fixture, TestConfig, chat, complete};

/// How a model's turn ends, none of them with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Overloaded,
    Broken,
    RateLimited,
    RateLimitedFor90s,
    OutOfCredit,
    PaymentRequired,
    UnknownModel,
    RejectedKey,
    TooLong,
    CircuitOpen,
}

const ENDS: [End; 10] = [
    End::Overloaded,
    End::Broken,
    End::RateLimited,
    End::RateLimitedFor90s,
    End::OutOfCredit,
    End::PaymentRequired,
    End::UnknownModel,
    End::RejectedKey,
    End::TooLong,
    End::CircuitOpen,
];

/// The models of the route `three`.
const MODELS: [&str; 3] = ["openai:m", "backup:m", "backup:last"];

/// The caller's view of the end: the code, the status, and the seconds until it makes sense to come back, roughly.
type CallEnd = (String, u16, Option<u64>);

fn behaviour(end: End) -> Behaviour {
    match end {
        End::Overloaded => ProviderError::overloaded().into(),
        End::Broken => Fault::Reset.into(),
        End::RateLimited => ProviderError::rate_limited().into(),
        End::RateLimitedFor90s => ProviderError::rate_limited().retry_after(Duration::from_secs(90)).into(),
        End::OutOfCredit => ProviderError::insufficient_quota().into(),
        End::PaymentRequired => Behaviour::status(StatusCode::PAYMENT_REQUIRED),
        End::UnknownModel => ProviderError::unknown_model().into(),
        End::RejectedKey => ProviderError::wrong_key().into(),
        End::TooLong => ProviderError::context_too_long().into(),
        End::CircuitOpen => Behaviour::status(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

fn script(world: &Fixture, model: &str, behaviour: Behaviour) {
    let (provider, name) = model.split_once(':').unwrap();
    if provider == "openai" { &world.first } else { &world.second }.script(name, behaviour);
}

async fn outcome(ends: [End; 3], stream: bool) -> CallEnd {
    let config = TestConfig {
        on_auth_error: OnAuthError::Fallback,
        retry: Retry { max_attempts: 1, ..TestConfig::default().retry },
        ..TestConfig::default()
    };
    let world = Fixture::with(config).await;
    for (model, end) in MODELS.into_iter().zip(ends) {
        script(&world, model, behaviour(end));
        if end == End::CircuitOpen {
            // For everyone: a trip of one request would refuse that request alone (B12).
            let key = model.parse().unwrap();
            world.manager.circuits().open(&key, Some(Duration::from_secs(60)), None, None).await.unwrap();
        }
    }
    match world.call(chat("three", stream)).await {
        Ok(reply) => {
            let (status, body) = complete(reply);
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            (body["error"]["code"].as_str().unwrap_or_default().to_owned(), status, None)
        }
        Err(error) => {
            // A circuit's minute varies a little.
            let about = error.retry_in().map(|wait| if wait.as_secs() < 80 { 60 } else { 90 });
            (error.code().to_owned(), error.status(), about)
        }
    }
}

fn orders([a, b, c]: [End; 3]) -> [[End; 3]; 6] {
    [[a, b, c], [a, c, b], [b, a, c], [b, c, a], [c, a, b], [c, b, a]]
}

/// All sets of three, some of them with the same end twice.
fn sets() -> Vec<[End; 3]> {
    let mut sets = Vec::new();
    for (first, a) in ENDS.into_iter().enumerate() {
        for (second, b) in ENDS.into_iter().enumerate().skip(first) {
            for c in ENDS.into_iter().skip(second + 1) {
                sets.push([a, b, c]);
            }
        }
        sets.push([a, a, a]);
    }
    sets
}

#[tokio::test]
async fn every_order_of_the_models_ends_the_same() {
    for set in sets() {
        let expected = outcome(set, false).await;
        let mut others = orders(set)[1..].to_vec();
        others.sort();
        others.dedup();
        for order in others {
            assert_eq!(outcome(order, false).await, expected, "{order:?}, unlike {set:?}");
        }
        // A mistake of the caller's own is told if, and only if, every model that was asked says so.
        let asked: Vec<End> = set.into_iter().filter(|end| *end != End::CircuitOpen).collect();
        let is_rejected = !asked.is_empty() && asked.iter().all(|end| *end == End::TooLong);
        assert_eq!(expected.0 == "context_length_exceeded", is_rejected, "{set:?}: {expected:?}");
    }
}

#[tokio::test]
async fn every_order_of_a_stream_ends_the_same() {
    for set in [
        [End::Overloaded, End::TooLong, End::TooLong],
        [End::Overloaded, End::RateLimitedFor90s, End::UnknownModel],
        [End::RateLimited, End::RejectedKey, End::OutOfCredit],
    ] {
        let expected = outcome(set, false).await;
        for order in orders(set) {
            assert_eq!(outcome(order, true).await, expected, "{order:?}");
        }
    }
}

#[tokio::test]
async fn the_most_retryable_error_is_returned() {
    for (set, status) in [
        ([End::Overloaded, End::TooLong, End::RateLimited], 503),
        ([End::RateLimited, End::TooLong, End::UnknownModel], 429),
        ([End::TooLong, End::OutOfCredit, End::RejectedKey], 429),
        ([End::TooLong, End::UnknownModel, End::RejectedKey], 404),
        ([End::RejectedKey, End::RejectedKey, End::RejectedKey], 401),
        ([End::TooLong, End::TooLong, End::CircuitOpen], 400),
        ([End::CircuitOpen, End::CircuitOpen, End::CircuitOpen], 503),
    ] {
        assert_eq!(outcome(set, false).await.1, status, "{set:?}");
    }
}

#[tokio::test]
async fn a_rejected_request_behind_another_models_failure_is_the_failure() {
    let config = TestConfig {
        retry: Retry { max_attempts: 1, ..TestConfig::default().retry },
        ..TestConfig::default()
    };
    let world = Fixture::with(config).await;
    world.first.script("m", ProviderError::overloaded());
    world.second.script("m", Behaviour::status(StatusCode::UNPROCESSABLE_ENTITY));
    let error = world.call(chat("chat", false)).await.unwrap_err();
    assert!(matches!(error, CallError::AttemptsExhausted { .. }), "{error:?}");
    assert_eq!((error.status(), world.calls()), (503, (1, 1)));
    // Asked first, it is the only one that was asked: its word is the answer (C2), at once.
    let reversed = Fixture::with(TestConfig::default()).await;
    reversed.first.script("m", Behaviour::status(StatusCode::UNPROCESSABLE_ENTITY));
    reversed.second.script("m", ProviderError::overloaded());
    assert_eq!(complete(reversed.call(chat("chat", false)).await.unwrap()).0, 422);
    assert_eq!(reversed.calls(), (1, 0));
    // Once the first is left out, every model that is asked says so.
    let (status, _) = complete(world.call(chat("chat", false)).await.unwrap());
    assert_eq!(status, 422);
}
