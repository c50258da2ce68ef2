//! Who has stored a response (T8). An id of OpenAI's responses API means something to the account that gave it, and to
//! nobody else.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, PoisonError};

use providers::{LocalResource, ProviderError};

/// How many responses an instance remembers the owner of.
const MAX_REMEMBERED: usize = 10_000;

/// The providers that have stored the responses of the last calls, by the responses' ids.
#[derive(Default)]
pub(crate) struct StoredResponses(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    owners: HashMap<Box<str>, Box<str>>,
    /// The oldest first.
    order: VecDeque<Box<str>>,
}

impl StoredResponses {
    /// A provider has given this id.
    pub(crate) fn remember(&self, id: &str, provider: &str) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.owners.insert(id.into(), provider.into()).is_some() {
            return;
        }
        inner.order.push_back(id.into());
        if inner.order.len() > MAX_REMEMBERED
            && let Some(oldest) = inner.order.pop_front()
        {
            inner.owners.remove(&oldest);
        }
    }

    /// The provider that has given it, if that is remembered.
    pub(crate) fn owner(&self, id: &str) -> Option<Box<str>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).owners.get(id).cloned()
    }
}

/// Why a stored response cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum StoredResponseError {
    /// Nobody here has stored it. The caller is responsible.
    #[error("no provider here has stored this response")]
    NotFound,
    /// This machine lacks what the request needs (C8). Nobody else is responsible.
    #[error("this gateway is out of {0}; try again in a second")]
    Overloaded(LocalResource),
    /// The provider rejected the gateway's API key. The operator is responsible.
    #[error(
        "provider {provider} rejected the gateway's API key (HTTP {status}): check api_key of [providers.{provider}]"
    )]
    ProviderAuth {
        /// The provider's name.
        provider: String,
        /// 401; of some providers 400 or 403.
        status: u16,
    },
    /// The provider did not answer.
    #[error("provider {provider} did not return the stored response: {error}")]
    Provider {
        /// The provider's name.
        provider: String,
        /// What happened.
        error: ProviderError,
    },
}

impl fmt::Debug for StoredResponses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoredResponses")
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_REMEMBERED, StoredResponses};

    #[test]
    fn the_oldest_is_forgotten() {
        let stored = StoredResponses::default();
        for number in 0..=MAX_REMEMBERED {
            stored.remember(&format!("resp_{number}"), "openai");
        }
        stored.remember("resp_1", "other");
        assert_eq!((stored.owner("resp_0"), stored.owner("resp_1").as_deref()), (None, Some("other")));
        assert_eq!(stored.owner(&format!("resp_{MAX_REMEMBERED}")).as_deref(), Some("openai"));
    }
}
