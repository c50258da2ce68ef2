//! AWS's errors: a message alone (`{"message":…}` or `{"Message":…}`), whose type stands in a header or in `__type`; in a
//! stream an exception, with the type as its one key.
//!
//! Source: botocore 1.44.8, `bedrock-runtime` 2023-09-30.

use serde_json::Value;

/// The types of Amazon Bedrock's errors, and the statuses that belong to them. Exceptions of a stream have no other.
const STATUSES: [(&str, u16); 12] = [
    ("AccessDeniedException", 403),
    ("ConflictException", 400),
    ("InternalServerException", 500),
    ("ModelErrorException", 424),
    ("ModelNotReadyException", 429),
    ("ModelStreamErrorException", 424),
    ("ModelTimeoutException", 408),
    ("ResourceNotFoundException", 404),
    ("ServiceQuotaExceededException", 400),
    ("ServiceUnavailableException", 503),
    ("ThrottlingException", 429),
    ("ValidationException", 400),
];

/// The status of a type, in any case: streams write `throttlingException`.
pub(super) fn status_of(error_type: &str) -> Option<u16> {
    STATUSES.iter().find(|(name, _)| name.eq_ignore_ascii_case(error_type)).map(|(_, status)| *status)
}

/// Whether the name of an event is that of an exception.
pub(crate) fn is_exception_name(name: &str) -> bool {
    name.len() > "Exception".len()
        && name.ends_with("Exception")
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// The type and the error in the data of an exception's event.
pub(super) fn exception(body: &Value) -> Option<(&str, &Value)> {
    let mut fields = body.as_object()?.iter();
    let (name, error) = fields.next().filter(|(name, error)| is_exception_name(name) && error.is_object())?;
    fields.next().is_none().then_some((name, error))
}

/// The type in a body: `com.amazon.coral.service#UnknownOperationException`, behind which may stand a colon and an address.
pub(super) fn type_in_body(body: &Value) -> Option<&str> {
    let name = body["__type"].as_str()?;
    let name = name.rsplit_once('#').map_or(name, |(_, name)| name);
    Some(name.split(':').next().unwrap_or(name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{exception, status_of, type_in_body};

    #[test]
    fn types() {
        let unknown = json!({"__type": "com.amazon.coral.service#UnknownOperationException"});
        assert_eq!(type_in_body(&unknown), Some("UnknownOperationException"));
        assert_eq!(
            type_in_body(&json!({"__type": "ThrottlingException:http://x/"})),
            Some("ThrottlingException")
        );
        assert_eq!((status_of("throttlingException"), status_of("x")), (Some(429), None));
    }

    #[test]
    fn exceptions() {
        let error = json!({"message": "x"});
        assert_eq!(
            exception(&json!({ "modelStreamErrorException": error })),
            Some(("modelStreamErrorException", &error))
        );
        for other in
            [json!({"error": error}), json!({"Exception": error}), json!({"aException": 1}), json!([])]
        {
            assert_eq!(exception(&other), None, "{other}");
        }
    }
}
