//! OpenAI's calls of a model that are no conversation: embeddings, images, audio, … They pass through in OpenAI's shape, to
//! providers that have OpenAI's API, and are never translated.
//!
//! The table is the place for whatever differs between them. Rows are from OpenAI's API reference and Python SDK 3.54.0;
//! rerank is Cohere's and Jina's, which vLLM, Infinity, LocalAI and others have beside OpenAI's paths.

pub(crate) mod event;
pub(crate) mod response;

/// One of OpenAI's calls of a model that are no conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OpenAiCall {
    /// `POST /v1/completions`: a prompt is continued.
    Completions,
    /// `POST /v1/embeddings`.
    Embeddings,
    /// `POST /v1/moderations`.
    Moderations,
    /// `POST /v1/images/generations`.
    ImageGenerations,
    /// `POST /v1/images/edits`.
    ImageEdits,
    /// `POST /v1/images/variations`.
    ImageVariations,
    /// `POST /v1/audio/speech`: a text is read out.
    Speech,
    /// `POST /v1/audio/transcriptions`.
    Transcriptions,
    /// `POST /v1/audio/translations`: transcribed in English.
    Translations,
    /// `POST /v1/rerank`: documents are sorted by what they have to do with a query.
    Rerank,
}

/// What is known of a call.
#[derive(Debug, Clone, Copy)]
struct CallSpec {
    path: &'static str,
    /// Whether its body may be a form with files (`multipart/form-data`), besides JSON.
    takes_form: bool,
    streams: Streams,
    response: ResponseShape,
    /// The model of a request that names none; `None`: it must name one.
    default_model: Option<&'static str>,
    /// The operation by OpenTelemetry's conventions for generative AI, or else our own word.
    operation: &'static str,
}

/// When a call is answered by a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Streams {
    Never,
    /// If its `stream` is true.
    OnRequest,
    /// By bytes as they are made, or by events.
    Always,
}

/// What a good answer in one piece is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ResponseShape {
    /// As that of chat completions.
    Completion,
    /// An object with at least one of these.
    Object(&'static [Field]),
    /// Such an object, or a text, as the response's type says.
    ObjectOrText(Field),
    /// Any bytes, but none is no answer.
    Bytes,
}

/// The field that an answer is in.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Field {
    Data,
    Results,
    Text,
}

impl OpenAiCall {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Completions,
        Self::Embeddings,
        Self::Moderations,
        Self::ImageGenerations,
        Self::ImageEdits,
        Self::ImageVariations,
        Self::Speech,
        Self::Transcriptions,
        Self::Translations,
        Self::Rerank,
    ];

    const fn spec(self) -> CallSpec {
        const JSON: CallSpec = CallSpec {
            path: "",
            takes_form: false,
            streams: Streams::Never,
            response: ResponseShape::Object(&[Field::Data]),
            default_model: None,
            operation: "",
        };
        const FORM: CallSpec = CallSpec { takes_form: true, ..JSON };
        const IMAGES: &str = "generate_content";
        match self {
            Self::Completions => CallSpec {
                path: "/v1/completions",
                streams: Streams::OnRequest,
                response: ResponseShape::Completion,
                operation: "text_completion",
                ..JSON
            },
            Self::Embeddings => CallSpec { path: "/v1/embeddings", operation: "embeddings", ..JSON },
            // The only call of OpenAI's that still has a default; images have none since the models that it named are gone.
            Self::Moderations => CallSpec {
                path: "/v1/moderations",
                response: ResponseShape::Object(&[Field::Results]),
                default_model: Some("omni-moderation-latest"),
                operation: "moderation",
                ..JSON
            },
            Self::ImageGenerations => CallSpec {
                path: "/v1/images/generations",
                streams: Streams::OnRequest,
                operation: IMAGES,
                ..JSON
            },
            Self::ImageEdits => {
                CallSpec { path: "/v1/images/edits", streams: Streams::OnRequest, operation: IMAGES, ..FORM }
            }
            Self::ImageVariations => CallSpec { path: "/v1/images/variations", operation: IMAGES, ..FORM },
            Self::Speech => CallSpec {
                path: "/v1/audio/speech",
                streams: Streams::Always,
                response: ResponseShape::Bytes,
                operation: "speech",
                ..JSON
            },
            Self::Transcriptions => CallSpec {
                path: "/v1/audio/transcriptions",
                streams: Streams::OnRequest,
                response: ResponseShape::ObjectOrText(Field::Text),
                operation: "transcription",
                ..FORM
            },
            Self::Translations => CallSpec {
                path: "/v1/audio/translations",
                response: ResponseShape::ObjectOrText(Field::Text),
                operation: "transcription",
                ..FORM
            },
            // Cohere, Jina, vLLM: `results`; Voyage: `data`.
            Self::Rerank => CallSpec {
                path: "/v1/rerank",
                response: ResponseShape::Object(&[Field::Results, Field::Data]),
                operation: "rerank",
                ..JSON
            },
        }
    }

    /// The path at which the gateway serves it.
    #[must_use]
    pub const fn path(self) -> &'static str {
        self.spec().path
    }

    /// The path after a provider's base URL, which has the version.
    #[must_use]
    pub fn path_segments(self) -> Vec<&'static str> {
        self.path().split('/').skip(2).collect()
    }

    /// Whether its body may be a form with files (`multipart/form-data`), besides JSON.
    #[must_use]
    pub const fn takes_form(self) -> bool {
        self.spec().takes_form
    }

    /// The operation by OpenTelemetry's conventions for generative AI, or else a word of our own.
    #[must_use]
    pub const fn operation(self) -> &'static str {
        self.spec().operation
    }

    /// Whether it may say nothing for minutes and be well: an image is made without a sign of life.
    #[must_use]
    pub const fn streams_no_progress(self) -> bool {
        matches!(self, Self::ImageGenerations | Self::ImageEdits | Self::ImageVariations)
    }

    /// Whether an answer in one piece is bytes of no format that is read here.
    #[must_use]
    pub const fn answers_bytes(self) -> bool {
        matches!(self.spec().response, ResponseShape::Bytes)
    }

    pub(crate) const fn default_model(self) -> Option<&'static str> {
        self.spec().default_model
    }

    pub(crate) const fn streams(self) -> Streams {
        self.spec().streams
    }

    pub(crate) const fn response_shape(self) -> ResponseShape {
        self.spec().response
    }
}

#[cfg(test)]
mod tests {
    use super::OpenAiCall;

    #[test]
    fn every_call_has_its_own_path_of_the_first_version() {
        for call in OpenAiCall::ALL {
            assert!(call.path().starts_with("/v1/") && !call.operation().is_empty(), "{call:?}");
            assert_eq!(OpenAiCall::ALL.iter().filter(|other| other.path() == call.path()).count(), 1);
        }
        assert_eq!(OpenAiCall::Speech.path_segments(), ["audio", "speech"]);
    }
}
