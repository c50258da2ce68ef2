//! Strangers with many connections take no call's descriptor, and no model's circuit (Q6, C8).

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use simulator::Simulator;
use tokio::{io::AsyncWriteExt as _, net::TcpStream, time::timeout};

use crate::process::{ALONE, Gateway};

/// The open files of the gateway, and the strangers' connections.
const OPEN_FILES: u32 = 128;
const STRANGERS: usize = 400;

const CALLS: usize = 40;

/// Keeps as many connections as it can, each with nothing, half a head, or a request without a key.
async fn flood(address: String, stop: Arc<AtomicBool>) -> usize {
    let beginnings =
        ["", "GET /v1/models HTTP/1.1\r\nhost: ", "GET /v1/models HTTP/1.1\r\nhost: localhost\r\n\r\n"];
    let (mut open, mut opened) = (std::collections::VecDeque::new(), 0);
    while !stop.load(Ordering::Relaxed) {
        let Ok(Ok(mut socket)) = timeout(Duration::from_millis(200), TcpStream::connect(&address)).await
        else {
            continue;
        };
        let _ = socket.write_all(beginnings[opened % beginnings.len()].as_bytes()).await;
        opened += 1;
        open.push_back(socket);
        if open.len() > STRANGERS {
            open.pop_front();
        }
    }
    opened
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_strangers_takes_nothing_from_callers() {
    testbed::raise_open_files();
    let _alone = ALONE.lock().await;
    let simulator = Simulator::start().await.unwrap();
    let gateway = Gateway::start(&simulator, OPEN_FILES, &[]);
    // Its connection is no stranger's.
    assert_eq!(gateway.call(&gateway.client).await.ok(), Some(200));
    let stop = Arc::new(AtomicBool::new(false));
    let strangers = tokio::spawn(flood(gateway.address.clone(), Arc::clone(&stop)));
    while gateway.metric("switchboard_connections_closed_total{reason=\"stranger\"}").await < Some(100.0) {}

    // One client keeps its connection, another comes with a new one each time.
    let kept = reqwest::Client::new();
    let new = reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap();
    let mut lost = 0;
    for made in 0..CALLS {
        assert_eq!(gateway.call(&kept).await.ok(), Some(200), "call {made}");
        match gateway.call(&new).await {
            Ok(status) => assert_eq!(status, 200, "call {made}"),
            // On a busy machine its request comes later than a stranger is given. Its SDK would try again.
            Err(_) => lost += 1,
        }
    }
    assert!(lost <= CALLS / 20, "{lost} of {CALLS}");
    stop.store(true, Ordering::Relaxed);
    let opened = strangers.await.unwrap();
    assert!(opened > STRANGERS, "{opened} were no flood");
    let circuits = gateway.get("/circuits").await;
    assert!(circuits.contains("CLOSED") && !circuits.contains("OPEN"), "{circuits}");
    let files = std::fs::read_dir(format!("/proc/{}/fd", gateway.child.id())).unwrap().count();
    assert!(files < OPEN_FILES as usize - 16, "{files} open files: some are left");
}
