//! Rejected by a content policy.

use crate::error_body::rule::ErrorRule;

pub(super) const CONTENT_POLICY: &[ErrorRule] = &[
    ErrorRule {
        vendor: "OpenAI",
        statuses: &[],
        names: &["content_policy_violation"],
        words: "",
        sample: (
            400,
            r#"{"error": {"message": "Your request was rejected as a result of our safety system.", "type": "invalid_request_error", "param": null, "code": "content_policy_violation"}}"#,
        ),
        source: "github.com/BerriAI/litellm: litellm_core_utils/exception_mapping_utils.py",
    },
    ErrorRule {
        vendor: "OpenAI",
        statuses: &[],
        names: &["invalid_prompt"],
        words: "…usage policy",
        sample: (
            400,
            r#"{"error": {"message": "Invalid prompt: your prompt was flagged as potentially violating our usage policy. Please try again with a different prompt.", "type": "invalid_request_error", "param": null, "code": "invalid_prompt"}}"#,
        ),
        source: "github.com/BerriAI/litellm: litellm_core_utils/exception_mapping_utils.py",
    },
    ErrorRule {
        vendor: "Azure",
        statuses: &[],
        names: &["content_filter"],
        words: "",
        sample: (
            400,
            r#"{"error": {"message": "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please modify your prompt and retry.", "type": null, "param": "prompt", "code": "content_filter", "status": 400, "innererror": {"code": "ResponsibleAIPolicyViolation"}}}"#,
        ),
        source: "github.com/compl-ai/compl-ai/issues/20",
    },
    ErrorRule {
        vendor: "Azure",
        statuses: &[],
        names: &["ResponsibleAIPolicyViolation"],
        words: "",
        sample: (
            400,
            r#"{"error": {"message": "Your task failed as a result of our safety system.", "type": null, "param": "prompt", "code": "400", "innererror": {"code": "ResponsibleAIPolicyViolation"}}}"#,
        ),
        source: "github.com/BerriAI/litellm: litellm_core_utils/exception_mapping_utils.py",
    },
    ErrorRule {
        vendor: "Anthropic",
        statuses: &[400],
        names: &[],
        words: "…blocked by content filtering policy",
        sample: (
            400,
            r#"{"type": "error", "error": {"type": "invalid_request_error", "message": "Output blocked by content filtering policy"}}"#,
        ),
        source: "github.com/anthropics/claude-code/issues/58367",
    },
    ErrorRule {
        vendor: "Google",
        statuses: &[400],
        names: &[],
        words: "…that violate google's responsible ai practices",
        sample: (
            400,
            r#"{"error": {"code": 400, "message": "The prompt could not be submitted. This prompt contains sensitive words that violate Google's Responsible AI practices. Try rephrasing the prompt.", "status": "INVALID_ARGUMENT"}}"#,
        ),
        source: "cloud.google.com/vertex-ai/generative-ai/docs/image/responsible-ai-imagen",
    },
    ErrorRule {
        vendor: "Qwen",
        statuses: &[],
        names: &["data_inspection_failed", "DataInspectionFailed"],
        words: "",
        sample: (
            400,
            r#"{"error": {"message": "Input data may contain inappropriate content.", "type": "data_inspection_failed", "code": "data_inspection_failed"}}"#,
        ),
        source: "help.aliyun.com/zh/model-studio/error-code",
    },
    ErrorRule {
        vendor: "Qwen",
        statuses: &[],
        names: &["data_inspection_failed", "DataInspectionFailed"],
        words: "",
        sample: (
            200,
            r#"{"error": {"message": "Output data may contain inappropriate content. For details, see: https://help.aliyun.com/zh/model-studio/error-code#inappropriate-content", "type": "data_inspection_failed", "code": "data_inspection_failed"}}"#,
        ),
        source: "github.com/666ghj/BettaFish/issues/572",
    },
    ErrorRule {
        vendor: "Qwen",
        statuses: &[400],
        names: &[],
        words: "…datainspectionfailed",
        sample: (
            400,
            r#"{"error": {"message": "<400> InternalError.Algo.DataInspectionFailed: Input text data may contain inappropriate content.", "type": "invalid_request_error", "param": null, "code": null}}"#,
        ),
        source: "github.com/QwenLM/qwen-code/issues/3145",
    },
    ErrorRule {
        vendor: "Qwen",
        statuses: &[],
        names: &[],
        words: "…data may contain inappropriate content",
        sample: (
            200,
            r#"{"error": {"message": "<400> InternalError.Algo: Output data may contain inappropriate content.", "type": "invalid_request_error"}}"#,
        ),
        source: "github.com/666ghj/BettaFish/issues/570",
    },
    ErrorRule {
        vendor: "DeepSeek",
        statuses: &[400],
        names: &[],
        words: "content exists risk",
        sample: (
            400,
            r#"{"error": {"message": "Content Exists Risk", "type": "invalid_request_error", "param": null, "code": "invalid_request_error"}}"#,
        ),
        source: "github.com/666ghj/BettaFish/issues/691",
    },
    ErrorRule {
        vendor: "Kimi",
        statuses: &[],
        names: &["content_filter"],
        words: "",
        sample: (
            400,
            r#"{"error": {"code": 400, "message": "The request was rejected because it was considered high risk", "param": "prompt", "type": "content_filter"}}"#,
        ),
        source: "github.com/MoonshotAI/kimi-cli/issues/1002",
    },
    ErrorRule {
        vendor: "GLM",
        statuses: &[400],
        names: &["1301"],
        words: "…敏感内容",
        sample: (
            400,
            r#"{"error": {"code": "1301", "message": "系统检测到输入或生成内容可能包含不安全或敏感内容，请您避免输入易产生敏感内容的提示语，感谢您的配合。"}}"#,
        ),
        source: "github.com/langchain4j/langchain4j/issues/1079",
    },
    ErrorRule {
        vendor: "GLM",
        statuses: &[400],
        names: &["1301"],
        words: "…sensitive content",
        sample: (
            400,
            r#"{"error": {"code": "1301", "message": "System detected potentially unsafe or sensitive content in input or generation. Please avoid using prompts that may generate sensitive content."}}"#,
        ),
        source: "docs.z.ai/api-reference/api-code",
    },
    ErrorRule {
        vendor: "xAI",
        statuses: &[400, 403],
        names: &[],
        words: "content violates usage guidelines",
        sample: (
            403,
            r#"{"code": "The caller does not have permission to execute the specified operation", "error": "Content violates usage guidelines. Team: x, API key ID: x, Model: grok-4-0709, Failed check: SAFETY_CHECK_TYPE_BIO"}"#,
        ),
        source: "github.com/UKGovernmentBEIS/inspect_ai/pull/2267",
    },
    ErrorRule {
        vendor: "OpenRouter",
        statuses: &[403],
        names: &[],
        words: "…requires moderation",
        sample: (
            403,
            r#"{"error": {"message": "openai/gpt-4o requires moderation on OpenAI. Your input was flagged for \"harassment\". No credits were charged.", "code": 403, "metadata": {"reasons": ["harassment"], "flagged_input": "…", "provider_name": "OpenAI"}}}"#,
        ),
        source: "openrouter.ai/docs/api-reference/errors",
    },
    ErrorRule {
        vendor: "Doubao",
        statuses: &[],
        names: &[
            "SensitiveContentDetected",
            "InputTextSensitiveContentDetected",
            "OutputTextSensitiveContentDetected",
        ],
        words: "",
        sample: (
            400,
            r#"{"error": {"code": "SensitiveContentDetected", "message": "The request failed because the input text may contain sensitive information.", "param": "", "type": "BadRequest"}}"#,
        ),
        source: "www.volcengine.com/docs/82379/1299023",
    },
    ErrorRule {
        vendor: "MiniMax",
        statuses: &[400, 422, 500],
        names: &[],
        words: "…put new_sensitive",
        sample: (
            422,
            r#"{"type": "error", "error": {"type": "unprocessable_entity_error", "message": "input new_sensitive (1026)"}}"#,
        ),
        source: "platform.minimax.io/docs/api-reference/errorcode",
    },
    ErrorRule {
        vendor: "UCloud",
        statuses: &[400],
        names: &["invalid_messages"],
        words: "sensitive chat messages",
        sample: (
            400,
            r#"{"error": {"message": "Sensitive chat messages", "type": "invalid_request_error", "code": "invalid_messages", "param": ""}}"#,
        ),
        source: "github.com/UCloudDoc-Team/modelverse: api_doc/common/error-code.md",
    },
];
