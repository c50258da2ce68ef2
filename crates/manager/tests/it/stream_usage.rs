//! Tokens of a stream that the gateway asks for where the caller did not.

use bytes::Bytes;
use dialects::{Endpoint, Request};

use crate::support::{Fixture, TestConfig, chat, stream_events, text_of};

#[tokio::test]
async fn the_usage_chunk_is_for_those_who_asked() {
    let fixture = Fixture::with(TestConfig { stream_usage: Some(true), ..TestConfig::default() }).await;
    for (options, has_null, has_chunk) in [
        ("", true, false),
        (r#","stream_options":{"include_usage":true}"#, true, true),
        (r#","stream_options":{"include_usage":false}"#, false, false),
        (r#","stream_options":{}"#, false, false),
    ] {
        let body = format!(
            r#"{{"model":"chat","stream":true,"messages":[{{"role":"user","content":"Hello"}}]{options}}}"#
        );
        let mut call = chat("chat", true);
        call.request = Request::parse(Endpoint::ChatCompletions, Bytes::from(body)).unwrap();
        let events = stream_events(fixture.call(call).await.unwrap()).await;
        let any = |text: &str| events.iter().any(|event| event.contains(text));
        assert!(!text_of(&events).is_empty() && any("[DONE]"), "{options}");
        // The provider was asked exactly where its chunks have the field.
        assert_eq!(any(r#""usage":null"#), has_null, "{options}");
        assert_eq!(any(r#""choices":[]"#), has_chunk, "{options}");
    }
}
