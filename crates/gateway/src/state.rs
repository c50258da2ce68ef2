//! What all handlers share. The table of paths stands apart, in `router`: it knows the handlers, and they know only this.

use std::sync::Arc;

use manager::ModelManager;

use crate::{
    active_keys::ActiveKeys, fair_share::FairShare, feed::Feed, fleet::Fleet, metrics::Metrics,
    permit_registry::PermitRegistry, refused_requests::RefusedRequests, shutdown::Lifecycle,
};

/// The state of the gateway, as every handler gets it.
pub(crate) struct App {
    pub(crate) manager: Arc<ModelManager>,
    pub(crate) keys: Arc<ActiveKeys>,
    pub(crate) refused_requests: Arc<RefusedRequests>,
    /// The limit of a request's body, in bytes.
    pub(crate) max_body_bytes: usize,
    pub(crate) lifecycle: Arc<Lifecycle>,
    pub(crate) metrics: Metrics,
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) feed: Arc<Feed>,
    pub(crate) permit_registry: Arc<PermitRegistry>,
    pub(crate) fair_share: FairShare,
}
