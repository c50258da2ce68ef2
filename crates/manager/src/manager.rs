//! The ModelManager itself: settings that can be replaced, circuits that stay.

use std::{
    fmt,
    sync::{Arc, atomic::AtomicU32},
};

use arc_swap::ArcSwap;
use circuits::Circuits;

use crate::{
    Call, CallError, Catalog, CatalogError, Chain, Reply, Response, Settings, StreamMode, attempt::Errand,
    hold::hold, record::Record, walk::Walk,
};

/// Answers calls from the first model of a chain that can. Shared by all connections.
pub struct ModelManager {
    catalog: ArcSwap<Catalog>,
    circuits: Circuits,
}

impl ModelManager {
    /// A manager over these circuits.
    ///
    /// # Errors
    /// When the settings do not fit together; see [`CatalogError`].
    pub fn new(settings: Settings, circuits: Circuits) -> Result<Self, CatalogError> {
        Ok(Self { catalog: ArcSwap::from_pointee(Catalog::new(settings)?), circuits })
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

    /// Gets an answer. For a stream this returns at its first content, for a held one at once.
    ///
    /// # Errors
    /// When no model gave an answer; see [`CallError`]. A provider's own "this request is wrong" is an answer.
    pub async fn call(&self, call: Call) -> Result<Response, CallError> {
        let chain = self.catalog.load().resolve(call.request.endpoint(), call.request.model())?;
        if call.request.stream() && chain.stream == StreamMode::Hold {
            let dialect = call.request.endpoint().dialect();
            let coming = answer(self.circuits.clone(), chain, call);
            return Ok(Response::Held(hold(dialect, Box::pin(coming))));
        }
        answer(self.circuits.clone(), chain, call).await.map(Response::Answered)
    }
}

/// Walks the chain for one call.
async fn answer(circuits: Circuits, chain: Arc<Chain>, call: Call) -> Result<Reply, CallError> {
    let record = Record::begin(&call, &chain);
    let attempts = AtomicU32::new(0);
    let deadline = record.began() + chain.timeouts.total;
    let errand = Errand { circuits: &circuits, chain: &chain, call: &call, deadline, attempts: &attempts };
    Walk::new(errand, record).run().await
}

impl fmt::Debug for ModelManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelManager").field("catalog", &self.catalog.load()).finish_non_exhaustive()
    }
}
