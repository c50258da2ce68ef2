//! A reader of the log that stops reading holds up nobody (Q7).

use std::{sync::Arc, time::Duration};

use simulator::Simulator;
use tokio::task::JoinSet;

use crate::process::{ALONE, Gateway, read_until};

/// Calls at a time; some thousands fill the pipe and the queue.
const CALLS: usize = 2_000;

const AT_ONCE: usize = 20;

const DROPPED: &str = "switchboard_log_lines_dropped_total";

async fn fill(gateway: &Arc<Gateway>) {
    let mut callers = JoinSet::new();
    for _ in 0..AT_ONCE {
        let gateway = Arc::clone(gateway);
        callers.spawn(async move {
            for made in 0..CALLS / AT_ONCE {
                let status = gateway.call(&gateway.client).await;
                assert_eq!(status.ok(), Some(200), "after {made} calls");
            }
        });
    }
    while let Some(caller) = callers.join_next().await {
        caller.unwrap();
    }
    assert_eq!(gateway.get("/livez").await, "alive\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_nobody_reads_holds_up_nothing() {
    let _alone = ALONE.lock().await;
    let simulator = Simulator::start().await.unwrap();
    let mut gateway = Gateway::start(&simulator, 1_024, &[("SWITCHBOARD_LOG", "trace")]);
    let mut stderr = gateway.stderr.take().unwrap();
    let gateway = Arc::new(gateway);
    let mut filled = 0;
    while gateway.metric(DROPPED).await == Some(0.0) {
        fill(&gateway).await;
        filled += 1;
        assert!(filled < 10, "the queue has no end");
    }

    let reading = tokio::task::spawn_blocking(move || (read_until(&mut stderr, "were dropped"), stderr));
    let (line, stderr) = tokio::time::timeout(Duration::from_secs(30), reading).await.unwrap().unwrap();
    assert!(line.contains("WARN") && line.contains(" log lines were dropped"), "{line}");

    fill(&gateway).await;
    let mut gateway = Arc::into_inner(gateway).unwrap();
    let took = gateway.terminate().await;
    // Load balancers have 2 s to notice, the log 1 s.
    assert!(took < Duration::from_secs(10), "{took:?}");
    drop(stderr);
}
