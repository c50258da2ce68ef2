//! What models can do in Converse: a table, with the source of each row.
//!
//! A name is looked for anywhere in the model's, which may be a region's (`us.amazon.nova-lite-v1:0`) or the end of an ARN.
//! The first row that fits counts. A model that no row has is taken to be able to do everything: Bedrock says no more
//! plainly than a guess. What Claude can do is in `abilities`.
//!
//! Sources: FEATURES is docs.aws.amazon.com/bedrock/latest/userguide/conversation-inference-supported-models-features;
//! CHOICE is langchain-ai/langchain-aws (`supports_tool_choice` of its Converse model, and its pull request 688); CACHE is
//! docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching; SCHEMA is the same guide's structured-output.

/// What a model can do in Converse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ConverseModel {
    /// Takes a system prompt (FEATURES).
    pub(super) system: bool,
    /// Reads documents (FEATURES).
    pub(super) documents: bool,
    /// Sees images (FEATURES).
    pub(super) images: bool,
    /// Sees videos (docs.aws.amazon.com/nova/latest/userguide/modalities-video).
    pub(super) videos: bool,
    /// Calls tools (FEATURES).
    pub(super) tools: Tools,
    /// How it can be made to call one (CHOICE).
    pub(super) forced: Forced,
    /// Keeps to a JSON schema (SCHEMA).
    pub(super) schema: bool,
    /// Where it takes cache points (CACHE).
    pub(super) cache: Cache,
    /// Where `top_k` goes in `additionalModelRequestFields`.
    pub(super) top_k: TopK,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tools {
    No,
    /// In a plain answer only.
    NotStreamed,
    Yes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Forced {
    No,
    /// To call any tool, but none by name.
    Any,
    Named,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cache {
    No,
    /// In the system prompt and in messages.
    Messages,
    /// Behind tools, too, and for an hour.
    Everywhere,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TopK {
    /// Nobody knows.
    Unknown,
    /// `top_k`.
    TopLevel,
    /// `inferenceConfig.topK`.
    Nova,
}

const ANYTHING: ConverseModel = ConverseModel {
    system: true,
    documents: true,
    images: true,
    videos: true,
    tools: Tools::Yes,
    forced: Forced::Named,
    schema: true,
    cache: Cache::No,
    top_k: TopK::Unknown,
};
const CLAUDE: ConverseModel =
    ConverseModel { videos: false, cache: Cache::Everywhere, top_k: TopK::TopLevel, ..ANYTHING };
/// Recorded: `inferenceConfig.topK`, forced tools by name, cache points.
const NOVA: ConverseModel =
    ConverseModel { schema: false, cache: Cache::Messages, top_k: TopK::Nova, ..ANYTHING };
/// Models that read text and call tools when they like.
const TEXT: ConverseModel =
    ConverseModel { images: false, videos: false, forced: Forced::No, schema: false, ..ANYTHING };
const LLAMA: ConverseModel = ConverseModel { tools: Tools::NotStreamed, ..TEXT };
const LLAMA_WITH_IMAGES: ConverseModel = ConverseModel { images: true, ..LLAMA };
const WITHOUT_TOOLS: ConverseModel = ConverseModel { tools: Tools::No, ..TEXT };
const WITHOUT_SYSTEM: ConverseModel = ConverseModel { system: false, ..WITHOUT_TOOLS };
/// Open models with structured outputs (SCHEMA).
const OPEN: ConverseModel = ConverseModel { forced: Forced::Named, schema: true, ..TEXT };

const ROWS: &[(&str, ConverseModel)] = &[
    ("ai21.jamba-instruct", ConverseModel { documents: false, ..WITHOUT_TOOLS }),
    ("ai21.", TEXT),
    ("amazon.nova-micro", ConverseModel { documents: false, images: false, videos: false, ..NOVA }),
    ("amazon.nova-", NOVA),
    ("amazon.titan-text-premier", ConverseModel { documents: false, ..WITHOUT_SYSTEM }),
    ("amazon.titan-", WITHOUT_SYSTEM),
    ("anthropic.claude-2", ConverseModel { tools: Tools::No, images: false, ..CLAUDE }),
    ("anthropic.claude-instant", ConverseModel { tools: Tools::No, images: false, ..CLAUDE }),
    ("claude-", CLAUDE),
    ("cohere.command-r", TEXT),
    ("cohere.command-", WITHOUT_SYSTEM),
    ("deepseek.r1", WITHOUT_TOOLS),
    ("deepseek.v3", OPEN),
    ("google.gemma-", ConverseModel { images: true, ..OPEN }),
    // epam/ai-dial-adapter-bedrock#181: the small ones have no tools.
    ("meta.llama3-2-1b", WITHOUT_TOOLS),
    ("meta.llama3-2-3b", WITHOUT_TOOLS),
    ("meta.llama3-2-11b", LLAMA_WITH_IMAGES),
    ("meta.llama3-2-90b", LLAMA_WITH_IMAGES),
    ("meta.llama3-1-", LLAMA),
    ("meta.llama3-3-", LLAMA),
    ("meta.llama3-", WITHOUT_TOOLS),
    ("meta.llama4-", LLAMA_WITH_IMAGES),
    ("mistral.mistral-7b", WITHOUT_SYSTEM),
    ("mistral.mixtral-", WITHOUT_SYSTEM),
    ("mistral.mistral-large-2402", ConverseModel { tools: Tools::NotStreamed, forced: Forced::Any, ..TEXT }),
    ("mistral.mistral-large-2407", ConverseModel { forced: Forced::Any, ..TEXT }),
    ("mistral.mistral-small", ConverseModel { tools: Tools::NotStreamed, ..TEXT }),
    ("mistral.pixtral-", ConverseModel { images: true, ..TEXT }),
    ("openai.gpt-oss", OPEN),
    ("qwen.qwen3-vl", ConverseModel { images: true, ..OPEN }),
    ("qwen.", OPEN),
];

impl ConverseModel {
    pub(super) fn of(model: &str) -> Self {
        let row = ROWS.iter().find(|(name, _)| model.contains(name));
        row.map_or(ANYTHING, |(_, model)| *model)
    }
}

#[cfg(test)]
mod tests {
    use super::{ANYTHING, Cache, ConverseModel, NOVA, ROWS, Tools};

    #[test]
    fn a_model_is_known_in_every_region_and_by_its_arn() {
        for name in [
            "amazon.nova-pro-v1:0",
            "us.amazon.nova-lite-v1:0",
            "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0",
        ] {
            assert_eq!(ConverseModel::of(name), NOVA, "{name}");
        }
        assert_eq!(
            ConverseModel::of("arn:aws:bedrock:us-east-1:1:application-inference-profile/x"),
            ANYTHING
        );
        assert_eq!(ConverseModel::of("meta.llama3-1-70b-instruct-v1:0").tools, Tools::NotStreamed);
        assert_eq!(
            ConverseModel::of("eu.anthropic.claude-sonnet-4-5-20250929-v1:0").cache,
            Cache::Everywhere
        );
    }

    #[test]
    fn every_row_is_found_by_its_own_name() {
        for (name, model) in ROWS {
            assert_eq!(ConverseModel::of(name), *model, "{name}");
        }
    }
}
