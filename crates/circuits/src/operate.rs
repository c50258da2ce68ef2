//! A person's hand on the circuits.

use std::time::Duration;

use breaker::{Event, EventResult, ModelKey};
use tokio::{sync::oneshot, time::timeout};

use crate::{
    circuit::{QueuedRequest, Responder},
    circuits::Circuits,
    plan::{Request, RequestResult},
    store::Value,
    store_health::StoreStatus,
};

/// Why a person's word was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OperateError {
    /// There is no such circuit.
    #[error("there is no circuit {0}; `switchboard circuits` lists those that there are")]
    NoCircuit(ModelKey),
    /// The store could not be told, so others do not know of it.
    #[error("this instance has done it, but the store could not be told: {0}")]
    NotShared(String),
    /// Nobody carried it out in time.
    #[error("the store did not take it up in time; look at the circuit before you try again")]
    OutcomeUnknown,
}

/// A person's word has a little longer than a call's.
const OPERATOR_TIMEOUT: Duration = Duration::from_secs(2);

impl Circuits {
    /// Opens a circuit by hand, for a while or until it is closed by hand (B10).
    ///
    /// # Errors
    /// It could not be carried out or shared.
    pub async fn open(
        &self,
        key: &ModelKey,
        duration: Option<Duration>,
        reason: Option<String>,
    ) -> Result<(), OperateError> {
        self.operate(key, Request::ForceOpen { duration, reason }).await
    }

    /// Closes a circuit by hand.
    ///
    /// # Errors
    /// It could not be carried out or shared, or there is no such circuit.
    pub async fn close(&self, key: &ModelKey, reason: Option<String>) -> Result<(), OperateError> {
        self.operate(key, Request::Event(Event::ForceClose { reason }, None)).await
    }

    /// Forgets a circuit, as a DEL does; its history stands.
    ///
    /// # Errors
    /// It could not be carried out or shared, or there is no such circuit.
    pub async fn reset(&self, key: &ModelKey, reason: Option<String>) -> Result<(), OperateError> {
        self.operate(key, Request::Reset(reason)).await
    }

    async fn operate(&self, key: &ModelKey, request: Request) -> Result<(), OperateError> {
        let circuit = self.0.circuit(key);
        let (sender, answer) = oneshot::channel();
        self.0.enqueue(&circuit, QueuedRequest { request, responder: Responder::Result(sender) });
        match timeout(OPERATOR_TIMEOUT, answer).await {
            Ok(Ok(RequestResult::NoCircuit)) => Err(OperateError::NoCircuit(key.clone())),
            Ok(Ok(RequestResult::Applied(EventResult::Recorded | EventResult::Stale))) => {
                if let Value::WrongType(found) = &circuit.inner().mirror.value {
                    let detail = format!("its key is a {found} and no circuit, and is left alone");
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
