//! What both benches measure: circuits in memory, one of them open.

use std::time::Duration;

use breaker::{Failure, ModelKey, Policy};
use circuits::{Circuits, Permit, Policies, Refusal};
use futures_util::FutureExt as _;
use tokio::runtime::Runtime;

/// The circuits of one instance, and their runtime.
pub(crate) struct Subject {
    runtime: Runtime,
    circuits: Circuits,
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
        Self { runtime, circuits, key: keys[count - 1].clone() }
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
        self.circuits.admit(&self.key).now_or_never().expect("admission without waiting")
    }
}

/// A policy without a failure rate.
pub(crate) fn no_rate() -> Policy {
    Policy { failure_rate: None, ..Policy::default() }
}
