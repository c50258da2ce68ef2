//! How others hold a circuit.

use std::{
    fmt,
    ops::Deref,
    sync::{Arc, OnceLock},
};

use per_core::CoreArc;

use crate::circuit::Circuit;

/// A reference to a circuit.
#[derive(Clone)]
pub(crate) enum CircuitRef {
    /// Counted by all who hold the circuit.
    Shared(Arc<Circuit>),
    /// Counted by the core whose [`CircuitSlot`] it comes from.
    OfCore(CoreArc<Circuit>),
}

impl Deref for CircuitRef {
    type Target = Arc<Circuit>;

    #[inline]
    fn deref(&self) -> &Arc<Circuit> {
        match self {
            Self::Shared(circuit) => circuit,
            Self::OfCore(circuit) => circuit.shared(),
        }
    }
}

impl From<&Arc<Circuit>> for CircuitRef {
    fn from(circuit: &Arc<Circuit>) -> Self {
        Self::Shared(Arc::clone(circuit))
    }
}

impl fmt::Debug for CircuitRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.key, f)
    }
}

/// Where whoever calls one model again and again keeps its circuit: it is looked up once, and calls on different cores
/// count no common reference if each core has a slot of its own. The circuit stays in memory for as long as the slot does.
#[derive(Clone, Default)]
pub struct CircuitSlot(OnceLock<CoreArc<Circuit>>);

impl CircuitSlot {
    #[inline]
    pub(crate) fn get(&self) -> Option<&CoreArc<Circuit>> {
        self.0.get()
    }

    /// Keeps a circuit, if there is none yet.
    pub(crate) fn keep(&self, circuit: &Arc<Circuit>) {
        self.0.get_or_init(|| CoreArc::new(Arc::clone(circuit)));
    }
}

impl fmt::Debug for CircuitSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CircuitSlot").field(&self.get().map(|circuit| &circuit.key)).finish()
    }
}
