//! How people, clients and health checks arrive, before they call a model: `/`, base URLs, HEAD, HTTP/1.0.

use reqwest::redirect::Policy;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::support::{TEST_TIMEOUT, World, header};

/// Paths that need no key.
const PUBLIC: [&str; 9] = [
    "/",
    "/api/hello",
    "/livez",
    "/readyz",
    "/health",
    "/health/liveliness",
    "/health/readiness",
    "/metrics",
    "/dashboard",
];

/// Sends the head of a request, and reads until the connection ends.
async fn exchange(world: &World, head: &str) -> String {
    let mut socket = TcpStream::connect(world.address).await.unwrap();
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut received = String::new();
    timeout(TEST_TIMEOUT, socket.read_to_string(&mut received)).await.expect("the connection ends").unwrap();
    received
}

#[tokio::test]
async fn the_root_is_the_page_for_a_browser_and_a_line_for_others() {
    for world in [World::new().await, World::with_keys().await] {
        let response = world.get("/").send().await.unwrap();
        assert_eq!(response.status(), 200);
        let greeting: Value = response.json().await.unwrap();
        assert_eq!(
            (&greeting["name"], &greeting["dashboard"]),
            (&json!("switchboard"), &json!("/dashboard"))
        );

        let browser = reqwest::Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
        let accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        let response = browser.get(world.url("/")).header("accept", accept).send().await.unwrap();
        assert_eq!((response.status().as_u16(), header(&response, "location")), (307, Some("dashboard")));
        let page = world.get("/").header("accept", accept).send().await.unwrap();
        assert_eq!((page.status().as_u16(), page.url().path()), (200, "/dashboard"));
        let head = browser.head(world.url("/")).header("accept", accept).send().await.unwrap();
        assert_eq!(head.status(), 200, "whoever asks for no body wants no page");
        let check = browser.request(reqwest::Method::OPTIONS, world.url("/")).send().await.unwrap();
        assert_eq!(check.status(), 200, "the check of HAProxy");
    }
}

#[tokio::test]
async fn head_is_answered_wherever_no_key_is_needed() {
    for world in [World::new().await, World::with_keys().await] {
        for path in PUBLIC {
            let response = world.client.head(world.url(path)).send().await.unwrap();
            assert_eq!(response.status(), 200, "{path}");
            assert!(response.bytes().await.unwrap().is_empty(), "{path}");
        }
    }
}

#[tokio::test]
async fn health_checks_of_http_1_0_need_no_host() {
    for world in [World::new().await, World::with_keys().await] {
        for path in PUBLIC {
            let response = exchange(&world, &format!("GET {path} HTTP/1.0\r\n\r\n")).await;
            assert!(response.starts_with("HTTP/1.0 200 "), "{path}: {response}");
        }
        let response = exchange(&world, "OPTIONS / HTTP/1.0\r\n\r\n").await;
        assert!(response.starts_with("HTTP/1.0 200 "), "{response}");
    }
    // What a web page could send stays refused, and so does what is no health check.
    let world = World::new().await;
    for head in [
        "GET /livez HTTP/1.1\r\nconnection: close\r\n\r\n",
        "GET /livez HTTP/1.0\r\nhost: evil.example\r\n\r\n",
        "GET /livez HTTP/1.0\r\norigin: https://evil.example\r\n\r\n",
        "GET /circuits HTTP/1.0\r\n\r\n",
        "GET //circuits/ HTTP/1.0\r\n\r\n",
    ] {
        let response = exchange(&world, head).await;
        assert_eq!(response.split(' ').nth(1), Some("403"), "{head}{response}");
    }
}

#[tokio::test]
async fn any_way_to_write_a_base_url_works() {
    let world = World::new().await;
    let chat = json!({ "model": "chat", "messages": [{ "role": "user", "content": "hi" }] });
    let messages =
        json!({ "model": "messages", "max_tokens": 9, "messages": [{ "role": "user", "content": "hi" }] });
    let generate = json!({ "contents": [{ "role": "user", "parts": [{ "text": "hi" }] }] });
    for (path, body) in [
        ("/chat/completions", &chat),
        ("//v1//chat/completions/", &chat),
        ("/v1/v1/chat/completions", &chat),
        ("/messages", &messages),
        ("/messages?beta=true", &messages),
        ("/v1/v1/messages", &messages),
        ("/v1/messages/", &messages),
        ("/v1/models/chat:generateContent", &generate),
        ("/v1/v1beta/models/chat:generateContent", &generate),
        ("/models/chat:generateContent", &generate),
    ] {
        let response = world.post(path).json(body).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}: {}", response.text().await.unwrap());
    }
    for path in ["/models", "/v1/models/", "/v1/v1/models", "/models/chat", "/v1beta/v1beta/models"] {
        assert_eq!(world.get(path).send().await.unwrap().status(), 200, "{path}");
    }
    for path in ["/chat", "/v1", "/v1/", "/v2/chat/completions", "/completions/chat"] {
        assert_eq!(world.get(path).send().await.unwrap().status(), 404, "{path}");
    }
}

#[tokio::test]
async fn no_spelling_of_a_path_needs_less_of_a_key() {
    let world = World::with_keys().await;
    for path in ["//circuits/", "/circuits//", "//v1/models", "/models", "//openapi.json", "/v1/v1/models"] {
        assert_eq!(world.get(path).send().await.unwrap().status(), 401, "{path}");
        assert_eq!(world.get(path).bearer_auth("caller").send().await.unwrap().status(), 200, "{path}");
    }
    let path = "//circuits//openai:m//open/";
    assert_eq!(world.post(path).bearer_auth("caller").send().await.unwrap().status(), 403);
    for path in ["//livez/", "/health//readiness"] {
        assert_eq!(world.get(path).send().await.unwrap().status(), 200, "{path}");
    }
}
