//! The threads that serve connections: each has its share of them.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

use std::{collections::BTreeMap, fs, time::Duration};

use testbed::Program;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{sleep, timeout},
};

const THREADS: usize = 3;

const TEST_TIMEOUT: Duration = Duration::from_secs(20);

/// How often each of the threads has stopped running so far, since it waited or others had their turn, by its name.
fn stops(program: &Program) -> BTreeMap<String, u64> {
    let threads = fs::read_dir(format!("/proc/{}/task", program.pid())).unwrap();
    let stops_of = |thread: fs::DirEntry| {
        let name = fs::read_to_string(thread.path().join("comm")).unwrap().trim().to_owned();
        let status = fs::read_to_string(thread.path().join("status")).unwrap();
        let switches = status.lines().filter_map(|line| line.split_once("voluntary_ctxt_switches:"));
        let stops = switches.map(|(_, count)| count.trim().parse::<u64>().unwrap()).sum();
        name.starts_with("worker-").then_some((name, stops))
    };
    threads.filter_map(|thread| stops_of(thread.unwrap())).collect()
}

/// Makes many requests, one after another: the thread that serves them waits for most.
async fn request_often(socket: &mut TcpStream) {
    for _ in 0..100 {
        socket.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        let mut response = Vec::new();
        while !response.ends_with(b"alive\n") {
            let read = timeout(TEST_TIMEOUT, socket.read_buf(&mut response)).await;
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
    // A thread gives itself its name, once it runs.
    let named = async {
        while stops(&program).len() < THREADS {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(TEST_TIMEOUT, named).await.expect("there are as many threads");
    let mut connections: BTreeMap<String, usize> =
        stops(&program).into_keys().map(|name| (name, 0)).collect();
    for socket in &mut sockets {
        let before = stops(&program);
        request_often(socket).await;
        let after = stops(&program);
        let (serving, _) = after.iter().max_by_key(|(name, stops)| **stops - before[*name]).unwrap();
        *connections.get_mut(serving).unwrap() += 1;
    }
    assert!(connections.values().all(|count| *count == 2), "{connections:?}");
}
