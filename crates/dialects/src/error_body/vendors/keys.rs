//! The key is not accepted, where the status does not say so: 400, a 403, a 200.
//!
//! A 403 has many meanings. It is about the key only by one of these rows.

use crate::error_body::rule::ErrorRule;

pub(super) const INVALID_KEY: &[ErrorRule] = &[
    ErrorRule {
        vendor: "Google",
        statuses: &[],
        names: &["API_KEY_INVALID"],
        words: "",
        sample: (
            400,
            r#"{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key.", "status": "INVALID_ARGUMENT", "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"}]}}"#,
        ),
        source: "recorded: Gemini API",
    },
    ErrorRule {
        vendor: "Google",
        statuses: &[400],
        names: &[],
        words: "api key not valid",
        sample: (
            400,
            r#"[{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key.", "status": "INVALID_ARGUMENT"}}]"#,
        ),
        source: "ai.google.dev/gemini-api/docs/openai",
    },
    ErrorRule {
        vendor: "Google",
        statuses: &[400],
        names: &[],
        words: "api key expired",
        sample: (
            400,
            r#"{"error": {"code": 400, "message": "API key expired. Please renew the API key.", "status": "INVALID_ARGUMENT"}}"#,
        ),
        source: "ai.google.dev/gemini-api/docs/troubleshooting",
    },
    ErrorRule {
        vendor: "Google",
        statuses: &[],
        names: &["API_KEY_SERVICE_BLOCKED", "API_KEY_HTTP_REFERRER_BLOCKED", "API_KEY_IP_ADDRESS_BLOCKED"],
        words: "",
        sample: (
            403,
            r#"{"error": {"code": 403, "message": "Requests to this API generativelanguage.googleapis.com method google.ai.generativelanguage.v1beta.GenerativeService.StreamGenerateContent are blocked.", "status": "PERMISSION_DENIED", "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_SERVICE_BLOCKED", "domain": "googleapis.com"}]}}"#,
        ),
        source: "github.com/continuedev/continue/issues/12781",
    },
    ErrorRule {
        vendor: "Google",
        statuses: &[],
        names: &[
            "SERVICE_DISABLED",
            "CONSUMER_INVALID",
            "CONSUMER_SUSPENDED",
            "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
            "IAM_PERMISSION_DENIED",
        ],
        words: "",
        sample: (
            403,
            r#"{"error": {"code": 403, "message": "Generative Language API has not been used in project 1 before or it is disabled.", "status": "PERMISSION_DENIED", "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "SERVICE_DISABLED", "domain": "googleapis.com"}]}}"#,
        ),
        source: "cloud.google.com/apis/design/errors",
    },
    ErrorRule {
        vendor: "Google",
        statuses: &[403],
        names: &[],
        words: "your api key was reported as leaked",
        sample: (
            403,
            r#"{"error": {"code": 403, "message": "Your API key was reported as leaked. Please use another API key.", "status": "PERMISSION_DENIED"}}"#,
        ),
        source: "github.com/googleapis/python-genai/issues/1764",
    },
    ErrorRule {
        vendor: "Google",
        statuses: &[403],
        names: &[],
        words: "…unregistered callers",
        sample: (
            403,
            r#"{"error": {"code": 403, "message": "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API.", "status": "PERMISSION_DENIED"}}"#,
        ),
        source: "github.com/google-gemini/deprecated-generative-ai-python/issues/463",
    },
    ErrorRule {
        vendor: "Google",
        statuses: &[403],
        names: &[],
        words: "your project has been denied access",
        sample: (
            403,
            r#"{"error": {"code": 403, "message": "Your project has been denied access. Please contact support.", "status": "PERMISSION_DENIED"}}"#,
        ),
        source: "github.com/poenl/gemini-api/issues/8",
    },
    ErrorRule {
        vendor: "Google",
        statuses: &[403],
        names: &[],
        words: "permission '…' denied on resource",
        sample: (
            403,
            r#"{"error": {"code": 403, "message": "Permission 'aiplatform.endpoints.predict' denied on resource '//aiplatform.googleapis.com/projects/p' (or it may not exist).", "status": "PERMISSION_DENIED"}}"#,
        ),
        source: "cloud.google.com/vertex-ai/generative-ai/docs/model-reference/api-errors",
    },
    ErrorRule {
        vendor: "xAI",
        statuses: &[400],
        names: &[],
        words: "incorrect api key provided",
        sample: (
            400,
            r#"{"code": "invalid-argument", "error": "Incorrect API key provided. You can obtain an API key from https://console.x.ai."}"#,
        ),
        source: "recorded: xAI",
    },
    ErrorRule {
        vendor: "Anthropic",
        statuses: &[403],
        names: &["permission_error"],
        words: "",
        sample: (
            403,
            r#"{"type": "error", "error": {"type": "permission_error", "message": "Your API key does not have permission to use the specified resource."}}"#,
        ),
        source: "platform.claude.com/docs/en/api/errors",
    },
    ErrorRule {
        vendor: "Anthropic",
        statuses: &[400],
        names: &[],
        words: "this organization has been disabled",
        sample: (
            400,
            r#"{"type": "error", "error": {"type": "invalid_request_error", "message": "This organization has been disabled."}}"#,
        ),
        source: "github.com/anthropics/claude-code/issues/19028",
    },
    ErrorRule {
        vendor: "Groq",
        statuses: &[400],
        names: &["organization_restricted"],
        words: "",
        sample: (
            400,
            r#"{"error": {"message": "Organization has been restricted. Please reach out to support if you believe this was in error.", "type": "invalid_request_error", "param": null, "code": "organization_restricted"}}"#,
        ),
        source: "github.com/songquanpeng/one-api/issues/1764",
    },
    ErrorRule {
        vendor: "Kimi",
        statuses: &[403],
        names: &["access_terminated_error"],
        words: "",
        sample: (
            403,
            r#"{"error": {"message": "Access terminated. Review our Community Guidelines or contact support for assistance.", "type": "access_terminated_error"}}"#,
        ),
        source: "github.com/clacky-ai/openclacky/issues/192",
    },
    ErrorRule {
        vendor: "NVIDIA",
        statuses: &[403],
        names: &[],
        words: "authorization failed",
        sample: (403, r#"{"status": 403, "title": "Forbidden", "detail": "Authorization failed"}"#),
        source: "github.com/dmMaze/BallonsTranslator/issues/1233",
    },
    ErrorRule {
        vendor: "Bedrock",
        statuses: &[400, 403],
        names: &[],
        words: "the security token included in the request",
        sample: (403, r#"{"message": "The security token included in the request is invalid."}"#),
        source: "recorded: Bedrock",
    },
    ErrorRule {
        vendor: "Bedrock",
        statuses: &[403],
        names: &[],
        words: "the request signature we calculated does not match",
        sample: (
            403,
            r#"{"message": "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method."}"#,
        ),
        source: "docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting",
    },
    ErrorRule {
        vendor: "MiniMax",
        statuses: &[],
        names: &["1004"],
        words: "login fail",
        sample: (
            200,
            r#"{"base_resp": {"status_code": 1004, "status_msg": "login fail: Please carry the API secret key in the 'Authorization' field of the request header"}}"#,
        ),
        source: "platform.minimaxi.com/document/error-code",
    },
    ErrorRule {
        vendor: "any vendor",
        statuses: &[403],
        names: &[
            "authentication_error",
            "invalid_api_key",
            "invalid_authentication_error",
            "AuthenticationError",
        ],
        words: "",
        sample: (
            403,
            r#"{"error": {"message": "Forbidden", "type": "authentication_error", "param": null, "code": "invalid_api_key"}}"#,
        ),
        source: "docs.jiekou.ai/en/docs/models/reference-error-code",
    },
    ErrorRule {
        vendor: "any vendor",
        statuses: &[403],
        names: &[],
        words: "…api key",
        sample: (403, r#"{"detail": "This API key is not allowed to use the endpoint"}"#),
        source: "unverified: a 403 that speaks of the key",
    },
    ErrorRule {
        vendor: "any vendor",
        statuses: &[403],
        names: &[],
        words: "…credentials",
        sample: (403, r#"{"message": "The credentials are not valid for this project"}"#),
        source: "unverified: a 403 that speaks of the credentials",
    },
    ErrorRule {
        vendor: "any vendor",
        statuses: &[403],
        names: &[],
        words: "…access token",
        sample: (403, r#"{"message": "Invalid access token"}"#),
        source: "unverified: a 403 that speaks of the token",
    },
];
