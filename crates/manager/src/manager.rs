//! The ModelManager: settings that can be replaced, and circuits that stay.

use std::{fmt, sync::Arc};

use arc_swap::ArcSwap;
use circuits::{Circuits, Permit};
use providers::ProviderError;

use crate::{
    Call, CallError, CallMetrics, Catalog, CatalogError, Chain, Reply, Response, Settings, StreamMode,
    TracePropagator, attempt::CallContext, buffered_stream::buffer, call_log::CallLog,
    failover::FailoverLoop, outcome::record_reported_outcome,
};

/// Responds to calls by the first available model of a chain. Shared by all connections.
pub struct ModelManager {
    catalog: ArcSwap<Catalog>,
    circuits: Circuits,
    metrics: Arc<CallMetrics>,
    propagator: Option<Arc<dyn TracePropagator>>,
}

impl ModelManager {
    /// A manager with these circuits.
    ///
    /// # Errors
    /// When the settings are inconsistent; see [`CatalogError`].
    pub fn new(settings: Settings, circuits: Circuits) -> Result<Self, CatalogError> {
        Ok(Self {
            catalog: ArcSwap::from_pointee(Catalog::new(settings)?),
            circuits,
            metrics: Arc::default(),
            propagator: None,
        })
    }

    /// Makes its calls part of their callers' traces.
    #[must_use]
    pub fn with_propagator(self, propagator: Option<Arc<dyn TracePropagator>>) -> Self {
        Self { propagator, ..self }
    }

    /// Applies other settings. Calls in flight keep the old ones; circuits keep their state.
    ///
    /// # Errors
    /// When they are inconsistent; the old ones are kept.
    pub fn replace(&self, settings: Settings) -> Result<(), CatalogError> {
        self.catalog.store(Arc::new(Catalog::new(settings)?));
        Ok(())
    }

    /// The current routes and providers.
    #[must_use]
    pub fn catalog(&self) -> Arc<Catalog> {
        self.catalog.load_full()
    }

    /// The circuits.
    #[must_use]
    pub const fn circuits(&self) -> &Circuits {
        &self.circuits
    }

    /// The metrics of calls.
    #[must_use]
    pub const fn metrics(&self) -> &Arc<CallMetrics> {
        &self.metrics
    }

    /// From now on, a call that is dropped was aborted by this process, not by a client that disconnected.
    pub fn mark_aborting(&self) {
        self.metrics.mark_aborting();
    }

    /// Reports to the circuit how an application's own request with this permit failed.
    pub fn record_reported_outcome(&self, permit: Permit, error: &ProviderError) {
        let is_routed = self.catalog.load().is_routed(permit.key());
        record_reported_outcome(permit, error, is_routed);
    }

    /// Gets a response. For a stream this returns at its first token, for a buffered one immediately.
    ///
    /// # Errors
    /// When no model returned a response; see [`CallError`]. A provider's rejection of the request is a response.
    pub async fn call(&self, call: Call) -> Result<Response, CallError> {
        let resolved = self.catalog.load().resolve(call.request.endpoint(), call.request.model());
        let log = CallLog::start(&call, resolved.as_ref().ok(), &self.metrics, self.propagator.as_deref());
        let chain = match resolved {
            Ok(chain) => chain,
            Err(unknown_model) => {
                let error = CallError::from(unknown_model);
                log.finish(error.code());
                return Err(error);
            }
        };
        let dialect = call.request.endpoint().dialect();
        let buffered = call.request.stream() && chain.stream == StreamMode::Buffer;
        let shared = (self.circuits.clone(), Arc::clone(&self.metrics), self.propagator.clone());
        let pending_reply = run_call(shared, chain, call, log);
        if buffered {
            return Ok(Response::Buffered(buffer(dialect, Box::pin(pending_reply))));
        }
        pending_reply.await.map(Response::Reply)
    }
}

/// Runs the loop over the chain for one call.
async fn run_call(
    (circuits, metrics, propagator): (Circuits, Arc<CallMetrics>, Option<Arc<dyn TracePropagator>>),
    chain: Arc<Chain>,
    call: Call,
    log: CallLog,
) -> Result<Reply, CallError> {
    let attempts = Arc::clone(log.attempts());
    let deadline = log.started_at() + chain.timeouts.total;
    let span = log.span().clone();
    let (circuits, chain, call, attempts, metrics) = (&circuits, &chain, &call, &*attempts, &metrics);
    let (span, propagator) = (&span, propagator.as_deref());
    FailoverLoop::new(
        CallContext { circuits, chain, call, deadline, attempts, metrics, span, propagator },
        log,
    )
    .run()
    .await
}

impl fmt::Debug for ModelManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelManager").field("catalog", &self.catalog.load()).finish_non_exhaustive()
    }
}
