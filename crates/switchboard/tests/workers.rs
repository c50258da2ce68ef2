//! The threads that serve connections: each has its share of them.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

use std::{collections::BTreeMap, fs, time::Duration};

use testbed::Program;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

const THREADS: usize = 3;

/// How often each of the threads has waited for something so far, by its name.
fn waits(program: &Program) -> BTreeMap<String, u64> {
    let threads = fs::read_dir(format!("/proc/{}/task", program.pid())).unwrap();
    let waits_of = |thread: fs::DirEntry| {
        let name = fs::read_to_string(thread.path().join("comm")).unwrap().trim().to_owned();
        let status = fs::read_to_string(thread.path().join("status")).unwrap();
        let waits = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap();
        name.starts_with("worker-").then(|| (name, waits.trim().parse().unwrap()))
    };
    threads.filter_map(|thread| waits_of(thread.unwrap())).collect()
}

/// Makes many requests, one after another: the thread that serves them waits for each.
async fn request_often(socket: &mut TcpStream) {
    for _ in 0..50 {
        socket.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        let mut response = Vec::new();
        while !response.ends_with(b"alive\n") {
            let read = timeout(Duration::from_secs(20), socket.read_buf(&mut response)).await;
            assert!(read.expect("a response").unwrap() > 0, "it has closed");
        }
    }
}

#[tokio::test]
async fn connections_are_spread_over_the_threads() {
    let variables = [("REDIS_URL", "memory:"), ("TOKIO_WORKER_THREADS", "3")];
    let program =
        Program::start(env!("CARGO_BIN_EXE_switchboard"), &["serve", "--listen", "127.0.0.1:0"], variables);
    let line = program.wait_for_line("listening").await;
    let address = line.split("address=http://").nth(1).expect("its address").split(' ').next().unwrap();
    let mut sockets = Vec::new();
    for _ in 0..2 * THREADS {
        sockets.push(TcpStream::connect(address).await.unwrap());
    }
    let mut connections: BTreeMap<String, usize> =
        waits(&program).into_keys().map(|name| (name, 0)).collect();
    assert_eq!(connections.len(), THREADS, "{connections:?}");
    for socket in &mut sockets {
        let before = waits(&program);
        request_often(socket).await;
        let after = waits(&program);
        let (serving, _) = after.iter().max_by_key(|(name, waits)| **waits - before[*name]).unwrap();
        *connections.get_mut(serving).unwrap() += 1;
    }
    assert!(connections.values().all(|count| *count == 2), "{connections:?}");
}
