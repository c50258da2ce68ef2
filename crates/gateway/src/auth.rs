//! What every request passes first: its id, the name it came under, its key.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use uuid::Uuid;

use crate::{
    app::App,
    dashboard,
    error::{Error, dialect_of},
    headers,
    keys::{AuthError, Role},
    loopback,
};

/// The longest id that is taken over from a client, in bytes.
const MAX_REQUEST_ID_BYTES: usize = 128;

/// Paths that need no key: what watches a process has none.
const PUBLIC_PATHS: [&str; 6] =
    ["/livez", "/readyz", "/health", "/health/liveliness", "/health/readiness", "/metrics"];

/// Who sent a request.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// The request's id.
    pub(crate) request_id: HeaderValue,
    /// What its key allows.
    pub(crate) role: Role,
}

/// Lets a request through, or refuses it in the shape of its path. Every answer gets the request's id.
pub(crate) async fn authenticate(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    let mut response = match authorize(&app, &request) {
        Ok(role) => {
            request.extensions_mut().insert(Caller { request_id: id.clone(), role });
            next.run(request).await
        }
        Err(error) => error.respond(dialect_of(request.uri().path(), request.headers()), &id),
    };
    response.headers_mut().insert(headers::REQUEST_ID, id);
    response
}

fn authorize(app: &App, request: &Request) -> Result<Role, Error> {
    if app.keys.is_empty()
        && let Some(header) = loopback::host_not_allowed(request.headers())
    {
        let message = format!(
            "this gateway has no api_keys and answers to loopback names only, which the {header} header is not: \
             call it as localhost, or set [server] api_keys"
        );
        return Err(Error::new(StatusCode::FORBIDDEN, "host_not_allowed", message));
    }
    let path = request.uri().path();
    if PUBLIC_PATHS.contains(&path) || dashboard::is_dashboard_path(path) {
        return Ok(Role::Caller);
    }
    app.keys.role_of(request.headers()).map_err(|error| {
        let message = match error {
            AuthError::MissingKey => {
                "this gateway needs a key: send one of its api_keys as your SDK's API key"
            }
            AuthError::InvalidKey => {
                "the key is none of this gateway's: send one of its api_keys as your SDK's API key"
            }
        };
        Error::new(StatusCode::UNAUTHORIZED, "invalid_api_key", message.to_owned())
    })
}

/// The client's id, if it is one that a log can take; else a new one, which sorts by time.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let is_valid = |id: &&HeaderValue| {
        let id = id.as_bytes();
        (1..=MAX_REQUEST_ID_BYTES).contains(&id.len())
            && id.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(byte))
    };
    if let Some(id) = headers.get(headers::REQUEST_ID).filter(is_valid) {
        return id.clone();
    }
    let mut buffer = Uuid::encode_buffer();
    let id = Uuid::now_v7().hyphenated().encode_lower(&mut buffer);
    HeaderValue::from_str(id).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clients_id_is_kept_if_a_log_can_take_it() {
        let id_of = |text: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(headers::REQUEST_ID, HeaderValue::from_bytes(text).unwrap());
            request_id(&headers)
        };
        for good in ["a", "trace-1.2:3_4", &"x".repeat(128)] {
            assert_eq!(id_of(good.as_bytes()), *good);
        }
        for bad in ["", "two words", "tab\tbed", "ü", "\"quoted\"", &"x".repeat(129)] {
            let id = id_of(bad.as_bytes());
            let id: Uuid = id.to_str().unwrap().parse().unwrap();
            assert_eq!(id.get_version_num(), 7, "{bad:?}");
        }
    }
}
