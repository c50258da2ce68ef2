//! OpenAI's calls that are no conversation: embeddings, images, audio, … They go through chain and circuit as a chat does.

use std::sync::Arc;

use dialects::OpenAiCall;
use manager::StreamMode;
use reqwest::{RequestBuilder, Response, Version};
use serde_json::{Value, json};
use simulator::{Behaviour, Fault, ProviderError, ReceivedRequest, Simulator};

use crate::support::{Setup, World, call_until_rejected, header, never_trips, openai_error, read_until};

const FORM: &str = "multipart/form-data; boundary=XxX";

/// A form whose model comes last, behind a file of so many bytes.
fn form(model: &str, file_bytes: usize, more: &[(&str, &str)]) -> Vec<u8> {
    let mut form = b"--XxX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\nContent-Type: audio/wav\r\n\r\n".to_vec();
    form.extend(b"RIFF\r\n--Xx".iter().cycle().take(file_bytes));
    for (name, value) in more.iter().chain([&("model", model)]) {
        form.extend(
            format!("\r\n--XxX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}").bytes(),
        );
    }
    form.extend(b"\r\n--XxX--\r\n");
    form
}

fn transcribe(world: &World, model: &str, more: &[(&str, &str)]) -> RequestBuilder {
    let post = world.post(OpenAiCall::Transcriptions.path()).header("content-type", FORM);
    post.body(form(model, 1_000, more))
}

/// A call as its SDK makes it.
fn request(world: &World, call: OpenAiCall, model: &str) -> RequestBuilder {
    let post = world.post(call.path());
    if call.takes_form() {
        return post.header("content-type", FORM).body(form(model, 1_000, &[]));
    }
    let body = json!({"model": model, "input": "the secret prompt", "voice": "alloy"});
    post.json(&body)
}

fn last_received(simulator: &Simulator) -> Arc<ReceivedRequest> {
    Arc::clone(simulator.traffic().received().last().unwrap())
}

async fn json_of(response: Response) -> Value {
    assert_eq!(response.status(), 200);
    response.json().await.unwrap()
}

#[tokio::test]
async fn each_reaches_its_provider_and_the_next_one() {
    let world = World::with(Setup { policy: never_trips(), ..Setup::default() }).await;
    for call in OpenAiCall::ALL {
        world.first.script("m", Behaviour::ok());
        let response = request(&world, call, "chat").send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), header(&response, "x-switchboard-model")),
            (200, Some("openai:m"))
        );
        assert!(!response.bytes().await.unwrap().is_empty(), "{call:?}");
        let received = last_received(&world.first);
        assert_eq!(received.path, call.path());
        let sent_as = received.headers["content-type"].to_str().unwrap();
        assert_eq!(sent_as == FORM, call.takes_form(), "{call:?} {sent_as}");

        world.first.script("m", ProviderError::overloaded());
        let response = request(&world, call, "chat").send().await.unwrap();
        assert_eq!(header(&response, "x-switchboard-model"), Some("backup:m"), "{call:?}");
        assert_eq!(response.status(), 200);
        response.bytes().await.unwrap();
    }
}

#[tokio::test]
async fn a_form_is_sent_again_whole_with_the_next_models_name() {
    let world = World::new().await;
    world.first.script("m", Fault::Cut { after: 1 });
    let response = transcribe(&world, "chat", &[("language", "en")]).send().await.unwrap();
    assert_eq!(json_of(response).await["text"], "Hello from m.");
    for simulator in [&world.first, &world.second] {
        let received = last_received(simulator);
        assert_eq!(received.body, form("m", 1_000, &[("language", "en")]));
        assert_eq!(received.headers["content-length"], received.body.len().to_string().as_str());
    }
}

#[tokio::test]
async fn an_upload_of_20_mb_fits_and_too_large_a_one_is_refused_at_once() {
    const MIB: usize = 1024 * 1024;
    // The body's own size and its growth, and no copy of it.
    let world = World::with(Setup { memory_budget: Some(45 * MIB), ..Setup::default() }).await;
    let post = || world.post(OpenAiCall::Transcriptions.path()).header("content-type", FORM);
    let large = form("chat", 20 * MIB, &[]);
    let response = post().body(large).send().await.unwrap();
    assert_eq!(json_of(response).await["text"], "Hello from m.");
    let received = last_received(&world.first);
    assert_eq!(received.body.len(), form("m", 20 * MIB, &[]).len());
    let calls = world.first.traffic().received().len();
    let response = post().body(form("chat", 33 * MIB, &[])).send().await.unwrap();
    assert_eq!(openai_error(response).await.0, 413);
    assert_eq!(world.first.traffic().received().len(), calls);
}

#[tokio::test]
async fn transcripts_are_json_text_or_events() {
    let world = World::with(Setup { policy: never_trips(), ..Setup::default() }).await;
    let response = transcribe(&world, "chat", &[("response_format", "text")]).send().await.unwrap();
    assert_eq!(header(&response, "content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(response.text().await.unwrap(), "Hello from m.\n");
    let response = transcribe(&world, "chat", &[("stream", "true")]).send().await.unwrap();
    assert_eq!(header(&response, "content-type"), Some("text/event-stream"));
    let events = response.text().await.unwrap();
    assert!(events.contains("transcript.text.done") && !events.contains("[DONE]"), "{events}");
    world.first.script("m", Fault::End { after: 2 });
    let events =
        transcribe(&world, "chat", &[("stream", "true")]).send().await.unwrap().text().await.unwrap();
    assert!(events.contains("stream_interrupted"), "{events}");
}

#[tokio::test]
async fn speech_arrives_as_it_is_made_and_a_cut_is_seen() {
    let world = World::with(Setup { policy: never_trips(), ..Setup::default() }).await;
    let speak = || request(&world, OpenAiCall::Speech, "chat");
    world.first.script("m", Fault::Silence { after: 1 });
    let mut response = speak().send().await.unwrap();
    assert_eq!(header(&response, "content-type"), Some("audio/mpeg"));
    assert_eq!(read_until(&mut response, "Hello").await, "Hello");
    drop(response);
    for fault in [Fault::Cut { after: 2 }, Fault::ResetAfter { after: 2 }] {
        world.first.script("m", fault.clone());
        // To HTTP/1.0, whose responses end with their connection, that has to be no good end.
        for version in [Version::HTTP_11, Version::HTTP_10] {
            // Maybe before the head was on its way.
            if let Ok(response) = speak().version(version).send().await {
                assert_eq!((response.status().as_u16(), response.version()), (200, version));
                assert!(response.bytes().await.is_err(), "the connection is cut off");
            }
        }
    }
    // Before its first byte the next model takes it up.
    for fault in [Fault::Cut { after: 0 }, Fault::Empty, Fault::NotJson] {
        world.first.script("m", fault.clone());
        let response = speak().send().await.unwrap();
        assert_eq!(header(&response, "x-switchboard-model"), Some("backup:m"), "{fault:?}");
        assert_eq!(response.text().await.unwrap(), "Hello from m.");
    }
}

#[tokio::test]
async fn on_a_route_that_buffers_no_cut_is_seen() {
    let world = World::with(Setup { stream: StreamMode::Buffer, ..Setup::default() }).await;
    world.first.script("m", Fault::Cut { after: 2 });
    let response = request(&world, OpenAiCall::Speech, "chat").send().await.unwrap();
    assert_eq!(header(&response, "x-switchboard-model"), Some("backup:m"));
    assert_eq!(header(&response, "content-type"), Some("audio/mpeg"));
    assert_eq!(response.text().await.unwrap(), "Hello from m.");
}

#[tokio::test]
async fn the_older_completions_stream_as_a_chat_does() {
    let world = World::with(Setup { policy: never_trips(), ..Setup::default() }).await;
    let body = json!({"model": "chat", "prompt": "Say", "stream": true});
    let complete = || world.post("/v1/completions").json(&body);
    let events = complete().send().await.unwrap().text().await.unwrap();
    assert!(events.ends_with("data: [DONE]\n\n") && events.contains("\"text\":\"Hello\""), "{events}");
    world.first.script("m", Fault::End { after: 3 });
    let events = complete().send().await.unwrap().text().await.unwrap();
    assert!(events.contains("stream_interrupted") && !events.contains("[DONE]"), "{events}");
}

#[tokio::test]
async fn a_model_of_another_api_is_passed_over_and_the_error_says_why() {
    let world = World::new().await;
    let response = request(&world, OpenAiCall::Embeddings, "messages").send().await.unwrap();
    let (status, code, _, message) = openai_error(response).await;
    assert_eq!((status, code.as_str()), (400, "unsupported_api"));
    assert!(
        message.contains("/v1/embeddings") && message.contains("anthropic:m: its provider's API"),
        "{message}"
    );
    assert_eq!(world.first.traffic().received().len(), 0);
}

#[tokio::test]
async fn a_server_without_the_endpoint_is_passed_over_and_counts_as_nothing() {
    let world = World::new().await;
    let missing = || Behaviour::status(http::StatusCode::METHOD_NOT_ALLOWED);
    world.first.script("m", missing());
    let response = request(&world, OpenAiCall::Embeddings, "chat").send().await.unwrap();
    assert_eq!(header(&response, "x-switchboard-model"), Some("backup:m"));
    // If nobody has it, its own words are returned.
    world.second.script("m", missing());
    let response = request(&world, OpenAiCall::Embeddings, "chat").send().await.unwrap();
    assert_eq!((response.status().as_u16(), header(&response, "x-switchboard-error")), (405, None));
    world.manager.circuits().flush().await;
    assert!(world.manager.circuits().reports().iter().all(|report| report.failures == 0));
    // One that is only resting may have it.
    world.second.script("m", ProviderError::overloaded());
    let rejected = call_until_rejected(|| request(&world, OpenAiCall::Embeddings, "chat")).await;
    assert_eq!(rejected.status(), 503);
}

#[tokio::test]
async fn wrong_requests_are_refused_in_openais_shape() {
    let world = World::new().await;
    let form_without_model = String::from_utf8(form("m", 10, &[])).unwrap().replace("\"model\"", "\"other\"");
    for (path, content_type, body, expected) in [
        ("/v1/embeddings", "application/json", "{}".to_owned(), "no field `model`"),
        ("/v1/embeddings", FORM, form_without_model.clone(), "takes JSON"),
        ("/v1/audio/transcriptions", FORM, form_without_model, "no field `model`"),
        ("/v1/audio/transcriptions", FORM, "--XxX\r\n".to_owned(), "no end"),
        ("/v1/audio/transcriptions", "multipart/form-data", "x".to_owned(), "boundary"),
    ] {
        let response = world.post(path).header("content-type", content_type).body(body).send().await.unwrap();
        let (status, _, _, message) = openai_error(response).await;
        assert!(status == 400 && message.contains(expected), "{path}: {status} {message}");
    }
    for path in ["/v1/files", "/v1/batches", "/v1/realtime", "/v1/audio/other"] {
        let response = world.post(path).json(&json!({})).send().await.unwrap();
        let (status, code, _, message) = openai_error(response).await;
        assert_eq!((status, code.as_str()), (404, "not_found"));
        assert!(message.contains("/v1/embeddings") && message.contains("/v1/audio/speech"), "{message}");
    }
}

#[tokio::test]
async fn moderations_have_a_model_of_their_own() {
    let world = World::new().await;
    let response = world.post("/v1/moderations").json(&json!({"input": "x"})).send().await.unwrap();
    assert_eq!(header(&response, "x-switchboard-model"), Some("openai:omni-moderation-latest"));
    assert_eq!(json_of(response).await["model"], "omni-moderation-latest");
    let received = last_received(&world.first);
    assert_eq!(received.body, r#"{"input":"x"}"#, "as it came");
}
