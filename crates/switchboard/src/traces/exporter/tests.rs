use std::collections::HashMap;

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpListener,
    task::JoinHandle,
};

use super::*;

/// A collector that gives these responses, one after the other, and returns the heads of the requests in lower case.
async fn collector(responses: &'static [&'static str]) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let heads = tokio::spawn(async move {
        let mut heads = Vec::new();
        for response in responses {
            let (socket, _) = listener.accept().await.unwrap();
            let mut socket = BufReader::new(socket);
            let mut head = String::new();
            while socket.read_line(&mut head).await.unwrap() > 2 {}
            head.make_ascii_lowercase();
            let length = head.split_once("content-length: ").map(|(_, rest)| rest.lines().next().unwrap());
            let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
            socket.read_exact(&mut body).await.unwrap();
            heads.push(head);
            socket
                .write_all(format!("HTTP/1.1 {response}\r\nconnection: close\r\n\r\n").as_bytes())
                .await
                .unwrap();
        }
        heads
    });
    (address, heads)
}

fn exporter(url: &str, variables: &[(&str, &str)]) -> anyhow::Result<OtlpExporter> {
    let variables: HashMap<_, _> = variables.iter().copied().collect();
    OtlpExporter::new(url, |name| variables.get(name).map(|value| (*value).to_owned()))
}

#[tokio::test]
async fn a_batch_has_the_headers_of_the_environment_and_no_secret_is_shown() {
    let (address, heads) = collector(&["200 OK"]).await;
    let exporter = exporter(
        &format!("http://user:p%40ss@{address}/v1/traces?a=b"),
        &[
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-unused=1"),
            ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "api-key=se%20cret , x-other=1,bad header=2,none"),
        ],
    )
    .unwrap();
    exporter.export(Vec::new()).await.unwrap();
    let head = heads.await.unwrap().concat();
    for line in [
        "post /v1/traces?a=b http/1.1",
        "content-type: application/x-protobuf",
        // user:p@ss
        "authorization: basic dxnlcjpwqhnz",
        "api-key: se cret",
        "x-other: 1",
    ] {
        assert!(head.lines().any(|present| present == line), "{line}: {head}");
    }
    assert!(head.contains("user-agent: switchboard/") && !head.contains("x-unused"), "{head}");
    let shown = format!("{exporter:?}");
    assert!(!shown.contains("cret") && !shown.contains("ss@") && !shown.contains("p%40ss"), "{shown}");
}

#[tokio::test]
async fn a_temporary_status_is_tried_again() {
    let (address, heads) = collector(&["503 Unavailable", "429 Too Many\r\nretry-after: 0", "200 OK"]).await;
    exporter(&format!("http://{address}/"), &[]).unwrap().export(Vec::new()).await.unwrap();
    assert_eq!(heads.await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_batch_that_is_lost_says_why() {
    for (responses, attempts, expected) in [
        (&["400 Bad Request"][..], 1, "the collector answered HTTP 400"),
        (&["502 Bad Gateway"; 4], 4, "the collector answered HTTP 502"),
    ] {
        let (address, heads) = collector(responses).await;
        let error =
            exporter(&format!("http://{address}/"), &[]).unwrap().export(Vec::new()).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(heads.await.unwrap().len(), attempts);
    }
}

#[tokio::test]
async fn a_batch_has_the_time_of_the_environment() {
    // It accepts nothing, and the kernel does so for it.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let exporter = exporter(&url, &[("OTEL_EXPORTER_OTLP_TIMEOUT", "20")]).unwrap();
    assert_eq!(exporter.collector.limit, Duration::from_millis(20));
    let error = exporter.export(Vec::new()).await.unwrap_err();
    assert!(error.to_string().contains("in time"), "{error}");
}

#[tokio::test]
async fn what_cannot_be_done_is_an_error_at_the_start() {
    for (url, variables) in [
        ("collector", &[][..]),
        ("unix:/run/collector", &[]),
        ("http://c:4318/", &[("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")]),
    ] {
        assert!(exporter(url, variables).is_err(), "{url}");
    }
    assert!(exporter("http://c:4318/", &[("OTEL_EXPORTER_OTLP_COMPRESSION", "none")]).is_ok());
}
