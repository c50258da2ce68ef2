//! Good responses of an unusual shape.

use serde_json::{Value, json};
use simulator::{Behaviour, Simulator};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{ALL_APIS, Api, body, call, data, events_of, http, json_of, request, stream};

#[tokio::test]
async fn a_split_stream_comes_byte_by_byte() {
    let simulator = Simulator::start().await.unwrap();
    simulator.script("m", Behaviour::ok().split());
    for api in ALL_APIS {
        let mut response = stream(&simulator, api, "m").await;
        let mut text = String::new();
        while let Some(chunk) = response.chunk().await.unwrap() {
            assert_eq!(chunk.len(), 1);
            text.push(char::from(chunk[0]));
        }
        assert_eq!(text.matches("\n\n").count(), api.stream_length());
    }
}

#[tokio::test]
async fn each_byte_is_sent_before_the_next() {
    let simulator = Simulator::start().await.unwrap();
    simulator.script("m", Behaviour::ok().split());
    let mut socket = TcpStream::connect(simulator.address()).await.unwrap();
    let body = body("m", true).to_string();
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: m\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    let (mut response, mut reads, mut buffer) = (Vec::new(), 0, [0; 65_536]);
    while !response.ends_with(b"\r\n0\r\n\r\n") {
        let read = socket.read(&mut buffer).await.unwrap();
        response.extend_from_slice(&buffer[..read]);
        reads += 1;
    }
    // Were they collected first, there would be one read; this one may miss some of a thousand packets.
    assert!(reads > 10, "{reads} reads of {} bytes", response.len());
}

#[tokio::test]
async fn a_split_plain_answer_is_whole() {
    let simulator = Simulator::start().await.unwrap();
    simulator.script("m", Behaviour::ok().split());
    let response = json_of(call(&simulator, Api::OpenAi, "m").await).await;
    assert_eq!(response["choices"][0]["message"]["content"], "Hello from m.");
    let response = json_of(call(&simulator, Api::Anthropic, "m").await).await;
    assert_eq!(response["content"][0]["text"], "Hello from m.");
    let response = json_of(call(&simulator, Api::Responses, "m").await).await;
    assert_eq!(response["output"][0]["content"][0]["text"], "Hello from m.");
    let response = json_of(call(&simulator, Api::Gemini, "m").await).await;
    assert_eq!(response["candidates"][0]["content"]["parts"][0]["text"], "Hello from m.");
}

#[tokio::test]
async fn lines_can_end_with_carriage_return_and_line_feed() {
    let simulator = Simulator::start().await.unwrap();
    for api in ALL_APIS {
        let text = stream(&simulator, api, "ok-crlf").await.text().await.unwrap();
        assert_eq!(text.matches("\r\n\r\n").count(), api.stream_length());
        assert!(!text.replace("\r\n", "").contains('\n'));
    }
}

/// The text of choice `index`, and its finish reason.
fn text_and_finish_reason(events: &[String], index: u64) -> (String, Option<String>) {
    let (mut text, mut finish) = (String::new(), None);
    for event in events.iter().filter(|event| event.contains("\"choices\":[{")) {
        let choice = data(event)["choices"][0].take();
        if choice["index"] == index {
            text += choice["delta"]["content"].as_str().unwrap_or("");
            finish = choice["finish_reason"].as_str().map(str::to_owned).or(finish);
        }
    }
    (text, finish)
}

#[tokio::test]
async fn several_choices_stand_side_by_side() {
    let simulator = Simulator::start().await.unwrap();
    let ask = |stream: bool| {
        let mut body = body("m", stream);
        body["n"] = json!(2);
        body["stream_options"] = if stream { json!({"include_usage": true}) } else { Value::Null };
        request(&http(), &simulator, Api::OpenAi, &body).send()
    };
    let plain = json_of(ask(false).await.unwrap()).await;
    assert_eq!(plain["choices"].as_array().unwrap().len(), 2);
    assert_eq!(plain["choices"][1]["index"], 1);
    assert_eq!(plain["usage"]["completion_tokens"], 6);
    let (events, _) = events_of(ask(true).await.unwrap()).await;
    for index in 0..2 {
        assert_eq!(
            text_and_finish_reason(&events, index),
            ("Hello from m.".to_owned(), Some("stop".to_owned()))
        );
    }
    assert_eq!(data(&events[events.len() - 2])["usage"]["completion_tokens"], 6);
}
