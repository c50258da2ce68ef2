//! A model of a chain.

use std::{fmt, ops::Deref, sync::Arc};

use breaker::ModelKey;
use http::HeaderValue;

use crate::Chain;

/// A model of a chain. A clone counts the chain, which each core has for itself, and not the key, which all share.
#[derive(Clone)]
pub struct ChainModel {
    chain: Arc<Chain>,
    index: usize,
}

impl ChainModel {
    /// The model with this index, which the chain has.
    pub(crate) const fn new(chain: Arc<Chain>, index: usize) -> Self {
        Self { chain, index }
    }

    /// Its key as the value of a header; `None`: it has characters that none can have.
    #[must_use]
    pub fn header_value(&self) -> Option<&HeaderValue> {
        self.chain.entries[self.index].header_value()
    }

    /// The chain.
    pub(crate) fn chain(&self) -> &Chain {
        &self.chain
    }
}

impl Deref for ChainModel {
    type Target = ModelKey;

    fn deref(&self) -> &ModelKey {
        &self.chain.entries[self.index].key
    }
}

impl fmt::Display for ChainModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

impl fmt::Debug for ChainModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}
