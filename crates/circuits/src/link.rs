//! Whether the store can be reached, and the one log line at each turn (F3).

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use breaker::Timestamp;
use tokio::sync::Notify;

use crate::{
    store::{Place, StoreError},
    watch::{Notice, Watchers},
};

/// How circuits are kept at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkState {
    /// The store was not heard yet.
    Starting,
    /// The store is at hand.
    Connected,
    /// The store is away: each instance goes on with what it sees.
    Degraded {
        /// Since when, by this instance's clock.
        since: Timestamp,
        /// What was wrong last.
        error: StoreError,
    },
    /// Circuits are kept in this process, as nothing else was asked for: `memory:`, or no `REDIS_URL` and no Redis at
    /// the default address.
    Embedded,
}

#[derive(Debug)]
pub(crate) struct Link {
    place: Place,
    /// Nobody asked for this store by name: that it is not there is no fault.
    optional: bool,
    state: Mutex<LinkState>,
    /// It answers again, and is being told what was learnt meanwhile.
    trying: AtomicBool,
    /// Rings when the store is lost, so that it is tried again soon, whoever found out.
    pub(crate) lost: Notify,
    watchers: Watchers,
}

impl Link {
    pub(crate) fn new(place: Place, optional: bool, watchers: Watchers) -> Self {
        Self {
            place,
            optional,
            state: Mutex::new(LinkState::Starting),
            trying: AtomicBool::new(false),
            lost: Notify::new(),
            watchers,
        }
    }

    pub(crate) fn state(&self) -> LinkState {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if self.place.kind == "memory" && state == LinkState::Connected { LinkState::Embedded } else { state }
    }

    /// Whether writing is worth a try.
    pub(crate) fn is_up(&self) -> bool {
        self.trying.load(Ordering::Acquire) || self.is_connected()
    }

    pub(crate) fn is_connected(&self) -> bool {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) == LinkState::Connected
    }

    pub(crate) fn begin_trying(&self) {
        self.trying.store(true, Ordering::Release);
    }

    /// Nobody tells it anything any more.
    pub(crate) fn give_up_trying(&self) {
        self.trying.store(false, Ordering::Release);
    }

    pub(crate) fn fail(&self, error: &StoreError, now: Timestamp) {
        self.trying.store(false, Ordering::Release);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let first_word = *state == LinkState::Starting;
        match &mut *state {
            LinkState::Degraded { error: last, .. } => return last.clone_from(error),
            LinkState::Embedded => return,
            LinkState::Starting | LinkState::Connected => {}
        }
        self.lost.notify_one();
        let address = &self.place.address;
        if first_word && self.optional && matches!(error, StoreError::Unreachable(_)) {
            *state = LinkState::Embedded;
            tracing::info!(%address, "circuits are kept in this process until Redis appears (REDIS_URL is not set)");
        } else {
            *state = LinkState::Degraded { since: now, error: error.clone() };
            tracing::warn!(%address, %error, "the store of circuits is away: each instance breaks on what it sees until it is back");
        }
        drop(state);
        self.watchers.tell(|| Notice::Store);
    }

    /// It is back and knows everything, unless it failed again while it was told.
    pub(crate) fn restored(&self) {
        if !self.trying.swap(false, Ordering::AcqRel) {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if *state == LinkState::Connected {
            return;
        }
        *state = LinkState::Connected;
        drop(state);
        self.watchers.tell(|| Notice::Store);
        let Place { kind, address } = &self.place;
        if *kind != "memory" {
            tracing::info!(%address, "circuits are shared through {kind}");
        }
    }
}
