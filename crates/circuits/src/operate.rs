//! A person's hand on the circuits.

use std::time::Duration;

use breaker::{Effect, Event, ModelKey};
use tokio::{sync::oneshot, time::timeout};

use crate::{
    circuit::{Reply, Waiting},
    circuits::Circuits,
    link::LinkState,
    plan::{Answer, Request},
    store::Value,
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
    InTheBalance,
}

/// A person's word has a little longer than a call's.
const OPERATOR_PATIENCE: Duration = Duration::from_secs(2);

impl Circuits {
    /// Opens a circuit by hand, for a while or until it is closed by hand (B10).
    ///
    /// # Errors
    /// It could not be carried out or shared.
    pub async fn open(
        &self,
        key: &ModelKey,
        length: Option<Duration>,
        why: Option<String>,
    ) -> Result<(), OperateError> {
        self.operate(key, Request::Open { length, why }).await
    }

    /// Closes a circuit by hand.
    ///
    /// # Errors
    /// It could not be carried out or shared, or there is no such circuit.
    pub async fn close(&self, key: &ModelKey, why: Option<String>) -> Result<(), OperateError> {
        self.operate(key, Request::Event(Event::Close { why }, None)).await
    }

    /// Forgets a circuit, as a DEL does; its history stands.
    ///
    /// # Errors
    /// It could not be carried out or shared, or there is no such circuit.
    pub async fn reset(&self, key: &ModelKey, why: Option<String>) -> Result<(), OperateError> {
        self.operate(key, Request::Reset(why)).await
    }

    async fn operate(&self, key: &ModelKey, request: Request) -> Result<(), OperateError> {
        let circuit = self.0.circuit(key);
        let (sender, answer) = oneshot::channel();
        self.0.request(&circuit, Waiting { request, reply: Reply::Answer(sender) });
        match timeout(OPERATOR_PATIENCE, answer).await {
            Ok(Ok(Answer::NoCircuit)) => Err(OperateError::NoCircuit(key.clone())),
            Ok(Ok(Answer::Effect(Effect::Counted | Effect::Void))) => {
                if let Value::OtherType(found) = &circuit.inner().mirror.value {
                    let why = format!("its key is a {found} and no circuit, and is left alone");
                    return Err(OperateError::NotShared(why));
                }
                match self.0.link.state() {
                    LinkState::Degraded { error, .. } => Err(OperateError::NotShared(error.to_string())),
                    _ => Ok(()),
                }
            }
            _ => Err(OperateError::InTheBalance),
        }
    }
}
