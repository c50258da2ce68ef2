use std::time::Duration;

use simulator::{Behaviour, Simulator};
use tokio::time::Instant;

use crate::client::{BOTH, events_of, read_events, stream, try_call};

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
    for api in BOTH {
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
    for api in BOTH {
        let began = Instant::now();
        let mut response = stream(&simulator, api, "m").await;
        read_events(&mut response, 1).await;
        assert_about(began.elapsed(), Duration::ZERO);
        read_events(&mut response, 1).await;
        assert_about(began.elapsed(), GAP);
        let (rest, _) = events_of(response).await;
        assert_eq!(rest.len(), api.whole_stream() - 2);
        assert_about(began.elapsed(), GAP * u32::try_from(rest.len() + 1).unwrap());
    }
}
