//! What a caller's small pieces take (Q6).

use simulator::Simulator;
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use crate::process::{ALONE, API_KEY, Gateway};

const BODY_BYTES: usize = 2 * 1024 * 1024;

/// The body itself, what it grows by, and the rest of the connection.
const MAX_KB: u64 = 16 * 1024;

#[tokio::test]
async fn a_body_in_tiny_chunks_takes_little_more_than_its_size() {
    let _alone = ALONE.lock().await;
    let simulator = Simulator::start().await.unwrap();
    let gateway = Gateway::start(&simulator, 1_024, &[]);
    let before = gateway.memory_kb("VmHWM");
    let mut socket = TcpStream::connect(&gateway.address).await.unwrap();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {API_KEY}\r\n\
         transfer-encoding: chunked\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.write_all("1\r\n \r\n".repeat(BODY_BYTES).as_bytes()).await.unwrap();
    // The body is unfinished, and read by the time of the next answer.
    let used = "switchboard_request_memory_bytes";
    while gateway.metric(used).await < Some((BODY_BYTES / 2) as f64) {}
    let after = gateway.memory_kb("VmHWM");
    assert!(after - before < MAX_KB, "{} kB", after - before);
}
