//! `circuits watch`: a live table on a terminal (tmux's), lines in a pipe, and a Redis that fails and recovers.

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use testbed::RedisServer;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    time::timeout,
};

use crate::program::TempDir;

/// A terminal of its own, with a program in it.
struct Terminal {
    socket: String,
    directory: TempDir,
}

impl Terminal {
    fn run(redis: &str, columns: u32) -> Self {
        let directory = TempDir::new();
        let terminal = Self { socket: format!("switchboard-{}", uuid::Uuid::new_v4().simple()), directory };
        let path = crate::path_of(&terminal.directory);
        let path = path.to_str().unwrap();
        // Ctrl-C is for everyone in the terminal; the shell stays, to tell how the program ended.
        let watch = format!(
            "trap : INT; env REDIS_URL={redis} {} circuits watch; echo \"ended: $?\"; cat",
            env!("CARGO_BIN_EXE_switchboard")
        );
        let size = columns.to_string();
        terminal.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", &size, "-y", "20", "-c", path, &watch]);
        terminal
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let ended = Command::new("tmux")
            .args(["-L", &self.socket])
            .args(arguments)
            .env("LC_ALL", "C.UTF-8")
            .env("TERM", "xterm-256color")
            .output()
            .expect("tmux is installed, as ./test does it");
        String::from_utf8(ended.stdout).unwrap()
    }

    async fn wait_for_text(&self, text: &str) -> String {
        let mut page = String::new();
        testbed::wait_until(text, async || {
            page = self.tmux(&["capture-pane", "-p"]);
            page.contains(text)
        })
        .await;
        page
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

async fn run_circuits(redis: &RedisServer, arguments: &[&str]) {
    let arguments = [&["circuits"], arguments].concat();
    let ended = TempDir::new().run(&arguments, &[("REDIS_URL", &redis.url()), ("USER", "ann")]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

#[tokio::test]
async fn on_a_terminal_it_is_a_live_table() {
    let mut redis = RedisServer::start().await;
    run_circuits(&redis, &["open", "openai:gpt-5", "--reason", "old"]).await;
    let terminal = Terminal::run(&redis.url(), 120);
    let page = terminal.wait_for_text("openai:gpt-5").await;
    assert!(page.contains("OPEN (forced)") && page.contains("LAST TRANSITIONS"), "{page}");
    assert!(page.contains("→ OPEN"), "the last transitions are there from the beginning: {page}");

    run_circuits(&redis, &["open", "anthropic:claude", "--for", "50s"]).await;
    let page = terminal.wait_for_text("anthropic:claude").await;
    let seconds = |page: &str| {
        let row =
            page.lines().find(|line| line.trim_start_matches(['>', ' ']).starts_with("anthropic:claude"));
        let rest = row.and_then(|row| row.split_once(" in ")).unwrap_or_else(|| panic!("{page}")).1;
        rest.split('s').next().unwrap().parse::<u32>().unwrap()
    };
    let first = seconds(&page);
    let later = || seconds(&terminal.tmux(&["capture-pane", "-p"]));
    testbed::wait_until("it counts down", async || later() != first).await;

    terminal.tmux(&["send-keys", "/", "CLAUDE", "Enter"]);
    let page = terminal.wait_for_text("filter \"CLAUDE\"").await;
    assert!(page.contains("> anthropic:claude") && !page.contains("> openai:gpt-5"), "{page}");
    terminal.tmux(&["send-keys", "c"]);
    terminal.wait_for_text("Close anthropic:claude? y/n").await;
    terminal.tmux(&["send-keys", "y"]);
    terminal.wait_for_text("anthropic:claude: closed").await;
    terminal.tmux(&["send-keys", "Escape"]);
    terminal.tmux(&["send-keys", "?"]);
    terminal.wait_for_text("force the selected circuit open").await;
    terminal.tmux(&["send-keys", "?"]);
    terminal.wait_for_text("worst first").await;

    // Narrower: lines are truncated, not wrapped.
    terminal.tmux(&["resize-window", "-x", "30", "-y", "8"]);
    testbed::wait_until("the narrow page", async || {
        let page = terminal.tmux(&["capture-pane", "-p"]);
        page.lines().count() <= 8 && page.lines().any(|line| line.trim_start().starts_with("MODEL"))
    })
    .await;
    terminal.tmux(&["resize-window", "-x", "120", "-y", "20"]);

    redis.kill();
    terminal.wait_for_text("Redis unreachable").await;
    redis.restart().await;
    run_circuits(&redis, &["open", "openai:gpt-6", "--reason", "back"]).await;
    let page = terminal.wait_for_text("openai:gpt-6").await;
    assert!(!page.contains("Redis unreachable"), "{page}");

    terminal.tmux(&["send-keys", "q"]);
    let page = terminal.wait_for_text("ended: 0").await;
    assert!(!page.contains("LAST TRANSITIONS"), "the screen is restored: {page}");
}

#[tokio::test]
async fn ctrl_c_and_q_quit_it() {
    let redis = RedisServer::start().await;
    for key in ["C-c", "Q"] {
        let terminal = Terminal::run(&redis.url(), 100);
        terminal.wait_for_text("No circuits yet").await;
        terminal.tmux(&["send-keys", key]);
        let page = terminal.wait_for_text("ended: 0").await;
        assert!(!page.contains("No circuits yet"), "{key}: the screen is restored: {page}");
    }
}

#[tokio::test]
async fn in_a_pipe_it_waits_for_redis_and_goes_on() {
    let mut redis = RedisServer::start().await;
    run_circuits(&redis, &["open", "openai:gpt-5"]).await;
    let directory = TempDir::new();
    let mut watching = directory
        .command(&["circuits", "watch"], &[("REDIS_URL", &redis.url())])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    let mut notes = BufReader::new(watching.stderr.take().unwrap()).lines();
    // Its subscription is not visible from outside, so changes are made until the first one is printed.
    loop {
        run_circuits(&redis, &["open", "openai:gpt-5"]).await;
        run_circuits(&redis, &["close", "openai:gpt-5"]).await;
        if timeout(Duration::from_millis(100), lines.next_line()).await.is_ok() {
            break;
        }
    }
    redis.kill();
    assert!(notes.next_line().await.unwrap().unwrap().starts_with("Redis unreachable"));
    redis.restart().await;
    assert_eq!(notes.next_line().await.unwrap().unwrap(), "Redis reachable again");
    run_circuits(&redis, &["open", "openai:gpt-5", "--reason", "the end"]).await;
    let reading = async { while !lines.next_line().await.unwrap().unwrap().contains("the end") {} };
    timeout(Duration::from_secs(10), reading).await.unwrap();
    assert_eq!(watching.try_wait().unwrap(), None, "it goes on");
}
