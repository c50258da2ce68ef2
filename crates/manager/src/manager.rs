//! The ModelManager itself: settings that can be replaced, circuits that stay.

use std::{fmt, sync::Arc};

use arc_swap::ArcSwap;
use circuits::{Circuits, Permit};
use providers::Fault;

use crate::{
    Call, CallError, Catalog, CatalogError, Chain, Meter, Reply, Response, Settings, StreamMode, Traces,
    attempt::Errand, blame::settle_told, hold::hold, record::Record, walk::Walk,
};

/// Answers calls from the first model of a chain that can. Shared by all connections.
pub struct ModelManager {
    catalog: ArcSwap<Catalog>,
    circuits: Circuits,
    meter: Arc<Meter>,
    traces: Option<Arc<dyn Traces>>,
}

impl ModelManager {
    /// A manager over these circuits.
    ///
    /// # Errors
    /// When the settings do not fit together; see [`CatalogError`].
    pub fn new(settings: Settings, circuits: Circuits) -> Result<Self, CatalogError> {
        Ok(Self {
            catalog: ArcSwap::from_pointee(Catalog::new(settings)?),
            circuits,
            meter: Arc::default(),
            traces: None,
        })
    }

    /// Lets its calls be part of their callers' traces.
    #[must_use]
    pub fn with_traces(self, traces: Option<Arc<dyn Traces>>) -> Self {
        Self { traces, ..self }
    }

    /// Takes up other settings. Calls under way end by the old ones; no circuit forgets anything.
    ///
    /// # Errors
    /// When they do not fit together; the old ones then stay.
    pub fn replace(&self, settings: Settings) -> Result<(), CatalogError> {
        self.catalog.store(Arc::new(Catalog::new(settings)?));
        Ok(())
    }

    /// The routes and providers in force.
    #[must_use]
    pub fn catalog(&self) -> Arc<Catalog> {
        self.catalog.load_full()
    }

    /// The circuits that decide.
    #[must_use]
    pub const fn circuits(&self) -> &Circuits {
        &self.circuits
    }

    /// What is counted of calls.
    #[must_use]
    pub const fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    /// From now on a call that is dropped was broken off by this process, and not left by its client.
    pub fn breaks_off(&self) {
        self.meter.breaks_off();
    }

    /// Tells the circuit how a call ended, badly, that an application made itself with this permit.
    pub fn settle(&self, permit: Permit, fault: &Fault) {
        let known = self.catalog.load().is_on_a_route(permit.key());
        settle_told(permit, fault, known);
    }

    /// Gets an answer. For a stream this returns at its first content, for a held one at once.
    ///
    /// # Errors
    /// When no model gave an answer; see [`CallError`]. A provider's own "this request is wrong" is an answer.
    pub async fn call(&self, call: Call) -> Result<Response, CallError> {
        let resolved = self.catalog.load().resolve(call.request.endpoint(), call.request.model());
        let record = Record::begin(&call, resolved.as_ref().ok(), &self.meter, self.traces.as_deref());
        let chain = match resolved {
            Ok(chain) => chain,
            Err(no_model) => {
                let error = CallError::from(no_model);
                record.end(error.code());
                return Err(error);
            }
        };
        let dialect = call.request.endpoint().dialect();
        let held = call.request.stream() && chain.stream == StreamMode::Hold;
        let with = (self.circuits.clone(), Arc::clone(&self.meter), self.traces.clone());
        let coming = answer(with, chain, call, record);
        if held {
            return Ok(Response::Held(hold(dialect, Box::pin(coming))));
        }
        coming.await.map(Response::Answered)
    }
}

/// Walks the chain for one call.
async fn answer(
    (circuits, meter, traces): (Circuits, Arc<Meter>, Option<Arc<dyn Traces>>),
    chain: Arc<Chain>,
    call: Call,
    record: Record,
) -> Result<Reply, CallError> {
    let attempts = Arc::clone(record.attempts());
    let deadline = record.began() + chain.timeouts.total;
    let span = record.span().clone();
    let (circuits, chain, call, attempts, meter) = (&circuits, &chain, &call, &*attempts, &meter);
    let (span, traces) = (&span, traces.as_deref());
    Walk::new(Errand { circuits, chain, call, deadline, attempts, meter, span, traces }, record).run().await
}

impl fmt::Debug for ModelManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelManager").field("catalog", &self.catalog.load()).finish_non_exhaustive()
    }
}
