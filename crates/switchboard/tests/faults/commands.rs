//! What administrators do to a Redis in use.

use std::time::Duration;

use testbed::wait_until;
use tokio::time::sleep;

use crate::{
    fleet::{FAILING_MODEL, Fleet},
    trial::Trial,
};

/// Long enough for circuits to open, be probed and open again.
const FAULT_DURATION: Duration = Duration::from_millis(1_500);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn script_flush() {
    let mut trial = Trial::begin("SCRIPT FLUSH, five times", Fleet::start().await).await;
    trial.begin_fault();
    for _ in 0..5 {
        trial.fleet.redis.cli(&["SCRIPT", "FLUSH"]).await;
        sleep(FAULT_DURATION / 5).await;
    }
    trial.end_fault();
    trial.assert_recovered(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_kill() {
    let mut trial =
        Trial::begin("CLIENT KILL TYPE pubsub and normal, three times", Fleet::start().await).await;
    trial.begin_fault();
    for _ in 0..3 {
        for kind in ["pubsub", "normal"] {
            trial.fleet.redis.cli(&["CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes"]).await;
        }
        sleep(FAULT_DURATION / 3).await;
    }
    trial.end_fault();
    trial.assert_recovered(3).await;
}

/// F5: a loss, and the fleet writes its open circuits back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flushall() {
    let mut trial = Trial::begin("FLUSHALL, three times", Fleet::start().await).await;
    trial.begin_fault();
    trial.fleet.wait_until_open(1).await;
    for _ in 0..3 {
        trial.fleet.redis.cli(&["FLUSHALL"]).await;
        wait_until("the fleet writes its open circuit back", async || {
            let history = trial.fleet.run(&["circuits", "history", FAILING_MODEL, "--json"]).await;
            // Until then there is no such circuit.
            history.code == Some(0)
                && history
                    .json()
                    .as_array()
                    .unwrap()
                    .last()
                    .is_some_and(|oldest| oldest["reason"]["kind"] == "restored")
        })
        .await;
        sleep(FAULT_DURATION / 3).await;
    }
    trial.end_fault();
    trial.assert_recovered(0).await;
}
