//! A `redis-server` process for one test.

use std::{
    fs, io,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

use crate::{port::free_port, wait::wait_until};

/// A server that has not responded by then will not.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Another program may take the port between its choice and the server's start.
const MAX_START_ATTEMPTS: usize = 5;

/// A `redis-server` on 127.0.0.1 with its own port and directory, killed and removed on drop.
#[derive(Debug)]
pub struct RedisServer {
    port: u16,
    directory: PathBuf,
    program: PathBuf,
    mode: Mode,
    process: Option<Child>,
}

/// What the program runs as.
#[derive(Debug, Clone)]
enum Mode {
    /// A server with these options.
    Server(Vec<String>),
    /// A Sentinel with these lines of configuration, which Sentinel rewrites.
    Sentinel(Vec<String>),
}

impl RedisServer {
    /// Starts a server that keeps nothing on disk, and waits until it responds.
    ///
    /// # Panics
    /// `redis-server` is not installed or does not start.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts a server with further options, for instance `["--appendonly", "yes"]`, and waits until it responds.
    /// A later option wins over an earlier one.
    ///
    /// # Panics
    /// `redis-server` is not installed or does not start.
    pub async fn start_with(options: &[&str]) -> Self {
        Self::start_program("redis-server".as_ref(), options).await
    }

    /// The same with another program that takes the options of `redis-server`, for instance `valkey-server`.
    ///
    /// # Panics
    /// The program is not installed or does not start.
    pub async fn start_program(program: &Path, options: &[&str]) -> Self {
        let options = options.iter().map(|&option| option.to_owned()).collect();
        Self::start_in_mode(program, &Mode::Server(options)).await
    }

    /// Starts a Sentinel with these lines of configuration.
    pub(crate) async fn start_sentinel(program: &Path, lines: Vec<String>) -> Self {
        Self::start_in_mode(program, &Mode::Sentinel(lines)).await
    }

    async fn start_in_mode(program: &Path, mode: &Mode) -> Self {
        for _ in 0..MAX_START_ATTEMPTS {
            let port = free_port();
            let mut server = Self {
                port,
                directory: make_directory(port),
                program: program.to_owned(),
                mode: mode.clone(),
                process: None,
            };
            server.spawn();
            if server.wait_until_ready().await {
                return server;
            }
        }
        panic!(
            "{} exited at start {MAX_START_ATTEMPTS} times; run it manually as {mode:?}",
            program.display()
        );
    }

    /// Its `REDIS_URL`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The port it listens on.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Kills it, as a crash would (SIGKILL).
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may have exited already; either way, waiting for it frees the port.
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Kills it, and starts it on the same port and in the same directory.
    ///
    /// # Panics
    /// It does not start again.
    pub async fn restart(&mut self) {
        self.kill();
        self.spawn();
        assert!(self.wait_until_ready().await, "redis-server did not start again on port {}", self.port);
    }

    /// Pauses it (SIGSTOP): connections stay open, and nothing gets a reply.
    ///
    /// # Panics
    /// It is not running.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// Resumes it (SIGCONT).
    ///
    /// # Panics
    /// It is not running.
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    /// The output of `redis-cli` for a command, without the last line end. Empty for nil.
    ///
    /// # Panics
    /// `redis-cli` is not installed or cannot connect.
    pub async fn cli(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("redis-cli");
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string()]).args(arguments);
        let output = tokio::task::spawn_blocking(move || command.output()).await;
        match output {
            Ok(Ok(output)) if output.status.success() => {
                String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned()
            }
            Ok(Ok(output)) => panic!("redis-cli: {}", String::from_utf8_lossy(&output.stderr)),
            Ok(Err(error)) => panic!("{}", start_error("redis-cli", &error)),
            Err(error) => panic!("redis-cli: {error}"),
        }
    }

    /// Waits until a replica has everything that this server has now.
    ///
    /// # Panics
    /// It takes too long.
    pub async fn wait_for_replica(&self, replica: &Self) {
        let offset = self.replication_offset("master_repl_offset").await;
        wait_until("the replica has caught up", async || {
            replica.replication_offset("slave_repl_offset").await >= offset
        })
        .await;
    }

    /// A replication offset, in bytes.
    async fn replication_offset(&self, name: &str) -> u64 {
        let info = self.cli(&["INFO", "replication"]).await;
        let mut fields = info.lines().filter_map(|line| line.trim_end().split_once(':'));
        fields.find(|(field, _)| *field == name).and_then(|(_, value)| value.parse().ok()).unwrap_or(0)
    }

    fn spawn(&mut self) {
        let mut command = Command::new(&self.program);
        match &self.mode {
            Mode::Server(options) => {
                command.args(["--bind", "127.0.0.1", "--protected-mode", "yes"]);
                command.args(["--port", &self.port.to_string()]);
                command.args(["--save", "", "--appendonly", "no", "--daemonize", "no"]).args(options);
            }
            Mode::Sentinel(lines) => {
                let file = self.directory.join("sentinel.conf");
                let text = format!("bind 127.0.0.1\nport {}\n{}\n", self.port, lines.join("\n"));
                // After a restart it continues with what it wrote.
                if !file.exists()
                    && let Err(error) = fs::write(&file, text)
                {
                    panic!("cannot write {}: {error}", file.display());
                }
                command.arg(file).arg("--sentinel");
            }
        }
        command.current_dir(&self.directory).stdin(Stdio::null()).stdout(Stdio::null());
        match command.spawn() {
            Ok(process) => self.process = Some(process),
            Err(error) => panic!("{}", start_error(&self.program.display().to_string(), &error)),
        }
    }

    /// Waits for its first reply; false if it exited instead.
    async fn wait_until_ready(&mut self) -> bool {
        let end = Instant::now() + START_TIMEOUT;
        while Instant::now() < end {
            if self.has_exited() {
                return false;
            }
            if matches!(timeout(START_TIMEOUT, ping(self.port)).await, Ok(Ok(true))) {
                return !self.has_exited();
            }
            sleep(Duration::from_millis(5)).await;
        }
        panic!("redis-server on port {} does not reply to PING", self.port);
    }

    /// Whether it was started and not killed.
    pub(crate) const fn is_running(&self) -> bool {
        self.process.is_some()
    }

    fn has_exited(&mut self) -> bool {
        self.process.as_mut().is_none_or(|process| !matches!(process.try_wait(), Ok(None)))
    }

    fn signal(&self, signal: &str) {
        let Some(process) = &self.process else {
            panic!("the redis-server on port {} is not running", self.port)
        };
        let done = Command::new("kill").args([signal, &process.id().to_string()]).status();
        assert!(done.is_ok_and(|status| status.success()), "kill {signal} of redis-server failed");
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn make_directory(port: u16) -> PathBuf {
    let directory = std::env::temp_dir().join(format!("testbed-redis-{}-{port}", std::process::id()));
    if let Err(error) = fs::create_dir_all(&directory) {
        panic!("cannot create {}: {error}", directory.display());
    }
    directory
}

fn start_error(program: &str, error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::NotFound {
        format!("{program} is not installed: run ./test, which installs it")
    } else {
        format!("cannot run {program}: {error}")
    }
}

/// Whether it replies. An error such as NOAUTH is a reply, too, except LOADING.
async fn ping(port: u16) -> io::Result<bool> {
    let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    connection.write_all(b"PING\r\n").await?;
    let mut reply = [0; 64];
    let length = connection.read(&mut reply).await?;
    Ok(length > 0 && !reply.starts_with(b"-LOADING"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn keeps_its_port_over_a_restart_and_forgets_its_data() {
        let mut server = RedisServer::start().await;
        let port = server.port();
        assert_eq!(server.cli(&["SET", "k", "v"]).await, "OK");
        assert_eq!(server.cli(&["GET", "k"]).await, "v");
        server.restart().await;
        assert_eq!((server.port(), server.cli(&["GET", "k"]).await), (port, String::new()));
    }

    #[tokio::test]
    async fn keeps_its_data_over_a_restart_with_appendonly() {
        let mut server = RedisServer::start_with(&["--appendonly", "yes", "--appendfsync", "always"]).await;
        server.cli(&["SET", "k", "v"]).await;
        server.restart().await;
        assert_eq!(server.cli(&["GET", "k"]).await, "v");
    }

    #[tokio::test]
    async fn does_not_reply_while_it_is_paused() {
        let server = RedisServer::start().await;
        server.pause();
        let reply = timeout(Duration::from_millis(100), ping(server.port())).await;
        server.resume();
        assert!(reply.is_err(), "it replied: {reply:?}");
        assert_eq!(server.cli(&["PING"]).await, "PONG");
    }

    #[tokio::test]
    async fn leaves_nothing_behind() {
        let server = RedisServer::start().await;
        let (port, directory) = (server.port(), server.directory.clone());
        drop(server);
        assert!(!directory.exists());
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_err());
    }
}
