//! Whether the store can be reached, and one log line at each change (F3).

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use breaker::Timestamp;
use tokio::sync::Notify;

use crate::{
    store::{StoreError, StoreInfo},
    watchers::{InternalEvent, Watchers},
};

/// Where circuits are kept at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreStatus {
    /// The store has not responded yet.
    Starting,
    /// The store is reachable.
    Connected,
    /// The store is unreachable: each instance uses its local circuit state.
    Degraded {
        /// Since when, by this instance's clock.
        since: Timestamp,
        /// The last error.
        error: StoreError,
    },
    /// Circuits are kept in this process, as configured: `memory:`, or no `REDIS_URL` and no Redis at the default address.
    Embedded,
}

#[derive(Debug)]
pub(crate) struct StoreHealth {
    info: StoreInfo,
    /// The store is not configured, so it is no fault if there is none.
    optional: bool,
    status: Mutex<StoreStatus>,
    /// It responds again, and what was learnt meanwhile is being written.
    reconnecting: AtomicBool,
    /// Notified when the store is lost, so that it is tried again soon.
    pub(crate) lost: Notify,
    watchers: Watchers,
}

impl StoreHealth {
    pub(crate) fn new(info: StoreInfo, optional: bool, watchers: Watchers) -> Self {
        Self {
            info,
            optional,
            status: Mutex::new(StoreStatus::Starting),
            reconnecting: AtomicBool::new(false),
            lost: Notify::new(),
            watchers,
        }
    }

    pub(crate) fn status(&self) -> StoreStatus {
        let status = self.status.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if self.info.kind == "memory" && status == StoreStatus::Connected {
            StoreStatus::Embedded
        } else {
            status
        }
    }

    /// Whether a write may succeed.
    pub(crate) fn is_writable(&self) -> bool {
        self.reconnecting.load(Ordering::Acquire) || self.is_connected()
    }

    pub(crate) fn is_connected(&self) -> bool {
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) == StoreStatus::Connected
    }

    pub(crate) fn begin_reconnect(&self) {
        self.reconnecting.store(true, Ordering::Release);
    }

    /// Nothing more is written to it.
    pub(crate) fn abort_reconnect(&self) {
        self.reconnecting.store(false, Ordering::Release);
    }

    pub(crate) fn mark_unreachable(&self, error: &StoreError, now: Timestamp) {
        self.reconnecting.store(false, Ordering::Release);
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        let was_starting = *status == StoreStatus::Starting;
        match &mut *status {
            StoreStatus::Degraded { error: last, .. } => return last.clone_from(error),
            StoreStatus::Embedded => return,
            StoreStatus::Starting | StoreStatus::Connected => {}
        }
        self.lost.notify_one();
        let address = &self.info.address;
        if was_starting && self.optional && matches!(error, StoreError::Unreachable(_)) {
            *status = StoreStatus::Embedded;
            tracing::info!(%address, "Redis not found; circuits are not shared (set REDIS_URL to share them)");
        } else {
            *status = StoreStatus::Degraded { since: now, error: error.clone() };
            tracing::warn!(%address, %error, "Redis unreachable; using local circuit state");
        }
        drop(status);
        self.watchers.notify(|| InternalEvent::StoreChanged);
    }

    /// It is back and up to date, unless it failed again while it was written to.
    pub(crate) fn mark_connected(&self) {
        if !self.reconnecting.swap(false, Ordering::AcqRel) {
            return;
        }
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        if *status == StoreStatus::Connected {
            return;
        }
        *status = StoreStatus::Connected;
        drop(status);
        self.watchers.notify(|| InternalEvent::StoreChanged);
        let StoreInfo { kind, address } = &self.info;
        if *kind != "memory" {
            tracing::info!(%address, "circuits are shared through {kind}");
        }
    }
}
