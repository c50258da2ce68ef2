//! Keys that are added and revoked while the program runs (Q5): a changed file, SIGHUP, and what the log says of it.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::{path::PathBuf, time::Duration};

use testbed::Program;
use tokio::time::{Instant, sleep};

/// A changed file is in force within this time.
const TAKEN_UP: Duration = Duration::from_secs(3);

/// A gateway that reads a file of its own.
struct World {
    program: Program,
    file: PathBuf,
    url: String,
    client: reqwest::Client,
}

impl World {
    /// Starts it; whatever it listens on, loopback reaches it.
    async fn start(text: &str) -> Self {
        let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.toml", uuid::Uuid::new_v4()));
        std::fs::write(&file, text).unwrap();
        let variables = [
            ("SWITCHBOARD_CONFIG", file.to_str().unwrap()),
            ("OPENAI_API_KEY", "k"),
            ("REDIS_URL", "memory:"),
        ];
        let program = Program::start(env!("CARGO_BIN_EXE_switchboard"), &["serve"], variables);
        Self::listening(program, file).await
    }

    /// Starts it in a directory of its own with this `.env`, which is the file that it reads.
    async fn start_with_dotenv(text: &str) -> Self {
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(uuid::Uuid::new_v4().to_string());
        std::fs::create_dir(&directory).unwrap();
        let file = directory.join(".env");
        std::fs::write(&file, text).unwrap();
        let variables = [("SWITCHBOARD_LISTEN", "127.0.0.1:0"), ("REDIS_URL", "memory:")];
        let path = env!("CARGO_BIN_EXE_switchboard");
        Self::listening(Program::start_in(&directory, path, &["serve"], variables), file).await
    }

    async fn listening(program: Program, file: PathBuf) -> Self {
        let line = program.wait_for_line("listening").await;
        let port = line.split("address=http://").nth(1).unwrap().split(' ').next().unwrap();
        let url = format!("http://127.0.0.1:{}/v1/models", port.rsplit(':').next().unwrap());
        Self { program, file, url, client: reqwest::Client::new() }
    }

    fn write(&self, text: &str) {
        std::fs::write(&self.file, text).unwrap();
    }

    /// The status of a request with this key; an empty one is not sent. All go over one connection that is kept open.
    async fn status(&self, key: &str) -> u16 {
        let get = self.client.get(&self.url);
        let get = if key.is_empty() { get } else { get.bearer_auth(key) };
        let response = get.send().await.unwrap();
        let status = response.status().as_u16();
        response.bytes().await.unwrap();
        status
    }

    /// Waits until the key gets this status; how long that took.
    async fn wait_for(&self, key: &str, status: u16) -> Duration {
        let start = Instant::now();
        while self.status(key).await != status {
            assert!(
                start.elapsed() < 4 * TAKEN_UP,
                "{key:?} never got {status}\n{}",
                self.program.lines().join("\n")
            );
            sleep(Duration::from_millis(20)).await;
        }
        start.elapsed()
    }

    async fn said(&self, text: &str) {
        self.program.wait_for_line(text).await;
    }
}

impl Drop for World {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.file));
    }
}

const LOOPBACK: &str = "server.listen = '127.0.0.1:0'\n";

#[tokio::test]
async fn a_revoked_key_is_refused_within_3_s() {
    let world = World::start(&format!("{LOOPBACK}[keys.ci]\nkey = 'old'\n[keys.web]\nkey = 'stays'")).await;
    assert_eq!((world.status("old").await, world.status("stays").await), (200, 200));
    world.write(&format!("{LOOPBACK}[keys.ci]\nkey = 'new'\n[keys.web]\nkey = 'stays'"));
    let took = world.wait_for("old", 401).await;
    assert!(took < TAKEN_UP, "{took:?}");
    assert_eq!((world.status("new").await, world.status("stays").await), (200, 200));
    world.said("configuration reloaded: keys").await;
    world.said("requests refused code=invalid_api_key count=1 last_address=127.0.0.1:").await;
    let log = world.program.lines().join("\n");
    for key in ["old", "stays", "new"] {
        assert!(!log.contains(&format!("'{key}'")) && !log.contains(&format!(" {key}")), "{log}");
    }
}

#[tokio::test]
async fn sighup_takes_it_up_at_once() {
    let world = World::start(&format!("{LOOPBACK}[keys.ci]\nkey = 'old'")).await;
    // Another address cannot be taken up, and the line does not say so.
    world.write("server.listen = '127.0.0.1:1'\n[keys.ci]\nkey = 'new'\n[routes.r]\nmodels = ['openai:m']");
    world.program.signal("HUP");
    let took = world.wait_for("old", 401).await;
    assert!(took < Duration::from_millis(700), "not by the poll of two seconds: {took:?}");
    assert_eq!(world.status("new").await, 200);
    world.said("configuration reloaded: routes, keys; needs a restart: listen").await;
    world.program.signal("HUP");
    world.said("configuration reloaded: nothing changed; needs a restart: listen").await;
}

#[tokio::test]
async fn a_changed_dotenv_is_taken_up_and_by_sighup_at_once() {
    let world = World::start_with_dotenv("SWITCHBOARD_API_KEY=s3cr$et-key\n").await;
    assert_eq!((world.status("s3cr$et-key").await, world.status("s3cr-key").await), (200, 401));
    world.write("SWITCHBOARD_API_KEY=$econd\nAPP_NAME=Open SWE agent\n");
    assert!(world.wait_for("$econd", 200).await < TAKEN_UP);
    assert_eq!(world.status("s3cr$et-key").await, 401);
    world.write("SWITCHBOARD_API_KEY='third'\n");
    world.program.signal("HUP");
    assert!(
        world.wait_for("third", 200).await < Duration::from_millis(700),
        "not by the poll of two seconds"
    );
    // One that cannot be read is refused whole.
    world.write("SWITCHBOARD_API_KEY=${NOT_SET}\n");
    world.program.signal("HUP");
    world
        .said("keeping the current one: .env:1: SWITCHBOARD_API_KEY uses ${NOT_SET}, which is not set")
        .await;
    assert_eq!(world.status("third").await, 200);
}

#[tokio::test]
async fn the_first_key_is_required_at_once() {
    let world = World::start(LOOPBACK).await;
    assert_eq!(world.status("").await, 200);
    world.write(&format!("{LOOPBACK}server.api_keys = ['first']"));
    assert!(world.wait_for("", 401).await < TAKEN_UP);
    assert_eq!(world.status("first").await, 200);
}

#[tokio::test]
async fn the_last_key_of_a_reachable_listener_stays() {
    let reachable = "[server]\nlisten = '0.0.0.0:0'\n";
    let world = World::start(&format!("{reachable}api_keys = ['only']")).await;
    assert_eq!((world.status("only").await, world.status("").await), (200, 401));
    world.write(reachable);
    world.program.signal("HUP");
    world.said("configuration reload failed; keeping the current one").await;
    // Nor by a new address, which is not in force before a new start.
    world.write("[server]\nlisten = '127.0.0.1:0'\n");
    world.program.signal("HUP");
    world.said("keeping the current one: listening on 0.0.0.0:0 needs api_keys").await;
    assert_eq!((world.status("only").await, world.status("").await), (200, 401));
}
