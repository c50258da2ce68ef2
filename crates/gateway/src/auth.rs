//! Authentication of every request: the host that it names, its key.

use std::sync::Arc;

use breaker::CallerName;
use http::{HeaderValue, StatusCode, Version, request::Parts};
use manager::AllowedModels;

use crate::{
    dashboard,
    error::Error,
    keys::{AuthError, Key, Role},
    loopback,
    present_headers::PresentHeaders,
    state::App,
};

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
