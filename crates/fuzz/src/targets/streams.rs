//! Streams of providers: every event read, and translated to every other format.

use bytes::Bytes;
use dialects::{
    Dialect, EventClass, ResponseMeta, classify_event,
    error::translate_event,
    sse::{Decoder, Frame},
};
use translate::Translation;

use super::translations::{DIALECTS, select, ways_back, with_selector};
use crate::{
    features::Features,
    json_law::assert_json,
    recordings::{ResponseBody, recordings},
};

const MORE: [(Dialect, &str); 3] = [
    (
        Dialect::OpenAiChat,
        "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"reasoning_content\":\"r\"}}]}\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"1\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}}]}}]}\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"}\"}}]},\"finish_reason\":\"tool_calls\"}]}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\ndata: [DONE]\n\n",
    ),
    (
        Dialect::Anthropic,
        "event: ping\ndata: {\"type\":\"ping\"}\n\nevent: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n",
    ),
    (
        Dialect::Gemini,
        "data: {\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":\"f\",\"args\":{\"a\":1}}}]},\"index\":1}]}\n\ndata: {\"candidates\":[{\"finishReason\":\"SAFETY\"}],\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}\n\n",
    ),
];

pub(super) fn run(input: &[u8], features: &mut Features) {
    let Some((provider, stream)) = select(input) else { return };
    let frames = frames(stream);
    let mut meta = ResponseMeta::default();
    for frame in &frames {
        classify(provider, frame, &mut meta, features);
    }
    for translation in ways_back(provider) {
        translate(translation, &frames, features);
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let recorded = recordings().into_iter().filter_map(|recording| match recording.response {
        ResponseBody::Stream(stream) => Some(with_selector(recording.dialect, &stream)),
        ResponseBody::Messages(messages) => {
            let (events, _) = providers::fuzzing::message_stream(recording.dialect, [&*messages].into_iter());
            Some(with_selector(recording.dialect, &events))
        }
        ResponseBody::Whole(_) => None,
    });
    let more = MORE.iter().map(|(dialect, stream)| with_selector(*dialect, stream.as_bytes()));
    recorded.chain(more).collect()
}

pub(super) fn frames(stream: &[u8]) -> Vec<Frame> {
    let mut decoder = Decoder::default();
    decoder.push(Bytes::copy_from_slice(stream));
    let mut frames: Vec<_> = std::iter::from_fn(|| decoder.next_frame()).map_while(Result::ok).collect();
    frames.extend(decoder.finish());
    frames
}

fn classify(provider: Dialect, frame: &Frame, meta: &mut ResponseMeta, features: &mut Features) {
    match classify_event(provider, frame, meta) {
        EventClass::Progress(progress) => {
            let usage = format!("{:?}", progress.usage).len();
            features.add((
                provider.label(),
                progress.content,
                progress.done,
                progress.has_finish_reason(),
                usage,
            ));
        }
        EventClass::Error(error) => {
            features.add_variant(provider.label(), &error.category);
            features.add((provider.label(), error.status));
            let data = frame.data().unwrap_or_default();
            for caller in DIALECTS {
                check_event(caller, &translate_event(provider, caller, 500, &data), features);
            }
        }
        EventClass::Invalid => features.add((provider.label(), "invalid")),
    }
}

fn translate(translation: &Translation, source: &[Frame], features: &mut Features) {
    let mut bridge = translation.bridge();
    let mut written = Vec::new();
    for frame in source {
        let Some(data) = frame.data() else { continue };
        let name = std::str::from_utf8(frame.event()).ok().filter(|name| !name.is_empty());
        written.extend_from_slice(&bridge.push(name, &data));
    }
    written.extend_from_slice(&bridge.finish());
    features.add((translation.caller().label(), bridge.is_malformed()));
    if written.starts_with(b"[") {
        return assert_json("array", &written, features);
    }
    check_event(translation.caller(), &written, features);
}

/// Every event that is written is one of the caller's format.
pub(super) fn check_event(caller: Dialect, written: &[u8], features: &mut Features) {
    let mut meta = ResponseMeta::default();
    for frame in frames(written) {
        if let Some(data) = frame.data().filter(|data| data[..] != *b"[DONE]") {
            assert_json(caller.label(), &data, features);
        }
        let class = classify_event(caller, &frame, &mut meta);
        assert!(class != EventClass::Invalid, "{}: {}", caller.label(), frame.raw().escape_ascii());
    }
}
