//! The ModelManager: settings that can be replaced, and circuits that stay.

use std::{fmt, pin::pin, sync::Arc};

use arc_swap::ArcSwap;
use breaker::ModelKey;
use bytes::Bytes;
use circuits::{CallSource, Circuits, Permit};
use dialects::Dialect;
use http::{HeaderMap, Method};
use per_core::{CoreArc, SharedByCores};
use providers::{CompleteResponse, ProviderError};

use crate::{
    Call, CallError, CallLines, CallMetrics, Catalog, CatalogError, Chain, MemoryBudget, Reply, Response,
    Settings, StoredResponseError, StreamMode, TracePropagator, UnknownModel,
    attempt::CallContext,
    buffered_stream::buffer,
    call_limit::CallLimit,
    call_log::CallLog,
    failover::FailoverLoop,
    outcome::{Reporter, missing_resource, record_reported_outcome},
    prepare::SharedRequest,
    reply::finish,
    shortage,
    stored::StoredResponses,
};

/// Responds to calls by the first available model of a chain. Shared by all connections.
pub struct ModelManager {
    catalog: ArcSwap<Catalog>,
    shared: SharedByCores<Shared>,
}

/// What its calls share. Each counts it by its core.
#[derive(Clone)]
struct Shared {
    circuits: Circuits,
    metrics: Arc<SharedByCores<CallMetrics>>,
    propagator: Option<Arc<dyn TracePropagator>>,
    lines: Option<&'static dyn CallLines>,
    stored: Arc<StoredResponses>,
    memory: MemoryBudget,
}

impl ModelManager {
    /// A manager with these circuits.
    ///
    /// # Errors
    /// When the settings are inconsistent; see [`CatalogError`].
    pub fn new(settings: Settings, circuits: Circuits) -> Result<Self, CatalogError> {
        Ok(Self {
            catalog: ArcSwap::from_pointee(Catalog::new(settings)?),
            shared: SharedByCores::new(&Arc::new(Shared {
                circuits,
                metrics: Arc::new(SharedByCores::new(&Arc::default())),
                propagator: None,
                lines: None,
                stored: Arc::default(),
                memory: MemoryBudget::default(),
            })),
        })
    }

    /// Makes its calls part of their callers' traces.
    #[must_use]
    pub fn with_propagator(self, propagator: Option<Arc<dyn TracePropagator>>) -> Self {
        let shared = Shared { propagator, ..Shared::clone(self.shared.get()) };
        Self { shared: SharedByCores::new(&Arc::new(shared)), ..self }
    }

    /// Gives each of its calls a line in the log.
    #[must_use]
    pub fn with_lines(self, lines: Option<&'static dyn CallLines>) -> Self {
        let shared = Shared { lines, ..Shared::clone(self.shared.get()) };
        Self { shared: SharedByCores::new(&Arc::new(shared)), ..self }
    }

    /// Gives its callers this much memory for bodies and buffered streams.
    #[must_use]
    pub fn with_memory_budget(self, memory: MemoryBudget) -> Self {
        let shared = Shared { memory, ..Shared::clone(self.shared.get()) };
        Self { shared: SharedByCores::new(&Arc::new(shared)), ..self }
    }

    /// The memory that its callers share.
    #[must_use]
    pub fn memory_budget(&self) -> &MemoryBudget {
        &self.shared.get().memory
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
    pub fn circuits(&self) -> &Circuits {
        &self.shared.get().circuits
    }

    /// The metrics of calls.
    #[must_use]
    pub fn metrics(&self) -> &Arc<CallMetrics> {
        self.shared.get().metrics.get()
    }

    /// From now on, a call that is dropped was aborted by this process, not by a client that disconnected.
    pub fn mark_aborting(&self) {
        self.metrics().mark_aborting();
    }

    /// Reports to the circuit how an application's own request with this permit failed. It is a vote: unless the reporter may
    /// more, the circuit is open for no longer than [`Policy::max_open_duration`](breaker::Policy) (Q6).
    pub fn record_reported_outcome(&self, permit: Permit, error: &ProviderError, reporter: &Reporter) {
        let is_routed = self.catalog.load().is_routed(permit.key());
        let longest_cooldown =
            (!reporter.may_set_cooldowns).then(|| self.circuits().policy(permit.key()).max_open_duration);
        record_reported_outcome(permit, error, is_routed, reporter.name.clone(), longest_cooldown);
    }

    /// Asks for what a provider has stored under the id that `path` begins with (T8): the provider that gave the id, else
    /// the one named `openai`. It touches no circuit: no model answers.
    ///
    /// # Errors
    /// When there is no such provider, or it did not answer.
    pub async fn stored_response(
        &self,
        method: Method,
        path: &[&str],
        query: Option<&str>,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<CompleteResponse, StoredResponseError> {
        let id = path.first().copied().unwrap_or_default();
        // No id: as a segment of a URL they would lead to another path.
        if path.iter().any(|segment| matches!(*segment, "." | "..")) {
            return Err(StoredResponseError::NotFound);
        }
        let owner = self.shared.get().stored.owner(id);
        let owner = owner.as_deref().unwrap_or("openai");
        let catalog = self.catalog.load_full();
        let provider = catalog.provider(owner);
        let provider = provider.filter(|provider| provider.dialects().contains(&Dialect::OpenAiResponses));
        let provider = provider.ok_or(StoredResponseError::NotFound)?;
        let stored = provider.stored_response(method, path, query, headers, body, catalog.timeouts()).await;
        let provider = owner.to_owned();
        match stored {
            Ok(response) if response.rejects_key() => {
                Err(StoredResponseError::ProviderAuth { provider, status: response.status.as_u16() })
            }
            Ok(response) => Ok(response),
            Err(error) => match missing_resource(&error) {
                Some(resource) => {
                    shortage::log(resource);
                    Err(StoredResponseError::Overloaded(resource))
                }
                None => Err(StoredResponseError::Provider { provider, error }),
            },
        }
    }

    /// Gets a response. For a stream this returns at its first token, for a buffered one immediately.
    ///
    /// # Errors
    /// When no model returned a response; see [`CallError`]. A provider's rejection of the request is a response.
    pub async fn call(&self, call: Call) -> Result<Response, CallError> {
        let resolved = self.catalog.load().resolve(call.request.endpoint(), call.request.model());
        let shared = self.shared.reference();
        let metrics = shared.metrics.reference();
        let propagator = shared.propagator.as_deref();
        let log = CallLog::start(&call, resolved.as_ref().ok(), metrics, propagator, shared.lines);
        let chain = match allowed_chain(&call, resolved) {
            Ok(chain) => chain,
            Err(error) => {
                log.finish(error.code());
                return Err(error);
            }
        };
        let dialect = call.request.endpoint().dialect();
        let json_array = call.request.json_array();
        // Of a call that is no conversation nobody knows before its answer whether that is a stream of events, so its head waits.
        let has_early_head = call.request.endpoint().openai_call().is_none();
        let buffered = call.request.stream() && chain.stream == StreamMode::Buffer && has_early_head;
        if buffered {
            let pending_reply = Box::pin(async move { run_call(&shared, &chain, &call, log).await });
            return Ok(Response::Buffered(buffer(dialect, json_array, pending_reply)));
        }
        let reply = pin!(run_call(&shared, &chain, &call, log)).await?;
        if chain.is_of_one_call() && reply.is_answer() {
            // As the settings are now: they may have been replaced meanwhile.
            self.catalog.load().keep_direct_chain(call.request.endpoint(), call.request.model());
        }
        Ok(Response::Reply(reply))
    }
}

/// The chain, if the caller may use it. One that may not use everything learns no names but its own.
fn allowed_chain(call: &Call, resolved: Result<Arc<Chain>, UnknownModel>) -> Result<Arc<Chain>, CallError> {
    let name = resolved.as_ref().map_or(call.request.model(), |chain| chain.name());
    match &call.allowed_models {
        Some(allowed) if !allowed.allows(name) => Err(CallError::ModelNotAllowed {
            requested: name.chars().take(ModelKey::MAX_CHARS).collect(),
            allowed: Arc::clone(allowed),
        }),
        _ => Ok(resolved?),
    }
}

/// Runs the loop over the chain for one call. By reference, as nearly all here: a future moves what it is given.
async fn run_call(
    shared: &CoreArc<Shared>,
    chain: &Arc<Chain>,
    call: &Call,
    log: Box<CallLog>,
) -> Result<Reply, CallError> {
    let metrics = shared.metrics.reference();
    let shared_request = SharedRequest::default();
    let source = CallSource::new(call.caller.clone(), call.request.body().clone());
    let buffered = call.request.stream() && chain.stream == StreamMode::Buffer;
    let limit = CallLimit::new(chain.timeouts.total, call.client_timeout, buffered);
    let context = CallContext {
        circuits: &shared.circuits,
        chain,
        call,
        source: &source,
        limit,
        deadline: log.started_at() + limit.duration,
        attempts: log.attempts(),
        failures: log.failures(),
        metrics: &metrics,
        span: log.span(),
        propagator: shared.propagator.as_deref(),
        shared_request: &shared_request,
        stored: &shared.stored,
        memory: &shared.memory,
    };
    let result = {
        let mut failover = FailoverLoop::new(&context);
        let trying = pin!(failover.run());
        trying.await
    };
    finish(result, chain, call, &shared.stored, log)
}

impl fmt::Debug for ModelManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelManager").field("catalog", &self.catalog.load()).finish_non_exhaustive()
    }
}
