//! Calls a target over and over.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, MissedTickBehavior};

use crate::case::Case;
use crate::message::Reader;

/// When no further call begins.
#[derive(Debug)]
pub(crate) struct Limits {
    end: Instant,
    calls_left: Cell<u64>,
}

impl Limits {
    pub(crate) fn new(duration: Duration, calls: u64) -> Self {
        Self { end: Instant::now() + duration, calls_left: Cell::new(calls) }
    }

    fn next_call(&self) -> bool {
        let calls_left = self.calls_left.get();
        let begins = calls_left > 0 && Instant::now() < self.end;
        if begins {
            self.calls_left.set(calls_left - 1);
        }
        begins
    }
}

/// What became of all calls.
#[derive(Debug)]
pub(crate) struct Report {
    elapsed: Duration,
    /// Of each call, from its first byte to the last of its response; sorted.
    latencies: Vec<Duration>,
}

impl Report {
    fn new(start: Instant, mut latencies: Vec<Duration>) -> Self {
        latencies.sort_unstable();
        Self { elapsed: start.elapsed(), latencies }
    }

    /// Calls, seconds, and latencies in microseconds.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        let microseconds = |latency: Option<&Duration>| latency.map(|latency| latency.as_secs_f64() * 1e6);
        let calls = self.latencies.len();
        serde_json::json!({
            "calls": calls,
            "seconds": self.elapsed.as_secs_f64(),
            "p50_us": microseconds(self.latencies.get(calls / 2)),
            "p99_us": microseconds(self.latencies.get(calls * 99 / 100)),
        })
    }
}

/// What is called, and what is to come back.
#[derive(Debug)]
pub(crate) struct Client {
    target: SocketAddr,
    request: Vec<u8>,
    /// `None` if any body will do.
    body_len: Option<usize>,
    latencies: RefCell<Vec<Duration>>,
    idle: RefCell<Vec<Connection>>,
}

impl Client {
    pub(crate) fn new(target: SocketAddr, case: Case, any_body: bool) -> Rc<Self> {
        let body_len = (!any_body).then(|| case.body().len());
        Rc::new(Self {
            target,
            request: case.request(),
            body_len,
            latencies: RefCell::default(),
            idle: RefCell::default(),
        })
    }

    /// Each connection calls again as soon as it has its response.
    pub(crate) async fn closed_loop(
        self: Rc<Self>,
        connections: usize,
        limits: Limits,
    ) -> io::Result<Report> {
        let start = Instant::now();
        let limits = Rc::new(limits);
        let mut calls = JoinSet::new();
        let all = LocalSet::new();
        for _ in 0..connections {
            let (client, limits) = (Rc::clone(&self), Rc::clone(&limits));
            let repeat = async move {
                while limits.next_call() {
                    client.call().await?;
                }
                io::Result::Ok(())
            };
            calls.spawn_local_on(repeat, &all);
        }
        all.run_until(join(calls)).await?;
        Ok(Report::new(start, self.latencies.take()))
    }

    /// Calls begin at their time, whatever became of the others.
    pub(crate) async fn open_loop(self: Rc<Self>, rate: f64, limits: Limits) -> io::Result<Report> {
        let start = Instant::now();
        let mut ticks = tokio::time::interval(Duration::from_secs_f64(1.0 / rate));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let all = LocalSet::new();
        let mut calls = JoinSet::new();
        all.run_until(async {
            while limits.next_call() {
                ticks.tick().await;
                let client = Rc::clone(&self);
                calls.spawn_local(async move { client.call().await });
            }
            join(calls).await
        })
        .await?;
        Ok(Report::new(start, self.latencies.take()))
    }

    async fn call(&self) -> io::Result<()> {
        let idle = self.idle.borrow_mut().pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => Connection::open(self.target).await?,
        };
        let start = Instant::now();
        connection.output.write_all(&self.request).await?;
        let response = connection.input.next().await?;
        self.latencies.borrow_mut().push(start.elapsed());
        let (start_line, body) = response.ok_or(io::ErrorKind::UnexpectedEof)?;
        let is_ok = start_line.starts_with(b"HTTP/1.1 200");
        if !is_ok || self.body_len.is_some_and(|body_len| body_len != body.len()) {
            let start_line = String::from_utf8_lossy(start_line);
            return Err(io::Error::other(format!(
                "an unexpected response: {start_line}, {} bytes",
                body.len()
            )));
        }
        self.idle.borrow_mut().push(connection);
        Ok(())
    }
}

async fn join(mut calls: JoinSet<io::Result<()>>) -> io::Result<()> {
    while let Some(ended) = calls.join_next().await {
        ended.map_err(io::Error::other)??;
    }
    Ok(())
}

#[derive(Debug)]
struct Connection {
    input: Reader<OwnedReadHalf>,
    output: OwnedWriteHalf,
}

impl Connection {
    async fn open(target: SocketAddr) -> io::Result<Self> {
        let connection = TcpStream::connect(target).await?;
        connection.set_nodelay(true)?;
        let (input, output) = connection.into_split();
        Ok(Self { input: Reader::new(input), output })
    }
}
