//! OpenAI's calls that are no conversation: embeddings, images, audio, … Their answers say the same words as a chat would, in
//! whatever way they have: as numbers, as bytes, as a transcript.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::event_list::EventList;
use crate::response_spec::ResponseSpec;

/// A call that is no conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OpenAiCall {
    Completions,
    Embeddings,
    Moderations,
    ImageGenerations,
    ImageEdits,
    ImageVariations,
    Speech,
    Transcriptions,
    Translations,
    Rerank,
}

/// How the answer is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wishes {
    /// Embeddings as bytes instead of numbers, as the SDKs ask for them.
    pub(crate) base64: bool,
    /// A transcript as a text.
    pub(crate) text: bool,
}

impl OpenAiCall {
    pub(crate) fn at(path: &str) -> Option<Self> {
        Some(match path {
            "/v1/completions" => Self::Completions,
            "/v1/embeddings" => Self::Embeddings,
            "/v1/moderations" => Self::Moderations,
            "/v1/images/generations" => Self::ImageGenerations,
            "/v1/images/edits" => Self::ImageEdits,
            "/v1/images/variations" => Self::ImageVariations,
            "/v1/audio/speech" => Self::Speech,
            "/v1/audio/transcriptions" => Self::Transcriptions,
            "/v1/audio/translations" => Self::Translations,
            "/v1/rerank" => Self::Rerank,
            _ => return None,
        })
    }

    /// The model of a request that names none.
    pub(crate) fn default_model(self) -> Option<&'static str> {
        (self == Self::Moderations).then_some("omni-moderation-latest")
    }

    /// The body of an answer in one piece.
    pub(crate) fn response_body(self, spec: &ResponseSpec<'_>, wishes: Wishes) -> Bytes {
        let text = spec.text();
        if wishes.text {
            return (text + "\n").into();
        }
        let usage = spec.usage();
        let tokens = json!({"input_tokens": usage.input, "output_tokens": usage.output, "total_tokens": usage.input + usage.output});
        let answer = match self {
            Self::Completions => return completion(spec),
            Self::Embeddings => json!({
                "object": "list",
                "data": [{"object": "embedding", "index": 0, "embedding": embedding(&text, wishes.base64)}],
                "model": spec.model,
                "usage": {"prompt_tokens": usage.input, "total_tokens": usage.input},
            }),
            Self::Moderations => json!({
                "id": format!("modr-simulated-{}", spec.number),
                "model": spec.model,
                "results": [{"flagged": false, "categories": {}, "category_scores": {}, "category_applied_input_types": {}}],
            }),
            Self::ImageGenerations | Self::ImageEdits | Self::ImageVariations => {
                json!({"created": spec.created, "data": [{"b64_json": BASE64_STANDARD.encode(text)}], "usage": tokens})
            }
            Self::Speech => return text.into(),
            Self::Transcriptions => json!({"text": text, "usage": tokens}),
            Self::Translations => json!({"text": text}),
            Self::Rerank => json!({
                "id": format!("rerank-simulated-{}", spec.number),
                "model": spec.model,
                "results": [{"index": 0, "relevance_score": 0.9, "document": {"text": text}}],
                "usage": {"total_tokens": usage.input},
            }),
        };
        answer.to_string().into()
    }

    /// The events of a stream; of speech whose events were not asked for, its bytes in pieces.
    pub(crate) fn events(self, spec: &ResponseSpec<'_>, has_events: bool) -> EventList {
        let mut events = EventList::with_capacity(spec.words + 3);
        let usage = spec.usage();
        let usage = json!({"input_tokens": usage.input, "output_tokens": usage.output});
        match self {
            Self::Completions => return completion_events(spec),
            Self::Speech if !has_events => {
                spec.text_words().for_each(|word| events.push_content(word));
            }
            Self::Speech => {
                for word in spec.text_words() {
                    let audio = BASE64_STANDARD.encode(word);
                    events.push_content(event(&json!({"type": "speech.audio.delta", "audio": audio})));
                }
                events.push(event(&json!({"type": "speech.audio.done", "usage": usage})));
            }
            Self::ImageGenerations | Self::ImageEdits => {
                let kind = if self == Self::ImageEdits { "image_edit" } else { "image_generation" };
                let image = BASE64_STANDARD.encode(spec.text());
                let part = json!({"type": format!("{kind}.partial_image"), "b64_json": image, "partial_image_index": 0});
                events.push_content(event(&part));
                let whole = json!({"type": format!("{kind}.completed"), "b64_json": image, "usage": usage});
                events.push_content(event(&whole));
            }
            _ => {
                for word in spec.text_words() {
                    events.push_content(event(&json!({"type": "transcript.text.delta", "delta": word})));
                }
                let done = json!({"type": "transcript.text.done", "text": spec.text(), "usage": usage});
                events.push(event(&done));
            }
        }
        events
    }
}

/// A number for each byte.
fn embedding(text: &str, as_base64: bool) -> Value {
    let numbers = text.bytes().map(f32::from);
    if as_base64 {
        let bytes: Vec<u8> = numbers.flat_map(f32::to_le_bytes).collect();
        return BASE64_STANDARD.encode(bytes).into();
    }
    numbers.collect()
}

fn completion(spec: &ResponseSpec<'_>) -> Bytes {
    let choice =
        |index| json!({"index": index, "text": spec.text(), "logprobs": null, "finish_reason": "stop"});
    let choices: Vec<_> = (0..spec.choices).map(choice).collect();
    completion_object(spec, &choices.into(), Some(completion_usage(spec))).to_string().into()
}

fn completion_usage(spec: &ResponseSpec<'_>) -> Value {
    let usage = spec.usage();
    json!({
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
    })
}

fn completion_object(spec: &ResponseSpec<'_>, choices: &Value, usage: Option<Value>) -> Value {
    let mut object = json!({
        "id": format!("cmpl-simulated-{}", spec.number),
        "object": "text_completion",
        "created": spec.created,
        "model": spec.model,
        "choices": choices,
    });
    if let Some(usage) = usage {
        object["usage"] = usage;
    }
    object
}

/// As chat completions: an event before the first word, the words, the finish, the tokens, the end marker.
fn completion_events(spec: &ResponseSpec<'_>) -> EventList {
    let mut events = EventList::with_capacity(spec.words + 4);
    let chunk = |text: &str, finish: Value| {
        let choices = json!([{"index": 0, "text": text, "logprobs": null, "finish_reason": finish}]);
        event(&completion_object(spec, &choices, None))
    };
    events.push(chunk("", Value::Null));
    spec.text_words().for_each(|word| events.push_content(chunk(&word, Value::Null)));
    events.push(chunk("", "stop".into()));
    if spec.include_usage {
        events.push(event(&completion_object(spec, &json!([]), Some(completion_usage(spec)))));
    }
    events.push(Bytes::from_static(b"data: [DONE]\n\n"));
    events
}

fn event(data: &Value) -> Bytes {
    format!("data: {data}\n\n").into()
}
