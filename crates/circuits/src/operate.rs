//! Manual overrides.

use std::time::Duration;

use breaker::{CallerName, Event, EventResult, ModelKey};
use tokio::{sync::oneshot, time::timeout};

use crate::{
    circuit::{QueuedRequest, Responder},
    circuits::Circuits,
    plan::{Request, RequestResult},
    store::Value,
    store_health::StoreStatus,
};

/// Why a manual override was not applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OperateError {
    /// There is no such circuit.
    #[error("no circuit {0}; `switchboard circuits` lists all circuits")]
    NoCircuit(ModelKey),
    /// The store could not be written, so other instances do not know of it.
    #[error("applied on this instance only, the store could not be written: {0}")]
    NotShared(String),
    /// The store did not respond in time.
    #[error(
        "no response from the store: the change may or may not have been applied; check the circuit before retrying"
    )]
    OutcomeUnknown,
}

/// An operator waits a little longer than a call does.
const OPERATOR_TIMEOUT: Duration = Duration::from_secs(2);

impl Circuits {
    /// Forces a circuit open, for a while or until it is closed manually (B10). `by` names the operator in the history.
    ///
    /// # Errors
    /// It could not be applied or shared.
    pub async fn open(
        &self,
        key: &ModelKey,
        duration: Option<Duration>,
        reason: Option<String>,
        by: Option<CallerName>,
    ) -> Result<(), OperateError> {
        self.operate(key, Request::ForceOpen { duration, reason, by }).await
    }

    /// Closes a circuit manually.
    ///
    /// # Errors
    /// It could not be applied or shared, or there is no such circuit.
    pub async fn close(
        &self,
        key: &ModelKey,
        reason: Option<String>,
        by: Option<CallerName>,
    ) -> Result<(), OperateError> {
        self.operate(key, Request::Event(Event::ForceClose { reason, by }, None)).await
    }

    /// Resets a circuit, as a DEL does; its history is kept.
    ///
    /// # Errors
    /// It could not be applied or shared, or there is no such circuit.
    pub async fn reset(
        &self,
        key: &ModelKey,
        reason: Option<String>,
        by: Option<CallerName>,
    ) -> Result<(), OperateError> {
        self.operate(key, Request::Reset { reason, by }).await
    }

    async fn operate(&self, key: &ModelKey, request: Request) -> Result<(), OperateError> {
        let circuit = self.0.circuit(key);
        let (sender, answer) = oneshot::channel();
        self.0.enqueue(&circuit, QueuedRequest { request, responder: Responder::Result(sender) });
        match timeout(OPERATOR_TIMEOUT, answer).await {
            Ok(Ok(RequestResult::NoCircuit)) => Err(OperateError::NoCircuit(key.clone())),
            Ok(Ok(RequestResult::Applied(EventResult::Recorded | EventResult::Stale))) => {
                if let Value::WrongType(found) = &circuit.inner().mirror.value {
                    let detail = format!("expected a string under its key, found a {found}");
                    return Err(OperateError::NotShared(detail));
                }
                match self.0.store_health.status() {
                    StoreStatus::Degraded { error, .. } => Err(OperateError::NotShared(error.to_string())),
                    _ => Ok(()),
                }
            }
            _ => Err(OperateError::OutcomeUnknown),
        }
    }
}
