use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::client::{body, http, json_of};

/// Killed at the end of the test, however it ends.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn start(arguments: &[&str]) -> (Process, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_simulator"));
    let mut process = Process(command.args(arguments).stdout(Stdio::piped()).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(process.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim_end().strip_prefix("listening on ").unwrap().to_owned();
    (process, url)
}

#[tokio::test]
async fn the_process_says_where_it_listens_and_answers_there() {
    let (_process, url) = start(&["--tokens", "5", "--gap", "1ms"]);
    let url = format!("{url}/v1/chat/completions");
    let response = json_of(http().post(&url).json(&body("m", false)).send().await.unwrap()).await;
    assert_eq!(response["choices"][0]["message"]["content"], "Hello from m. Hello from");
    let failed = http().post(&url).json(&body("fault-503", false)).send().await.unwrap();
    assert_eq!(failed.status(), 503);
}

#[tokio::test]
async fn the_name_is_in_what_only_this_process_accepts() {
    let (_process, url) = start(&["--name", "maker"]);
    let mut request = body("thinking", false);
    request["input"] = "Hello?".into();
    let ask = http().post(format!("{url}/v1/responses")).json(&request).send();
    let response = json_of(ask.await.unwrap()).await;
    assert!(response["id"].as_str().unwrap().contains("maker"));
    let encrypted = response["output"][0]["encrypted_content"].as_str().unwrap();
    assert!(encrypted.starts_with("simulated/openai/maker/"), "{encrypted}");
}

#[test]
fn an_address_in_use_is_a_failure_and_a_wrong_argument_a_usage_error() {
    let (_process, url) = start(&[]);
    let address = url.strip_prefix("http://").unwrap();
    let run =
        |arguments: &[&str]| Command::new(env!("CARGO_BIN_EXE_simulator")).args(arguments).output().unwrap();
    let taken = run(&["--listen", address]);
    assert_eq!(taken.status.code(), Some(1));
    assert!(String::from_utf8(taken.stderr).unwrap().starts_with("simulator: "));
    assert_eq!(run(&["--gap", "soon"]).status.code(), Some(2));
}
