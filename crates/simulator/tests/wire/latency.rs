use std::time::Duration;

use simulator::{Behaviour, Fault, Simulator};
use tokio::time::Instant;

use crate::client::{ALL_APIS, call, events_of, json_of, read_events, stream, try_call};

const LATENCY: Duration = Duration::from_secs(3);
const GAP: Duration = Duration::from_secs(2);

/// Paused time moves on only when all are waiting; other timers may add a little.
fn assert_about(passed: Duration, expected: Duration) {
    assert!(passed >= expected && passed < expected + Duration::from_millis(500), "{passed:?}");
}

#[tokio::test(start_paused = true)]
async fn the_latency_comes_before_the_head() {
    let simulator = Simulator::start().await.unwrap();
    simulator.script("m", Behaviour::ok().latency(LATENCY));
    for api in ALL_APIS {
        for stream in [false, true] {
            let began = Instant::now();
            try_call(&simulator, api, "m", stream).await.unwrap();
            assert_about(began.elapsed(), LATENCY);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_gap_comes_between_two_events() {
    let simulator = Simulator::start().await.unwrap();
    simulator.script("m", Behaviour::ok().gap(GAP));
    for api in ALL_APIS {
        let began = Instant::now();
        let mut response = stream(&simulator, api, "m").await;
        read_events(&mut response, 1).await;
        assert_about(began.elapsed(), Duration::ZERO);
        read_events(&mut response, 1).await;
        assert_about(began.elapsed(), GAP);
        let (rest, _) = events_of(response).await;
        assert_eq!(rest.len(), api.stream_length() - 2);
        assert_about(began.elapsed(), GAP * u32::try_from(rest.len() + 1).unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_first_content_comes_after_a_preamble_at_once() {
    let simulator = Simulator::start().await.unwrap();
    simulator.script("m", Behaviour::ok().first_token(GAP));
    for api in ALL_APIS {
        let began = Instant::now();
        let mut response = stream(&simulator, api, "m").await;
        read_events(&mut response, api.preamble()).await;
        assert_about(began.elapsed(), Duration::ZERO);
        read_events(&mut response, 1).await;
        assert_about(began.elapsed(), GAP);
        assert!(events_of(response).await.1);
        assert_about(began.elapsed(), GAP);
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_plain_answer_has_its_head_at_once() {
    let simulator = Simulator::start().await.unwrap();
    simulator.script("m", Behaviour::ok().first_token(GAP));
    for api in ALL_APIS {
        let began = Instant::now();
        let response = call(&simulator, api, "m").await;
        assert_about(began.elapsed(), Duration::ZERO);
        json_of(response).await;
        assert_about(began.elapsed(), GAP);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stalled_stream_goes_on_to_a_good_end() {
    let simulator = Simulator::start().await.unwrap();
    for api in ALL_APIS {
        let after = api.preamble() + 1;
        simulator.script("m", Fault::Stall { after, length: GAP });
        let began = Instant::now();
        let mut response = stream(&simulator, api, "m").await;
        read_events(&mut response, after).await;
        assert_about(began.elapsed(), Duration::ZERO);
        let (rest, clean) = events_of(response).await;
        assert_about(began.elapsed(), GAP);
        assert_eq!((rest.len(), clean), (api.stream_length() - after, true));
    }
}

#[tokio::test(start_paused = true)]
async fn a_stalled_plain_answer_is_a_good_one_later() {
    let simulator = Simulator::start().await.unwrap();
    for after in [0, 1] {
        simulator.script("m", Fault::Stall { after, length: GAP });
        for api in ALL_APIS {
            let began = Instant::now();
            let mut response = call(&simulator, api, "m").await;
            if after == 1 {
                assert!(response.chunk().await.unwrap().is_some());
            }
            assert_about(began.elapsed(), Duration::ZERO);
            while response.chunk().await.unwrap().is_some() {}
            assert_about(began.elapsed(), GAP);
        }
    }
}
