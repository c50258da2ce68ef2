//! The vendors, a row for each.
//!
//! A row is a vendor whose API is compatible with OpenAI's, so that nothing but data is needed for it. What no source says is
//! left at the value of [`ROW`]. `recorded traffic` in a source: requests to the vendor that public projects recorded for their
//! own tests, with this base URL and the fields that the row speaks of.
//!
//! To add one: a row in the order of the names, then `WRITE=1 cargo test -p providers --test vendors_page`.

use dialects::Dialect::{self, OpenAiChat, OpenAiResponses};

use super::vendor::Activation::{Local, Named};
use super::vendor::StreamUsage::{Always, OnRequest};
use super::vendor::VendorEndpoint::{
    Completions, Embeddings, Images, Moderations, Rerank, Speech, Transcriptions,
};
use super::vendor::{Activation, BaseUrlVariable, KeyCheck, StreamUsage, Vendor};

/// What holds where a row says nothing else.
const ROW: Vendor = Vendor {
    name: "",
    base_url: "",
    key_variables: &[],
    base_url_variable: None,
    activation: Activation::Key,
    speaks: &[OpenAiChat],
    endpoints: &[],
    stream_usage: StreamUsage::Unknown,
    refuses: &[],
    key_check: KeyCheck::Unknown("models"),
    documentation: "",
    source: "",
    is_verified: true,
};

const CHAT_AND_RESPONSES: &[Dialect] = &[OpenAiChat, OpenAiResponses];

const fn variable(name: &'static str, path: &'static str) -> Option<BaseUrlVariable> {
    Some(BaseUrlVariable { name, path })
}

/// All vendors, sorted by name.
pub(super) const VENDORS: &[Vendor] = &[
    Vendor {
        name: "ai21",
        base_url: "https://api.ai21.com/studio/v1",
        key_variables: &["AI21_API_KEY"],
        key_check: KeyCheck::Public("models"),
        documentation: "https://docs.ai21.com/reference/jamba-1-6-api-ref",
        source: "docs.ai21.com; BerriAI/litellm: litellm_core_utils/get_llm_provider_logic.py",
        ..ROW
    },
    Vendor {
        name: "baseten",
        base_url: "https://inference.baseten.co/v1",
        key_variables: &["BASETEN_API_KEY"],
        documentation: "https://docs.baseten.co/inference/model-apis/overview",
        source: "anomalyco/models.dev: providers/baseten",
        ..ROW
    },
    Vendor {
        name: "cerebras",
        base_url: "https://api.cerebras.ai/v1",
        key_variables: &["CEREBRAS_API_KEY"],
        base_url_variable: variable("CEREBRAS_BASE_URL", "/v1"),
        endpoints: &[Completions],
        refuses: &[
            "frequency_penalty",
            "logit_bias",
            "parallel_tool_calls",
            "presence_penalty",
            "service_tier",
        ],
        key_check: KeyCheck::Checked("models"),
        documentation: "https://inference-docs.cerebras.ai/resources/openai",
        source: "inference-docs.cerebras.ai; Cerebras' SDK for Python; hexdocs.pm/req_llm/cerebras.html",
        ..ROW
    },
    Vendor {
        name: "chutes",
        base_url: "https://llm.chutes.ai/v1",
        key_variables: &["CHUTES_API_KEY"],
        documentation: "https://chutes.ai/docs",
        source: "anomalyco/models.dev: providers/chutes; BerriAI/litellm: llms/openai_like/providers.json",
        ..ROW
    },
    Vendor {
        name: "cohere",
        base_url: "https://api.cohere.ai/compatibility/v1",
        key_variables: &["CO_API_KEY", "COHERE_API_KEY"],
        base_url_variable: variable("CO_API_URL", "/compatibility/v1"),
        endpoints: &[Embeddings],
        stream_usage: OnRequest,
        documentation: "https://docs.cohere.com/docs/compatibility-api",
        source: "docs.cohere.com; Cohere's SDK for Python; cohere-ai/cohere-developer-experience#606",
        ..ROW
    },
    Vendor {
        name: "crusoe",
        base_url: "https://managed-inference-api-proxy.crusoecloud.com/v1",
        key_variables: &["CRUSOE_API_KEY"],
        stream_usage: OnRequest,
        documentation: "https://docs.crusoecloud.com",
        source: "BerriAI/litellm: llms/openai_like/providers.json; recorded traffic",
        ..ROW
    },
    Vendor {
        name: "dashscope",
        base_url: "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        key_variables: &["DASHSCOPE_API_KEY"],
        endpoints: &[Embeddings],
        documentation: "https://www.alibabacloud.com/help/en/model-studio/models",
        source: "anomalyco/models.dev: providers/alibaba",
        ..ROW
    },
    Vendor {
        name: "deepinfra",
        base_url: "https://api.deepinfra.com/v1/openai",
        key_variables: &["DEEPINFRA_API_KEY", "DEEPINFRA_TOKEN", "DEEPINFRA_API_TOKEN"],
        endpoints: &[Embeddings, Completions],
        stream_usage: Always,
        key_check: KeyCheck::Public("models"),
        documentation: "https://deepinfra.com/docs/openai_api",
        source: "deepinfra.com/docs; docs.langchain.com and mastra.ai on DeepInfra",
        ..ROW
    },
    Vendor {
        name: "deepseek",
        base_url: "https://api.deepseek.com",
        key_variables: &["DEEPSEEK_API_KEY"],
        speaks: CHAT_AND_RESPONSES,
        stream_usage: OnRequest,
        key_check: KeyCheck::Checked("models"),
        documentation: "https://api-docs.deepseek.com",
        source: "anomalyco/models.dev: providers/deepseek; recorded traffic",
        ..ROW
    },
    Vendor {
        name: "fireworks",
        base_url: "https://api.fireworks.ai/inference/v1",
        key_variables: &["FIREWORKS_API_KEY", "FIREWORKS_AI_API_KEY"],
        speaks: CHAT_AND_RESPONSES,
        endpoints: &[Embeddings, Completions, Rerank],
        stream_usage: Always,
        documentation: "https://docs.fireworks.ai",
        source: "docs.fireworks.ai; anomalyco/models.dev: providers/fireworks-ai",
        ..ROW
    },
    Vendor {
        name: "friendli",
        base_url: "https://api.friendli.ai/serverless/v1",
        key_variables: &["FRIENDLI_TOKEN"],
        documentation: "https://friendli.ai/docs/guides/serverless_endpoints/introduction",
        source: "anomalyco/models.dev: providers/friendli; BerriAI/litellm: litellm_core_utils/get_llm_provider_logic.py",
        ..ROW
    },
    Vendor {
        name: "github",
        base_url: "https://models.github.ai/inference",
        key_variables: &["GITHUB_TOKEN"],
        activation: Named,
        endpoints: &[Embeddings],
        documentation: "https://docs.github.com/en/github-models",
        source: "anomalyco/models.dev: providers/github-models",
        ..ROW
    },
    Vendor {
        name: "groq",
        base_url: "https://api.groq.com/openai/v1",
        key_variables: &["GROQ_API_KEY"],
        base_url_variable: variable("GROQ_BASE_URL", "/openai/v1"),
        endpoints: &[Transcriptions, Speech],
        refuses: &["logit_bias", "logprobs", "top_logprobs"],
        key_check: KeyCheck::Checked("models"),
        documentation: "https://console.groq.com/docs/openai",
        source: "console.groq.com/docs; Groq's SDK for Python; recorded traffic",
        ..ROW
    },
    Vendor {
        name: "huggingface",
        base_url: "https://router.huggingface.co/v1",
        key_variables: &["HF_TOKEN"],
        activation: Named,
        stream_usage: OnRequest,
        key_check: KeyCheck::Public("models"),
        documentation: "https://huggingface.co/docs/inference-providers",
        source: "anomalyco/models.dev: providers/huggingface; recorded traffic",
        ..ROW
    },
    Vendor {
        name: "hyperbolic",
        base_url: "https://api.hyperbolic.xyz/v1",
        key_variables: &["HYPERBOLIC_API_KEY"],
        endpoints: &[Completions],
        documentation: "https://docs.hyperbolic.xyz",
        source: "docs.litellm.ai/docs/providers/hyperbolic",
        ..ROW
    },
    Vendor {
        name: "inception",
        base_url: "https://api.inceptionlabs.ai/v1",
        key_variables: &["INCEPTION_API_KEY"],
        documentation: "https://docs.inceptionlabs.ai",
        source: "anomalyco/models.dev: providers/inception",
        ..ROW
    },
    Vendor {
        name: "llamacpp",
        base_url: "http://127.0.0.1:8080/v1",
        activation: Local,
        speaks: CHAT_AND_RESPONSES,
        endpoints: &[Embeddings, Completions, Rerank],
        stream_usage: OnRequest,
        key_check: KeyCheck::Public("models"),
        documentation: "https://github.com/ggml-org/llama.cpp/tree/master/tools/server",
        source: "ggml-org/llama.cpp: tools/server; recorded traffic",
        ..ROW
    },
    Vendor {
        name: "lmstudio",
        base_url: "http://127.0.0.1:1234/v1",
        key_variables: &["LM_API_TOKEN", "LMSTUDIO_API_KEY"],
        activation: Local,
        speaks: CHAT_AND_RESPONSES,
        endpoints: &[Embeddings, Completions],
        documentation: "https://lmstudio.ai/docs/developer/openai-compat",
        source: "lmstudio.ai/docs; anomalyco/models.dev: providers/lmstudio",
        ..ROW
    },
    Vendor {
        name: "minimax",
        base_url: "https://api.minimax.io/v1",
        key_variables: &["MINIMAX_API_KEY"],
        key_check: KeyCheck::Checked("models"),
        documentation: "https://platform.minimax.io/docs/api-reference/text-openai-api",
        source: "platform.minimax.io/docs by developersdigest.tech/reference/api-compatibility/minimax",
        ..ROW
    },
    Vendor {
        name: "mistral",
        base_url: "https://api.mistral.ai/v1",
        key_variables: &["MISTRAL_API_KEY"],
        endpoints: &[Embeddings, Moderations, Transcriptions, Speech],
        stream_usage: Always,
        refuses: &["max_completion_tokens", "seed", "store", "stream_options", "user"],
        key_check: KeyCheck::Checked("models"),
        documentation: "https://docs.mistral.ai/api",
        source: "docs.mistral.ai; vercel/ai: packages/mistral; avante-corp/avante.nvim#2347; editor-code-assistant/eca#231; Gitlawb/openclaude#739",
        ..ROW
    },
    Vendor {
        name: "moonshot",
        base_url: "https://api.moonshot.ai/v1",
        key_variables: &["MOONSHOT_API_KEY"],
        documentation: "https://platform.moonshot.ai/docs/api/chat",
        source: "anomalyco/models.dev: providers/moonshotai",
        ..ROW
    },
    Vendor {
        name: "nebius",
        base_url: "https://api.tokenfactory.nebius.com/v1",
        key_variables: &["NEBIUS_API_KEY"],
        endpoints: &[Embeddings],
        documentation: "https://docs.tokenfactory.nebius.com",
        source: "anomalyco/models.dev: providers/nebius",
        ..ROW
    },
    Vendor {
        name: "novita",
        base_url: "https://api.novita.ai/openai/v1",
        key_variables: &["NOVITA_API_KEY"],
        documentation: "https://novita.ai/docs/guides/introduction",
        source: "anomalyco/models.dev: providers/novita-ai",
        ..ROW
    },
    Vendor {
        name: "nscale",
        base_url: "https://inference.api.nscale.com/v1",
        key_variables: &["NSCALE_API_KEY"],
        documentation: "https://docs.nscale.com",
        source: "api-evangelist/nscale: apis.yml, which has no variable for the key",
        is_verified: false,
        ..ROW
    },
    Vendor {
        name: "nvidia",
        base_url: "https://integrate.api.nvidia.com/v1",
        key_variables: &["NVIDIA_API_KEY", "NVIDIA_NIM_API_KEY"],
        endpoints: &[Embeddings],
        documentation: "https://docs.api.nvidia.com/nim",
        source: "anomalyco/models.dev: providers/nvidia; docs.nvidia.com",
        ..ROW
    },
    Vendor {
        name: "ollama",
        base_url: "http://127.0.0.1:11434/v1",
        base_url_variable: variable("OLLAMA_HOST", "/v1"),
        activation: Local,
        speaks: CHAT_AND_RESPONSES,
        endpoints: &[Embeddings, Completions],
        stream_usage: OnRequest,
        key_check: KeyCheck::Public("models"),
        documentation: "https://docs.ollama.com/openai",
        source: "docs.ollama.com; ollama/ollama: docs/openai.md; recorded traffic",
        ..ROW
    },
    Vendor {
        name: "ollama-cloud",
        base_url: "https://ollama.com/v1",
        key_variables: &["OLLAMA_API_KEY"],
        documentation: "https://docs.ollama.com/cloud",
        source: "anomalyco/models.dev: providers/ollama-cloud",
        ..ROW
    },
    Vendor {
        name: "openrouter",
        base_url: "https://openrouter.ai/api/v1",
        key_variables: &["OPENROUTER_API_KEY"],
        speaks: CHAT_AND_RESPONSES,
        endpoints: &[Embeddings, Completions],
        stream_usage: Always,
        key_check: KeyCheck::Checked("key"),
        documentation: "https://openrouter.ai/docs",
        source: "openrouter.ai/docs; anomalyco/models.dev: providers/openrouter; recorded traffic",
        ..ROW
    },
    Vendor {
        name: "perplexity",
        base_url: "https://api.perplexity.ai",
        key_variables: &["PERPLEXITY_API_KEY", "PPLX_API_KEY"],
        stream_usage: Always,
        documentation: "https://docs.perplexity.ai",
        source: "docs.spring.io and docs.pipecat.ai on Perplexity; recorded traffic",
        ..ROW
    },
    Vendor {
        name: "poe",
        base_url: "https://api.poe.com/v1",
        key_variables: &["POE_API_KEY"],
        documentation: "https://creator.poe.com/docs/external-applications/openai-compatible-api",
        source: "anomalyco/models.dev: providers/poe; BerriAI/litellm: llms/openai_like/providers.json",
        ..ROW
    },
    Vendor {
        name: "sambanova",
        base_url: "https://api.sambanova.ai/v1",
        key_variables: &["SAMBANOVA_API_KEY"],
        endpoints: &[Embeddings, Transcriptions],
        documentation: "https://docs.sambanova.ai",
        source: "docs.sambanova.ai; anomalyco/models.dev: providers/sambanova",
        ..ROW
    },
    Vendor {
        name: "scaleway",
        base_url: "https://api.scaleway.ai/v1",
        key_variables: &["SCALEWAY_API_KEY"],
        endpoints: &[Embeddings],
        documentation: "https://www.scaleway.com/en/docs/generative-apis",
        source: "anomalyco/models.dev: providers/scaleway; BerriAI/litellm: llms/openai_like/providers.json",
        ..ROW
    },
    Vendor {
        name: "sglang",
        base_url: "http://127.0.0.1:30000/v1",
        key_variables: &["SGLANG_API_KEY"],
        activation: Local,
        endpoints: &[Embeddings, Completions],
        stream_usage: OnRequest,
        documentation: "https://docs.sglang.io",
        source: "docs.sglang.io; docs.openclaw.ai/providers/sglang",
        ..ROW
    },
    Vendor {
        name: "siliconflow",
        base_url: "https://api.siliconflow.com/v1",
        key_variables: &["SILICONFLOW_API_KEY"],
        endpoints: &[Embeddings, Images, Transcriptions, Speech, Rerank],
        documentation: "https://docs.siliconflow.com",
        source: "anomalyco/models.dev: providers/siliconflow; api-evangelist/siliconflow: apis.yml",
        ..ROW
    },
    Vendor {
        name: "stepfun",
        base_url: "https://api.stepfun.com/v1",
        key_variables: &["STEPFUN_API_KEY"],
        documentation: "https://platform.stepfun.com/docs/zh/overview/concept",
        source: "anomalyco/models.dev: providers/stepfun",
        ..ROW
    },
    Vendor {
        name: "together",
        base_url: "https://api.together.ai/v1",
        key_variables: &["TOGETHER_API_KEY", "TOGETHER_AI_API_KEY"],
        base_url_variable: variable("TOGETHER_BASE_URL", ""),
        endpoints: &[Embeddings, Completions, Images, Transcriptions, Speech, Rerank],
        documentation: "https://docs.together.ai/docs/inference/openai-compatibility",
        source: "docs.together.ai; Together's SDK for Python",
        ..ROW
    },
    Vendor {
        name: "upstage",
        base_url: "https://api.upstage.ai/v1/solar",
        key_variables: &["UPSTAGE_API_KEY"],
        endpoints: &[Embeddings],
        documentation: "https://developers.upstage.ai/docs/apis/chat",
        source: "anomalyco/models.dev: providers/upstage",
        ..ROW
    },
    Vendor {
        name: "venice",
        base_url: "https://api.venice.ai/api/v1",
        key_variables: &["VENICE_API_KEY", "VENICE_AI_API_KEY"],
        stream_usage: OnRequest,
        documentation: "https://docs.venice.ai",
        source: "anomalyco/models.dev: providers/venice; recorded traffic",
        ..ROW
    },
    Vendor {
        name: "vercel",
        base_url: "https://ai-gateway.vercel.sh/v1",
        key_variables: &["AI_GATEWAY_API_KEY", "VERCEL_AI_GATEWAY_API_KEY"],
        endpoints: &[Embeddings],
        stream_usage: OnRequest,
        documentation: "https://vercel.com/docs/ai-gateway/sdks-and-apis/openai-chat-completions",
        source: "vercel.com/docs; docs.litellm.ai/docs/providers/vercel_ai_gateway; recorded traffic",
        ..ROW
    },
    Vendor {
        name: "vllm",
        base_url: "http://127.0.0.1:8000/v1",
        key_variables: &["VLLM_API_KEY"],
        activation: Local,
        endpoints: &[Embeddings, Completions, Transcriptions, Rerank],
        stream_usage: OnRequest,
        key_check: KeyCheck::Checked("models"),
        documentation: "https://docs.vllm.ai/en/stable/serving/openai_compatible_server.html",
        source: "docs.vllm.ai; recorded traffic",
        ..ROW
    },
    Vendor {
        name: "volcengine",
        base_url: "https://ark.cn-beijing.volces.com/api/v3",
        key_variables: &["ARK_API_KEY"],
        speaks: CHAT_AND_RESPONSES,
        endpoints: &[Embeddings],
        documentation: "https://www.volcengine.com/docs/82379/1330310",
        source: "anomalyco/models.dev: providers/volcengine; pypi.org/project/arkruntime",
        ..ROW
    },
    Vendor {
        name: "wandb",
        base_url: "https://api.inference.wandb.ai/v1",
        key_variables: &["WANDB_API_KEY"],
        activation: Named,
        documentation: "https://docs.wandb.ai/guides/integrations/inference",
        source: "anomalyco/models.dev: providers/wandb",
        ..ROW
    },
    Vendor {
        name: "xai",
        base_url: "https://api.x.ai/v1",
        key_variables: &["XAI_API_KEY"],
        speaks: CHAT_AND_RESPONSES,
        endpoints: &[Images],
        stream_usage: OnRequest,
        key_check: KeyCheck::Checked("models"),
        documentation: "https://docs.x.ai",
        source: "docs.x.ai; vercel/ai: packages/xai; recorded traffic",
        ..ROW
    },
    Vendor {
        name: "xiaomi",
        base_url: "https://api.xiaomimimo.com/v1",
        key_variables: &["XIAOMI_API_KEY", "XIAOMI_MIMO_API_KEY"],
        documentation: "https://platform.xiaomimimo.com",
        source: "anomalyco/models.dev: providers/xiaomi; BerriAI/litellm: llms/openai_like/providers.json",
        ..ROW
    },
    Vendor {
        name: "zai",
        base_url: "https://api.z.ai/api/paas/v4",
        key_variables: &["ZAI_API_KEY", "ZHIPU_API_KEY", "ZHIPUAI_API_KEY"],
        stream_usage: OnRequest,
        documentation: "https://docs.z.ai",
        source: "anomalyco/models.dev: providers/zai; recorded traffic",
        ..ROW
    },
];
