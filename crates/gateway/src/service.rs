//! What answers a request: who sends it, and then a model's endpoint or the table of paths.

use std::{fmt, sync::Arc};

use axum::{Router, body::Body};
use dialects::Endpoint;
use http::{Method, Request, Response};
use tower::ServiceExt as _;

use crate::{
    auth::{Caller, authenticate, is_public, request_id},
    calls,
    error::dialect_of,
    headers,
    refused_requests::RemoteAddress,
    response_body::ResponseBody,
    router::{call_endpoint, only_post, router},
    state::App,
    unread_body::RequestBody,
};

/// What a request is for, by its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// A model's endpoint.
    Call(Endpoint),
    /// What needs no key.
    Public,
    /// Whatever else, if there is such a path.
    Other,
}

impl Target {
    pub(crate) fn of(path: &str) -> Self {
        match call_endpoint(path) {
            Some(endpoint) => Self::Call(endpoint),
            None if is_public(path) => Self::Public,
            None => Self::Other,
        }
    }
}

/// Answers requests.
pub(crate) struct Service {
    app: Arc<App>,
    router: Router,
}

impl Service {
    pub(crate) fn new(app: Arc<App>) -> Self {
        Self { router: router(Arc::clone(&app)), app }
    }

    /// Answers a request from this address, or rejects it in the API format of its path. Every response has the request's
    /// id.
    pub(crate) async fn respond(
        &self,
        request: Request<RequestBody>,
        target: Target,
        address: RemoteAddress,
    ) -> Response<ResponseBody> {
        let id = request_id(request.headers());
        let uri = match target {
            Target::Call(_) => None,
            Target::Public | Target::Other => Some(request.uri().clone()),
        };
        let authenticated = authenticate(&self.app, &request, &id, target == Target::Public);
        let mut response = match (authenticated, target) {
            (Ok(caller), Target::Call(endpoint)) => {
                let (parts, mut body) = request.into_parts();
                if parts.method == Method::POST {
                    calls::handle(&self.app, endpoint, &caller, parts, &mut body, None).await
                } else {
                    only_post(&parts, &caller).map(ResponseBody::Other)
                }
            }
            (Ok(caller), Target::Public | Target::Other) => self.route(request, caller).await,
            (Err(error), _) => {
                let dialect = dialect_of(request.uri().path(), request.headers());
                error.respond(dialect, &id).map(ResponseBody::Other)
            }
        };
        let path = match (&uri, target) {
            (Some(uri), _) => uri.path(),
            (None, Target::Call(endpoint)) => endpoint.path(),
            (None, Target::Public | Target::Other) => "",
        };
        self.app.refused_requests.record(&response, path, address);
        response.headers_mut().insert(headers::REQUEST_ID, id);
        response
    }

    async fn route(&self, mut request: Request<RequestBody>, caller: Caller) -> Response<ResponseBody> {
        request.extensions_mut().insert(caller);
        match self.router.clone().oneshot(request.map(Body::new)).await {
            Ok(response) => response.map(ResponseBody::Other),
            Err(infallible) => match infallible {},
        }
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").finish_non_exhaustive()
    }
}
