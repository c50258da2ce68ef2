//! The store of the circuits as the API shows it.

use circuits::{Circuits, StoreStatus};
use serde::Serialize;

/// The store of the circuits and its state.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StoreReport {
    kind: &'static str,
    /// `connected`, `degraded` or `embedded`.
    pub(crate) state: &'static str,
    /// Without user and password.
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl StoreReport {
    pub(crate) fn new(circuits: &Circuits) -> Self {
        let info = circuits.store_info();
        let (state, error) = match circuits.store_status() {
            StoreStatus::Connected => ("connected", None),
            StoreStatus::Starting => ("degraded", Some("no response from the store yet".to_owned())),
            StoreStatus::Degraded { error, .. } => ("degraded", Some(error.to_string())),
            StoreStatus::Embedded => ("embedded", None),
        };
        Self { kind: info.kind, state, url: info.address, error }
    }

    /// Whether the circuits are not shared, although they should be.
    pub(crate) const fn is_degraded(&self) -> bool {
        self.error.is_some()
    }
}
