use std::time::Duration;

use simulator::{Behaviour, Fault, ProviderError, Script, Settings, Simulator};

use crate::client::{ALL_APIS, Api, call, events_of, json_of, stream};

async fn statuses(simulator: &Simulator, model: &str, calls: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..calls {
        statuses.push(call(simulator, Api::OpenAi, model).await.status().as_u16());
    }
    statuses
}

#[tokio::test]
async fn the_first_calls_meet_one_thing_and_later_ones_another() {
    let simulator = Simulator::start().await.unwrap();
    simulator.script("m", Script::first(2, ProviderError::overloaded()).then(ProviderError::rate_limited()));
    assert_eq!(statuses(&simulator, "m", 4).await, [503, 503, 429, 429]);
}

#[tokio::test]
async fn a_flapping_model_is_well_and_ill_in_turn() {
    let simulator = Simulator::start().await.unwrap();
    simulator.script("m", Script::flapping_by_calls(2, 1, ProviderError::overloaded()));
    assert_eq!(statuses(&simulator, "m", 6).await, [200, 200, 503, 200, 200, 503]);
    assert_eq!(statuses(&simulator, "fault-429-flap-1-2", 4).await, [200, 429, 429, 200]);
}

#[tokio::test]
async fn a_model_flaps_by_time() {
    let simulator = Simulator::start().await.unwrap();
    let hour = Duration::from_secs(3_600);
    simulator.script("well", Script::flapping(hour, hour, ProviderError::overloaded()));
    simulator.script("ill", Script::flapping(Duration::ZERO, hour, ProviderError::overloaded()));
    assert_eq!(statuses(&simulator, "well", 2).await, [200, 200]);
    assert_eq!(statuses(&simulator, "ill", 2).await, [503, 503]);
}

#[tokio::test]
async fn models_do_not_share_a_script() {
    let simulator = Simulator::start().await.unwrap();
    simulator.script("bad", ProviderError::overloaded());
    assert_eq!(statuses(&simulator, "bad", 1).await, [503]);
    assert_eq!(statuses(&simulator, "good", 1).await, [200]);
}

#[tokio::test]
async fn all_models_without_a_script_can_fail_at_once_and_recover() {
    let simulator = Simulator::start().await.unwrap();
    simulator.script("m", Behaviour::ok());
    simulator.script_default(ProviderError::overloaded());
    assert_eq!(statuses(&simulator, "m", 1).await, [200]);
    assert_eq!(statuses(&simulator, "other", 1).await, [503]);
    simulator.script_default(Behaviour::ok());
    assert_eq!(statuses(&simulator, "other", 1).await, [200]);
}

#[tokio::test]
async fn a_models_name_alone_scripts_it() {
    let simulator = Simulator::start().await.unwrap();
    assert_eq!(statuses(&simulator, "fault-503-times-2", 3).await, [503, 503, 200]);
    for api in ALL_APIS {
        let limited = call(&simulator, api, "fault-429-after-2s").await;
        assert_eq!(limited.status(), 429);
        let retry_after = limited.headers().get("retry-after").map(|value| value.to_str().unwrap());
        assert_eq!(retry_after, (api != Api::Gemini).then_some("2"));
        let (events, clean) = events_of(stream(&simulator, api, "fault-cut-after-2").await).await;
        assert_eq!((events.len(), clean), (2, false));
    }
}

#[tokio::test]
async fn a_script_outranks_the_models_name() {
    let simulator = Simulator::start().await.unwrap();
    simulator.script("fault-hang", Behaviour::ok());
    assert_eq!(statuses(&simulator, "fault-hang", 1).await, [200]);
}

#[tokio::test]
async fn a_misspelt_name_is_told() {
    let simulator = Simulator::start().await.unwrap();
    for api in ALL_APIS {
        let response = call(&simulator, api, "fault-hangs").await;
        assert_eq!(response.status(), 404);
        assert!(json_of(response).await["error"]["message"].as_str().unwrap().contains("`hangs`"));
    }
}

#[tokio::test]
async fn names_keep_the_usual_length_but_not_the_usual_fault() {
    let others = Behaviour::ok().words(5).with(Fault::Hang);
    let simulator =
        Simulator::start_with(Settings { default_behaviour: others, ..Settings::default() }).await.unwrap();
    let response = json_of(call(&simulator, Api::OpenAi, "ok").await).await;
    assert_eq!(response["choices"][0]["message"]["content"], "Hello from ok. Hello from");
}
