//! What stands in the paths of the circuits' API, and who may operate.

use std::{collections::HashMap, sync::Arc};

use axum::extract::{Extension, FromRequestParts, Path};
use breaker::ModelKey;
use http::{StatusCode, request::Parts};
use uuid::Uuid;

use crate::{
    app::App,
    auth::Caller,
    error::{ApiError, Error},
    keys::Role,
};

/// `{key}`: a circuit, `provider:model`. What would end the segment is percent-encoded, a `/` above all.
pub(crate) struct CircuitKey(pub(crate) ModelKey);

/// `{permit}`: an id, if it is one.
pub(crate) struct PermitId(pub(crate) Option<Uuid>);

/// Somebody who may operate, on a listener without keys everybody.
pub(crate) struct RequireAdmin;

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
        // The gate has put it there.
        let caller = Extension::<Caller>::from_request_parts(parts, app).await;
        if caller.is_ok_and(|Extension(caller)| caller.role >= Role::Admin) {
            return Ok(Self);
        }
        let message =
            "operating a circuit needs an admin key: send one of this gateway's admin_keys".to_owned();
        Err(Error::new(StatusCode::FORBIDDEN, "admin_key_required", message).into())
    }
}

async fn path_segment(parts: &mut Parts, app: &Arc<App>, name: &str) -> Result<String, Error> {
    let invalid = || Error::invalid_request(format!("the path's {name} is not percent-encoded UTF-8"));
    let Path(mut segments) =
        Path::<HashMap<String, String>>::from_request_parts(parts, app).await.map_err(|_| invalid())?;
    segments.remove(name).ok_or_else(invalid)
}
