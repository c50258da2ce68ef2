//! Requests that are compressed: providers get the plain body, and a few bytes do not become very many.

use std::io::Write as _;

use flate2::{
    Compression,
    write::{DeflateEncoder, GzEncoder, ZlibEncoder},
};
use serde_json::{Value, json};

use crate::support::{World, anthropic_error, openai_error};

/// `{"model":"chat","messages":[{"role":"user","content":"hello"}]}`
const BROTLI: &str =
    "1b3e00a08cd315f32384752f45b6f65a87a5ab2f78c84a09da8d20828db1754424d210306225efb44c608a00c609e63b";
/// 17,000 spaces: the circuits API takes 16 KiB.
const BROTLI_BOMB: &str = "1b6742f82540e2b14020440700";
const MIB: usize = 1024 * 1024;

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn zlib(body: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn deflate(body: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

const ZSTD_HEAD: [u8; 6] = [0x28, 0xb5, 0x2f, 0xfd, 0, 0x58];

fn zstd_block(kind: usize, size: usize, is_last: bool) -> [u8; 3] {
    let header = (size << 3 | kind << 1 | usize::from(is_last)).to_le_bytes();
    [header[0], header[1], header[2]]
}

/// A frame of one raw block.
fn zstd(body: &[u8]) -> Vec<u8> {
    [&ZSTD_HEAD, &zstd_block(0, body.len(), true)[..], body].concat()
}

/// A frame of blocks that repeat a space 128 Ki times.
fn zstd_bomb(size: usize) -> Vec<u8> {
    let blocks = size / (128 * 1024);
    let block = |at| [&zstd_block(1, 128 * 1024, at + 1 == blocks)[..], b" "].concat();
    [ZSTD_HEAD.to_vec(), (0..blocks).flat_map(block).collect()].concat()
}

#[tokio::test]
async fn providers_get_the_plain_body() {
    let world = World::new().await;
    let plain = br#"{"model":"chat","messages":[{"role":"user","content":"hello"}]}"#;
    for (coding, body) in [
        ("gzip", gzip(plain)),
        ("X-GZIP", gzip(plain)),
        ("deflate", zlib(plain)),
        ("deflate", deflate(plain)),
        ("br", bytes(BROTLI)),
        ("zstd", zstd(plain)),
        ("identity", plain.to_vec()),
        ("", plain.to_vec()),
    ] {
        let call = world.post("/v1/chat/completions").header("content-encoding", coding).body(body);
        let response = call.send().await.unwrap();
        assert_eq!(response.status(), 200, "{coding}: {}", response.text().await.unwrap());
        let traffic = world.first.traffic();
        let received = traffic.received().last().unwrap();
        assert!(!received.headers.contains_key("content-encoding"), "{coding}");
        let body: Value = serde_json::from_slice(&received.body).unwrap();
        assert_eq!(body["messages"][0]["content"], "hello", "{coding}");
    }
}

#[tokio::test]
async fn every_endpoint_reads_them() {
    let world = World::new().await;
    let messages = json!([{ "role": "user", "content": "hello" }]);
    let gemini = json!({ "contents": [{ "role": "user", "parts": [{ "text": "hello" }] }] });
    for (path, body) in [
        ("/v1/responses", json!({ "model": "chat", "input": "hello" })),
        ("/v1/messages", json!({ "model": "messages", "max_tokens": 9, "messages": messages })),
        ("/v1/messages/count_tokens", json!({ "model": "messages", "messages": messages })),
        ("/v1beta/models/chat:generateContent", gemini),
        ("/circuits/openai:m/open", json!({ "reason": "maintenance" })),
    ] {
        let call =
            world.post(path).header("content-encoding", "gzip").body(gzip(body.to_string().as_bytes()));
        let response = call.send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}: {}", response.text().await.unwrap());
    }
}

#[tokio::test]
async fn a_few_bytes_do_not_become_very_many() {
    let world = World::new().await;
    let spaces = vec![b' '; 33 * MIB];
    for (path, coding, body) in [
        ("/v1/chat/completions", "gzip", gzip(&spaces)),
        ("/v1/chat/completions", "deflate", zlib(&spaces)),
        ("/v1/chat/completions", "deflate", deflate(&spaces)),
        ("/v1/chat/completions", "zstd", zstd_bomb(33 * MIB)),
        ("/circuits/openai:m/open", "br", bytes(BROTLI_BOMB)),
    ] {
        let response = world.post(path).header("content-encoding", coding).body(body).send().await.unwrap();
        let (status, code, ..) = openai_error(response).await;
        assert_eq!((status, code.as_str()), (413, "request_too_large"), "{coding}");
    }
    assert_eq!(world.manager.memory_budget().used(), 0, "nothing of it is kept");
}

#[tokio::test]
async fn decompressed_bodies_come_out_of_the_memory_for_bodies() {
    let setup = crate::support::Setup { memory_budget: Some(4 * MIB), ..Default::default() };
    let world = World::with(setup).await;
    let body = gzip(&vec![b' '; 5 * MIB]);
    let call = world.post("/v1/chat/completions").header("content-encoding", "gzip").body(body);
    let (status, code, ..) = openai_error(call.send().await.unwrap()).await;
    assert_eq!((status, code.as_str()), (503, "overloaded"));
    assert_eq!(world.manager.memory_budget().used(), 0);
}

#[tokio::test]
async fn what_cannot_be_read_is_said() {
    let world = World::new().await;
    let post = |coding: &'static str| world.post("/v1/messages").header("content-encoding", coding);
    for (coding, named) in
        [("compress", "(compress)"), ("gzip, br", "(gzip, br)"), ("gzip\"<b>", "(another one)")]
    {
        let (status, code, kind, message) =
            anthropic_error(post(coding).body(gzip(b"{}")).send().await.unwrap()).await;
        assert_eq!((status, code.as_str()), (415, "unsupported_encoding"), "{coding}");
        assert_eq!(kind, "invalid_request_error");
        assert!(message.contains(named) && message.ends_with("gzip, deflate, br, zstd"), "{message}");
    }
    let twice = post("gzip").header("content-encoding", "gzip").body(gzip(&gzip(b"{}")));
    let (status, ..) = anthropic_error(twice.send().await.unwrap()).await;
    assert_eq!(status, 415);
    for coding in ["gzip", "deflate", "br", "zstd"] {
        for body in [&b"{\"model\": \"messages\"}"[..], &gzip(b"{}")[..9]] {
            let response = post(coding).body(body.to_vec()).send().await.unwrap();
            let (status, code, _, message) = anthropic_error(response).await;
            assert_eq!((status, code.as_str()), (400, "invalid_request"), "{coding}");
            assert_eq!(message, "the request body is not what its content-encoding says");
        }
    }
}
