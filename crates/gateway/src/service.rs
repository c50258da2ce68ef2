//! What answers a request: who sends it, and then a model's endpoint or the table of paths.

use std::{fmt, pin::pin, sync::Arc};

use axum::{Router, body::Body};
use dialects::Endpoint;
use http::{Method, Request, Response, request::Parts};
use tower::ServiceExt as _;

use crate::{
    auth::{Caller, authenticate, is_public},
    calls,
    error::dialect_of,
    headers,
    present_headers::PresentHeaders,
    refused_requests::RemoteAddress,
    request_body::RequestBody,
    request_id::request_id,
    response_body::ResponseBody,
    router::{call_endpoint, only_post, router},
    state::App,
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
        parts: &mut Parts,
        present: PresentHeaders,
        mut body: RequestBody,
        target: Target,
        address: RemoteAddress,
    ) -> Response<ResponseBody> {
        let request_id = request_id(&parts.headers, present);
        let (mut response, request_id) =
            match authenticate(&self.app, parts, present, target == Target::Public) {
                Ok((role, key)) => {
                    let caller = Caller { request_id, role, key };
                    let response = match target {
                        Target::Call(endpoint) if parts.method == Method::POST => {
                            // Pinned where it is: to await a future is to move it, and this one is large.
                            let app = &self.app;
                            pin!(calls::handle(app, endpoint, &caller, parts, present, &mut body, None)).await
                        }
                        Target::Call(_) => only_post(parts, &caller).map(ResponseBody::Other),
                        Target::Public | Target::Other => self.route(parts, body, caller.clone()).await,
                    };
                    (response, caller.request_id)
                }
                Err(error) => {
                    let dialect = dialect_of(parts.uri.path(), &parts.headers);
                    (error.respond(dialect, &request_id).map(ResponseBody::Other), request_id)
                }
            };
        self.app.refused_requests.record(&response, parts.uri.path(), address);
        if let ResponseBody::Complete(reply) = response.body_mut() {
            reply.request_id = Some(request_id);
        } else {
            response.headers_mut().insert(headers::REQUEST_ID, request_id);
        }
        response
    }

    async fn route(&self, parts: &Parts, body: RequestBody, caller: Caller) -> Response<ResponseBody> {
        let mut request = Request::from_parts(parts.clone(), Body::new(body));
        request.extensions_mut().insert(caller);
        match self.router.clone().oneshot(request).await {
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
