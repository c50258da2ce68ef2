//! Whose fault an error is (C1, C2, B9).

use std::time::Duration;

use dialects::error::{ErrorBody, Meaning};
use http::{HeaderMap, StatusCode};

use crate::retry_after;
use crate::{Blame, Fault, FaultKind, WholeAnswer};

/// An answer with a status that is no success, of a provider that was asked for `model`.
pub(crate) fn status(answer: WholeAnswer, model: &str) -> Fault {
    let status = answer.status.as_u16();
    let error = ErrorBody::read(status, model, &answer.body);
    let blame = blame_of_status(status, error.meaning, || retry_after::wait(&answer.headers));
    let retry_after = retry_after::asked(&answer.headers);
    Fault { retry_after, ..fault(FaultKind::Status, blame, error, Some(answer)) }
}

/// A status that is no success, and a body that did not come.
pub(crate) fn status_alone(status: u16, headers: &HeaderMap) -> Fault {
    let error = ErrorBody::named(status, None, None);
    let blame = blame_of_status(status, error.meaning, || retry_after::wait(headers));
    Fault { retry_after: retry_after::asked(headers), ..fault(FaultKind::Status, blame, error, None) }
}

/// An error inside a 200. `answer` is what the caller may be given of it, under the status that the error stands for.
pub(crate) fn reported(error: ErrorBody, mut answer: WholeAnswer) -> Fault {
    let meant = error.status.and_then(|status| StatusCode::from_u16(status).ok());
    answer.status = meant.unwrap_or(StatusCode::BAD_GATEWAY);
    let blame = match (error.meaning, error.status) {
        (Meaning::ContextTooLong, _) => Blame::ContextTooLong,
        (Meaning::Spent, _) => Blame::Spent,
        (Meaning::ContentPolicy, _) | (_, Some(400 | 413 | 422)) => Blame::Caller,
        // Key and model were accepted with the 200: whatever else it names, it happened at the provider.
        (Meaning::UnknownModel | Meaning::Other, _) => Blame::Provider,
    };
    fault(FaultKind::Reported, blame, error, Some(answer))
}

/// A status that is no success, in the words of somebody else who has called the provider.
pub(crate) fn told(
    status: u16,
    error_type: Option<&str>,
    error_code: Option<&str>,
    retry_after: Option<Duration>,
) -> Fault {
    let error = ErrorBody::named(status, error_type, error_code);
    let blame = blame_of_status(status, error.meaning, || retry_after);
    Fault { retry_after, ..fault(FaultKind::Status, blame, error, None) }
}

fn fault(kind: FaultKind, blame: Blame, error: ErrorBody, answer: Option<WholeAnswer>) -> Fault {
    Fault {
        kind,
        blame,
        status: error.status,
        error_type: error.error_type,
        error_code: error.error_code,
        retry_after: None,
        answer: answer.map(Box::new),
    }
}

/// `wait`: how long a 429 says to wait.
fn blame_of_status(status: u16, meaning: Meaning, wait: impl FnOnce() -> Option<Duration>) -> Blame {
    if !(400..500).contains(&status) {
        return Blame::Provider;
    }
    match (meaning, status) {
        (Meaning::ContextTooLong, _) => Blame::ContextTooLong,
        (Meaning::UnknownModel, _) => Blame::UnknownModel,
        (Meaning::Spent, _) => Blame::Spent,
        (Meaning::Other, 401 | 403) => Blame::Auth,
        (Meaning::Other, 408 | 409 | 424 | 425) => Blame::Provider,
        (Meaning::Other, 429) => wait().map_or(Blame::Provider, |wait| Blame::Rest { wait }),
        (Meaning::ContentPolicy | Meaning::Other, _) => Blame::Caller,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use dialects::{Origin, Usage};
    use http::{HeaderMap, HeaderValue, StatusCode};
    use serde_json::json;

    use super::{Duration, reported, status, told};
    use crate::{Blame, Fault, WholeAnswer};
    use dialects::error::ErrorBody;

    fn blame_of(code: u16, error_code: &str, retry_after: Option<&'static str>) -> Blame {
        fault_of(code, error_code, retry_after).blame
    }

    fn fault_of(code: u16, error_code: &str, retry_after: Option<&'static str>) -> Fault {
        let mut headers = HeaderMap::new();
        headers.extend(retry_after.map(|wait| (http::header::RETRY_AFTER, HeaderValue::from_static(wait))));
        let body = json!({"error": {"message": "m", "type": "t", "code": error_code}}).to_string().into();
        let status_code = StatusCode::from_u16(code).unwrap();
        status(
            WholeAnswer {
                status: status_code,
                headers,
                body,
                usage: Usage::default(),
                origin: Origin::default(),
            },
            "m",
        )
    }

    #[test]
    fn a_wait_is_heard_whatever_the_status() {
        let second = Some(Duration::from_secs(1));
        for status in [408, 429, 503, 529] {
            assert_eq!(fault_of(status, "x", Some("1")).retry_after, second, "{status}");
            assert_eq!(fault_of(status, "x", Some("0")).retry_after, None, "{status}");
        }
    }

    #[test]
    fn statuses() {
        let second = Blame::Rest { wait: Duration::from_secs(1) };
        for (blame, statuses) in [
            (Blame::Provider, &[302, 408, 409, 424, 425, 429, 500, 502, 503, 504, 529, 599][..]),
            (Blame::Auth, &[401, 403]),
            (Blame::Spent, &[402]),
            (Blame::Caller, &[400, 404, 405, 413, 415, 422]),
        ] {
            for status in statuses {
                assert_eq!(blame_of(*status, "x", None), blame, "{status}");
            }
        }
        assert_eq!(blame_of(429, "rate_limit_exceeded", Some("1")), second);
        assert_eq!(blame_of(503, "x", Some("1")), Blame::Provider, "only a 429 is a rest");
    }

    #[test]
    fn what_somebody_else_tells_is_judged_alike() {
        let wait = Some(Duration::from_secs(1));
        for status in [302, 400, 401, 402, 404, 408, 413, 422, 429, 500, 503, 529] {
            for code in ["x", "insufficient_quota", "model_not_found", "context_length_exceeded"] {
                assert_eq!(
                    told(status, Some("t"), Some(code), wait).blame,
                    blame_of(status, code, Some("1")),
                    "{status} {code}"
                );
            }
        }
    }

    #[test]
    fn codes_that_say_more_than_the_status() {
        for (status, code, blame) in [
            (400, "context_length_exceeded", Blame::ContextTooLong),
            (404, "model_not_found", Blame::UnknownModel),
            (403, "model_not_found", Blame::UnknownModel),
            (429, "insufficient_quota", Blame::Spent),
            (400, "content_filter", Blame::Caller),
            (403, "content_filter", Blame::Caller),
            (500, "insufficient_quota", Blame::Provider),
        ] {
            assert_eq!(blame_of(status, code, Some("1")), blame, "{status} {code}");
        }
    }

    #[test]
    fn errors_inside_a_200() {
        for (body, blame) in [
            (json!({"error": {"code": 502}}), Blame::Provider),
            (json!({"error": {"code": 429}}), Blame::Provider),
            (json!({"error": {"code": 401}}), Blame::Provider),
            (json!({"error": {"message": "?"}}), Blame::Provider),
            (json!({"error": {"code": 400}}), Blame::Caller),
            (json!({"error": {"code": "content_filter"}}), Blame::Caller),
            (json!({"error": {"code": "context_length_exceeded"}}), Blame::ContextTooLong),
            (json!({"error": {"code": 402}}), Blame::Spent),
        ] {
            let body: Bytes = body.to_string().into();
            let answer = WholeAnswer {
                status: StatusCode::OK,
                headers: HeaderMap::new(),
                body: body.clone(),
                usage: Usage::default(),
                origin: Origin::default(),
            };
            let fault = reported(ErrorBody::read_inside(&body), answer);
            assert_eq!(fault.blame, blame, "{body:?}");
        }
    }
}
