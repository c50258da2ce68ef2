//! Authentication of every request: its id, the host that it names, its key.

use std::sync::Arc;

use breaker::CallerName;
use http::{HeaderMap, HeaderValue, StatusCode, Version, request::Parts};
use manager::AllowedModels;
use uuid::{NoContext, Timestamp, Uuid};

use crate::{
    dashboard,
    error::Error,
    headers,
    keys::{AuthError, Key, Role},
    loopback,
    present_headers::PresentHeaders,
    state::App,
};

/// The limit of a client's request id, in bytes.
const MAX_REQUEST_ID_BYTES: usize = 128;

/// Paths that need no key, because health checks and scrapers have none.
const PUBLIC_PATHS: [&str; 8] = [
    "/",
    "/api/hello",
    "/livez",
    "/readyz",
    "/health",
    "/health/liveliness",
    "/health/readiness",
    "/metrics",
];

/// The sender of a request.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// The request's id.
    pub(crate) request_id: HeaderValue,
    /// The permissions of its key.
    pub(crate) role: Role,
    /// Its key; `None`: this gateway has no keys, or the path needs none.
    pub(crate) key: Option<Arc<Key>>,
}

impl Caller {
    /// The name of its key; `None`: this gateway has no keys.
    pub(crate) fn name(&self) -> Option<CallerName> {
        self.key.as_ref().map(|key| key.name().clone())
    }

    /// What it may ask for; `None`: everything.
    pub(crate) fn allowed_models(&self) -> Option<&Arc<AllowedModels>> {
        self.key.as_ref().and_then(|key| key.allowed_models())
    }

    /// Whether its reports of cooldowns and spent credit are taken as a provider's would be (Q6). Without keys there is
    /// nobody to protect from anybody.
    pub(crate) fn may_set_cooldowns(&self) -> bool {
        self.key.as_ref().is_none_or(|key| key.may_set_cooldowns())
    }
}

/// Whether a path needs no key.
pub(crate) fn is_public(path: &str) -> bool {
    PUBLIC_PATHS.contains(&path) || dashboard::is_dashboard_path(path)
}

/// Who sends this request: its role and key; an error if it is rejected. `is_public`: its path needs no key.
pub(crate) fn authenticate(
    app: &App,
    request: &Parts,
    present: PresentHeaders,
    is_public: bool,
) -> Result<(Role, Option<Arc<Key>>), Error> {
    let keys = app.keys.load();
    // HTTP/1.0 has no Host, and no browser speaks it; health checks of load balancers do.
    let needs_host = request.version > Version::HTTP_10 || !is_public;
    if keys.is_empty()
        && let Some(header) = loopback::host_not_allowed(&request.headers, present, needs_host)
    {
        let message = format!(
            "without keys this gateway accepts loopback names only, and the {header} header is not one: \
             use localhost, or add [keys.NAME] or [server] api_keys"
        );
        return Err(Error::new(StatusCode::FORBIDDEN, "host_not_allowed", message));
    }
    if is_public {
        return Ok((Role::Caller, None));
    }
    let identified =
        keys.identify(&request.headers).map(|key| (key.as_ref().map_or(Role::Admin, |key| key.role()), key));
    identified.map_err(|error| {
        let message = match error {
            AuthError::MissingKey => {
                "API key required: send one of this gateway's keys as your SDK's API key"
            }
            AuthError::InvalidKey => {
                app.refused_requests.wrong_keys.inc();
                "invalid API key: send one of this gateway's keys as your SDK's API key"
            }
        };
        // Claude Code takes a 401 for a passing trouble, and is silent for minutes unless it is told.
        Error::new(StatusCode::UNAUTHORIZED, "invalid_api_key", message.to_owned()).without_retry()
    })
}

/// The client's id if it is safe to log, else a new one that sorts by time.
pub(crate) fn request_id(headers: &HeaderMap, present: PresentHeaders) -> HeaderValue {
    let is_valid = |id: &&HeaderValue| {
        let id = id.as_bytes();
        (1..=MAX_REQUEST_ID_BYTES).contains(&id.len())
            && id.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(byte))
    };
    if present.request_id
        && let Some(id) = headers.get(headers::REQUEST_ID).filter(is_valid)
    {
        return id.clone();
    }
    let mut buffer = Uuid::encode_buffer();
    // `now_v7` counts within a millisecond, behind a lock that all cores share.
    let id = Uuid::new_v7(Timestamp::now(NoContext)).hyphenated().encode_lower(&mut buffer);
    HeaderValue::from_str(id).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clients_id_is_kept_if_it_is_safe_to_log() {
        let id_of = |text: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(headers::REQUEST_ID, HeaderValue::from_bytes(text).unwrap());
            request_id(&headers, PresentHeaders::of(&headers))
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
