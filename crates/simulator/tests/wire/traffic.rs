use std::sync::Arc;

use simulator::{Fault, Settings, Simulator};

use crate::client::{ALL_APIS, Api, body, call, http, request, stream, try_call};

#[tokio::test]
async fn calls_are_counted_by_model() {
    let simulator = Simulator::start().await.unwrap();
    for api in ALL_APIS {
        call(&simulator, api, "a").await;
    }
    stream(&simulator, Api::OpenAi, "b").await;
    let seen = simulator.traffic();
    let counts = (seen.calls("a"), seen.calls("b"), seen.calls("c"), seen.all_calls());
    assert_eq!(counts, (ALL_APIS.len(), 1, 0, ALL_APIS.len() + 1));
}

#[tokio::test]
async fn requests_are_kept_as_they_came() {
    let simulator = Simulator::start().await.unwrap();
    let raw = "{ \"model\" : \"m\",\n \"unknown\": [1, 2] }";
    let before = tokio::time::Instant::now();
    let url = format!("{}/chat/completions?a=b", simulator.openai_base_url());
    http().post(url).header("x-test", "7").body(raw).send().await.unwrap();
    call(&simulator, Api::Anthropic, "other").await;
    let seen = simulator.traffic();
    assert_eq!(seen.received().len(), 2);
    let received = seen.received_for("m").next().unwrap();
    assert_eq!(received.path, "/v1/chat/completions");
    assert_eq!(received.headers["x-test"], "7");
    assert_eq!(received.body, raw);
    assert!(received.at >= before && received.at <= tokio::time::Instant::now());
    assert_eq!(seen.received()[1].path, "/v1/messages");
}

#[tokio::test]
async fn requests_that_are_no_calls_are_kept_but_not_counted() {
    let simulator = Simulator::start().await.unwrap();
    http().get(format!("{}/models", simulator.openai_base_url())).send().await.unwrap();
    let seen = simulator.traffic();
    assert_eq!((seen.all_calls(), seen.received().len()), (0, 1));
    assert_eq!(seen.received()[0].model, None);
}

#[tokio::test]
async fn a_test_can_wait_for_calls_made_elsewhere() {
    let simulator = Arc::new(Simulator::start().await.unwrap());
    simulator.script("m", Fault::Hang);
    let client = http();
    let calls: Vec<_> = (0..3)
        .map(|_| tokio::spawn(request(&client, &simulator, Api::OpenAi, &body("m", false)).send()))
        .collect();
    simulator.wait_until(|seen| seen.calls("m") == 3).await;
    assert_eq!(simulator.traffic().in_flight(), 3);
    assert_eq!(simulator.traffic().open_connections(), 3);
    calls[0].abort();
    simulator.wait_until(|seen| seen.disconnected() == 1).await;
    assert_eq!(simulator.traffic().in_flight(), 2);
}

#[tokio::test]
async fn a_call_read_to_its_end_is_not_abandoned() {
    let simulator = Simulator::start().await.unwrap();
    for api in ALL_APIS {
        call(&simulator, api, "m").await.bytes().await.unwrap();
        stream(&simulator, api, "m").await.bytes().await.unwrap();
    }
    simulator.wait_until(|seen| seen.open_connections() == 0).await;
    assert_eq!((simulator.traffic().in_flight(), simulator.traffic().disconnected()), (0, 0));
}

#[tokio::test]
async fn recording_can_be_off() {
    let settings = Settings { record_requests: false, ..Settings::default() };
    let simulator = Simulator::start_with(settings).await.unwrap();
    try_call(&simulator, Api::OpenAi, "m", false).await.unwrap();
    assert_eq!((simulator.traffic().received().len(), simulator.traffic().calls("m")), (0, 1));
}
