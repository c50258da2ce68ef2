//! The ModelManager: gets an answer to a call from the first model of a chain that gives one.
//!
//! A caller names a model. [`Catalog`] turns the name into a [`Chain`]: a route's models in their order, or the one
//! model that was asked for directly. [`ModelManager::call`] walks the chain: it asks the model's circuit for leave,
//! calls the provider, and lets what came back decide (same model again, next model, or back to the caller).
//! The circuit learns the outcome of every call that was made, and of nothing else.
//!
//! | file | subject |
//! | --- | --- |
//! | `walk` | the loop over the chain, in one piece |
//! | `station` | what became of each model on the way |
//! | `attempt` | one call to one model, for a stream until its first content |
//! | `blame` | what a fault means for the circuit and for the walk |
//! | `relay` | a stream on its way to the caller, once it has said something |
//! | `hold` | a stream that is kept back until it is whole |
//! | `patience` | waiting for circuits |
//! | `record`, `meter` | what is kept of each call, in the log and in the metrics |
//! | `spans` | the same as spans of a trace, where traces are collected |
//! | `latency` | what each model's streams take at the moment until their first content |
//! | `trial` | the permit of a call under way, and what dropping it means |
//!
//! What holds here:
//!
//! - The chain's order is kept. A model whose circuit is open costs no time (C4).
//! - Until a stream has said something nothing of it reaches the caller, so the next model can take the call up
//!   unseen; afterwards a failure is told in the stream, never hidden by an end marker (C3).
//! - Everything until there is something for the caller keeps within `timeouts.total`, waits and retries included: until a
//!   stream's first content, and of a held stream until all of it is here (C4).
//! - Dropping a call or its reply stops the provider's call and gives the permit back without an outcome, except
//!   that a stream given up after [`SILENCE`] without a byte of answer counts as a failure (C1), and so does a model that had
//!   at least half of `timeouts.total` when that ran out.
//! - A stream needs no task, no channel and no copy of its events.
//! - Each call that names a model leaves one line in the log and counts once in the metrics, however it ends; only a
//!   whole, good answer is counted as answered, and only its tokens.
//! - Bodies are passed on untouched but for the model's name, and appear in no log and no error (C5).

mod attempt;
mod attempt_guard;
mod backoff;
mod buffered_stream;
mod call;
mod call_log;
mod candidate;
mod catalog;
mod error;
mod failover;
mod latency;
mod manager;
mod metrics;
mod outcome;
mod relay;
mod route;
mod spans;
mod wait;
mod yield_now;

pub use attempt_guard::STALL_TIMEOUT;
pub use call::{Body, Call, FaultInjection, FaultInjectionError, Reply, Response};
pub use catalog::{Catalog, CatalogError, Chain, ChainEntry, Settings, UnknownModel};
pub use error::{CallError, SkipReason, SkippedModel};
pub use manager::ModelManager;
pub use metrics::CallMetrics;
pub use relay::Events;
pub use route::{BufferLimit, OnAuthError, Retry, Route, StreamMode};
pub use spans::TracePropagator;
