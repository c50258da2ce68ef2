//! A provider that sends without end costs bounded memory, counts as failed, and is replaced.

use std::time::Duration;

use crate::support::{Setup, World, endless_sse, header};
use manager::BufferLimit;

const MAX_BYTES: usize = 256 * 1024;

#[tokio::test]
async fn endless_keepalives_are_no_response() {
    // Keep-alives, and never an event.
    let (url, provider) = endless_sse(format!(": {}\n\n", "still here ".repeat(1_000))).await;
    let setup = Setup { first_url: Some(url), buffer_limit: BufferLimit(MAX_BYTES), ..Setup::default() };
    let world = World::with(setup).await;
    let response = world.chat("chat", true).send().await.unwrap();
    assert_eq!(header(&response, "x-switchboard-model"), Some("backup:m"));
    assert!(response.text().await.unwrap().ends_with("data: [DONE]\n\n"));
    let sent = tokio::time::timeout(Duration::from_secs(30), provider).await.expect("it is aborted").unwrap();
    assert!(sent < MAX_BYTES + 16 * 1024 * 1024, "socket buffers add to the limit: {sent}");
    let too_large = "switchboard_attempts_total{model=\"openai:m\",outcome=\"too_large\"}";
    assert_eq!(world.metric(too_large).await, Some(1.0));
    world.manager.circuits().flush().await;
    let report = world.manager.circuits().report(&"openai:m".parse().unwrap()).unwrap();
    assert_eq!(report.state, breaker::State::Open, "it counts as a failure");
}
