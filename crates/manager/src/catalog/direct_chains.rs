//! The chains of models that callers request without a route, for as long as they go on doing so.

use std::{collections::HashMap, sync::Arc};

use arc_swap::ArcSwap;
use dialects::Dialect;
use foldhash::fast::RandomState;
use per_core::PerCore;

/// The most names that are kept. Whoever may call can invent names, but only those that a model has answered get here.
const MAX_NAMES: usize = 64;

/// By API format and name, since a bare name implies a provider by the caller's format. A chain that is kept is looked up
/// instead of made, and keeps its circuit and its label.
#[derive(Debug)]
pub(super) struct DirectChains<C>(ArcSwap<ByName<C>>);

/// Each core has a copy of a chain.
type ByName<C> = HashMap<Box<str>, Vec<(Dialect, Arc<PerCore<Arc<C>>>)>, RandomState>;

impl<C> DirectChains<C> {
    pub(super) fn get(&self, dialect: Dialect, name: &str) -> Option<Arc<C>> {
        let kept = self.0.load();
        let of_name = kept.get(name)?;
        of_name.iter().find_map(|(other, chain)| (*other == dialect).then(|| Arc::clone(chain.local())))
    }

    /// Keeps a chain. Where there are too many, it is the first of a new collection: those in use come back.
    pub(super) fn keep(&self, dialect: Dialect, name: &str, chain: &Arc<PerCore<Arc<C>>>) {
        self.0.rcu(|kept| {
            let mut kept = if kept.len() < MAX_NAMES { ByName::clone(kept) } else { ByName::default() };
            let of_name = kept.entry(name.into()).or_default();
            if of_name.iter().all(|(other, _)| *other != dialect) {
                of_name.push((dialect, Arc::clone(chain)));
            }
            kept
        });
    }
}

impl<C> Default for DirectChains<C> {
    fn default() -> Self {
        Self(ArcSwap::default())
    }
}
