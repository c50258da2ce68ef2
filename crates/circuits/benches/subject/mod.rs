//! What both benches measure: circuits in memory, one of them open. A call asks for its permit as one of the gateway does,
//! whose chain has for each core a slot that keeps the model's circuit, and says whose it is.

use std::time::Duration;

use breaker::{Failure, ModelKey, Policy};
use circuits::{CallSource, CircuitSlot, Circuits, Permit, Policies, Refusal};
use per_core::PerCore;
use tokio::runtime::Runtime;

/// The circuits of one instance, and their runtime.
pub(crate) struct Subject {
    runtime: Runtime,
    circuits: Circuits,
    slots: PerCore<CircuitSlot>,
    source: CallSource,
    pub(crate) key: ModelKey,
}

impl Subject {
    /// A number of closed circuits with this policy; calls go to the last.
    pub(crate) fn closed(count: usize, policy: Policy) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let policies = Policies { default: policy, ..Policies::default() };
        let circuits = runtime.block_on(async { Circuits::in_memory(policies) });
        let keys =
            (0..count).map(|n| format!("anthropic:claude-sonnet-4-5-{n:08}").parse::<ModelKey>().unwrap());
        let keys: Vec<ModelKey> = keys.collect();
        runtime.block_on(async {
            circuits.ready().await;
            for key in &keys {
                circuits.admit(key).await.unwrap().succeeded();
                circuits.wait_idle(key).await;
            }
        });
        let source = CallSource::new(None, vec![b'x'; 600].into());
        Self { runtime, circuits, slots: PerCore::default(), source, key: keys[count - 1].clone() }
    }

    /// The same, with the last one open for long.
    pub(crate) fn open(count: usize) -> Self {
        let subject = Self::closed(count, Policy::default());
        subject.runtime.block_on(async {
            let permit = subject.circuits.admit(&subject.key).await.unwrap();
            permit.rate_limited(Failure::status(529), Some(Duration::from_secs(600)));
            subject.circuits.wait_idle(&subject.key).await;
        });
        subject
    }

    /// Acquires a permit, which must not wait.
    #[inline]
    pub(crate) fn admit(&self) -> Result<Permit, Refusal> {
        let slot = self.slots.local();
        self.circuits.admit_now(&self.key, Some(slot), &self.source).expect("admission without waiting")
    }
}

/// A policy without a failure rate.
pub(crate) fn no_rate() -> Policy {
    Policy { failure_rate: None, ..Policy::default() }
}
