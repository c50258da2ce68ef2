//! `/livez`, `/readyz` and `/health`. None of them calls a provider.

use std::sync::Arc;

use axum::{Json, extract::State, response::IntoResponse};
use serde::Serialize;

use crate::app::App;

/// How the circuits are, for `/health`.
pub trait Health: Send + Sync {
    /// The store that the circuits live in.
    fn store(&self) -> StoreHealth;
    /// How many circuits are in which state.
    fn circuits(&self) -> CircuitCounts;
}

/// A store of circuits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoreHealth {
    /// `redis` or `memory`.
    pub kind: &'static str,
    /// How it is.
    pub state: StoreState,
    /// Where it is, without user or password; `None`: in this process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// How a store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreState {
    /// It answers.
    Connected,
    /// It does not answer; each instance goes by what it sees (F3).
    Degraded,
    /// It is this process's memory, by configuration.
    Embedded,
}

/// How many circuits are in which state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct CircuitCounts {
    /// All is well.
    pub closed: usize,
    /// Calls pass the model by.
    pub open: usize,
    /// A probe may go, or is under way.
    pub half_open: usize,
}

#[derive(Serialize)]
struct Report<'a> {
    status: &'static str,
    version: &'static str,
    instance: &'a str,
    store: StoreHealth,
    circuits: CircuitCounts,
}

/// The process answers.
pub(crate) async fn alive() -> &'static str {
    "alive\n"
}

/// Calls are taken. A store that is away does not hinder them (F3).
pub(crate) async fn ready() -> &'static str {
    "ready\n"
}

/// How things stand. 200 also when degraded: calls go on.
pub(crate) async fn report(State(app): State<Arc<App>>) -> impl IntoResponse {
    let store = app.health.store();
    Json(Report {
        status: if store.state == StoreState::Degraded { "degraded" } else { "ok" },
        version: env!("CARGO_PKG_VERSION"),
        instance: &app.instance,
        store,
        circuits: app.health.circuits(),
    })
    .into_response()
}
