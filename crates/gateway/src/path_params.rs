//! The path parameters of the circuits API, and the check for an admin key.

use std::{collections::HashMap, sync::Arc};

use axum::extract::{Extension, FromRequestParts, Path};
use breaker::{CallerName, ModelKey};
use http::{StatusCode, request::Parts};
use uuid::Uuid;

use crate::{
    auth::Caller,
    error::{ApiError, Error},
    keys::Role,
    state::App,
};

/// `{key}`: a circuit, `provider:model`. A `/` in it is percent-encoded.
pub(crate) struct CircuitKey(pub(crate) ModelKey);

/// `{permit}`: an id; `None` if it is malformed.
pub(crate) struct PermitId(pub(crate) Option<Uuid>);

/// A caller that may operate: one with an admin key, by its name, or anyone on a listener without keys.
pub(crate) struct RequireAdmin(pub(crate) Option<CallerName>);

impl FromRequestParts<Arc<App>> for CircuitKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let key = path_segment(parts, app, "key").await?;
        Ok(Self(
            key.parse().map_err(|error: breaker::ModelKeyError| Error::invalid_request(error.to_string()))?,
        ))
    }
}

impl FromRequestParts<Arc<App>> for PermitId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        Ok(Self(path_segment(parts, app, "permit").await?.parse().ok()))
    }
}

impl FromRequestParts<Arc<App>> for RequireAdmin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        // `authenticate` has inserted it.
        let caller = Extension::<Caller>::from_request_parts(parts, app).await;
        if let Ok(Extension(caller)) = caller
            && caller.role >= Role::Admin
        {
            return Ok(Self(caller.name()));
        }
        let message =
            "operating a circuit needs an admin key: send one of this gateway's admin_keys".to_owned();
        Err(Error::new(StatusCode::FORBIDDEN, "admin_key_required", message).into())
    }
}

async fn path_segment(parts: &mut Parts, app: &Arc<App>, name: &str) -> Result<String, Error> {
    let invalid = || Error::invalid_request(format!("path parameter {name}: expected percent-encoded UTF-8"));
    let Path(mut segments) =
        Path::<HashMap<String, String>>::from_request_parts(parts, app).await.map_err(|_| invalid())?;
    segments.remove(name).ok_or_else(invalid)
}
