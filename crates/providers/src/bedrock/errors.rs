//! AWS' names of errors.

/// What an exception within a stream means, in Anthropic's words. Statuses are those of the operation's errors:
/// <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModelWithResponseStream.html>
struct Exception {
    /// In small letters.
    name: &'static str,
    anthropic_type: &'static str,
}

const EXCEPTIONS: [Exception; 10] = [
    Exception { name: "accessdeniedexception", anthropic_type: "permission_error" },
    Exception { name: "internalserverexception", anthropic_type: "api_error" },
    Exception { name: "modelerrorexception", anthropic_type: "api_error" },
    // 429, but not for the caller's rate: AWS' own SDKs try again.
    Exception { name: "modelnotreadyexception", anthropic_type: "overloaded_error" },
    Exception { name: "modelstreamerrorexception", anthropic_type: "api_error" },
    Exception { name: "modeltimeoutexception", anthropic_type: "timeout_error" },
    Exception { name: "resourcenotfoundexception", anthropic_type: "not_found_error" },
    Exception { name: "serviceunavailableexception", anthropic_type: "overloaded_error" },
    Exception { name: "throttlingexception", anthropic_type: "rate_limit_error" },
    Exception { name: "validationexception", anthropic_type: "invalid_request_error" },
];

/// Anthropic's type of an exception. AWS writes names with a small or a large first letter.
pub(super) fn anthropic_type(name: &str) -> &'static str {
    let found = EXCEPTIONS.iter().find(|exception| exception.name.eq_ignore_ascii_case(name));
    found.map_or("api_error", |exception| exception.anthropic_type)
}

/// Whether it is the name of an exception.
pub(super) fn is_exception(name: &str) -> bool {
    is_name(name) && name.ends_with("Exception")
}

/// A type is a short name; anything else in its place is dropped.
pub(super) fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
