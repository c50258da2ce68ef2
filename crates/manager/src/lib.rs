//! The ModelManager: gets the response to a call from the first available model of a chain.
//!
//! A caller names a model. [`Catalog`] resolves the name to a [`Chain`]: the models of a route in order, or the one model
//! that was requested. [`ModelManager::call`] runs the failover loop over the chain: it acquires a permit from the model's
//! circuit, calls the provider, and decides by the outcome (same model again, next model, or back to the caller). The
//! circuit learns the outcome of every call that was made, and of nothing else.
//!
//! # Files
//!
//! A file uses only files of the rows below its own.
//!
//! ```text
//! manager                       settings that can be replaced, and circuits that stay
//!    ▼
//! failover, buffered_stream     the loop over the chain; a stream that is kept until it is complete
//!    ▼
//! reply                         what the caller gets of how the loop has ended
//!    ▼
//! chain_order                   the order of a chain's models for a call, where some are equals
//!    ▼
//! attempt, relay                one call to one model; a stream that is passed through
//!    ▼
//! attempt_guard, call_log       the permit of an attempt; the record of a call
//!    ▼
//! prepare, traffic              a request as a model of the chain gets it; the last 15 minutes, by sampling the metrics
//!    ▼
//! metrics, spans, candidate     the same record for metrics and traces; a model of the chain, for one call
//! exposition                    the metrics as Prometheus gets them
//!    ▼
//! error, call, latency          a call without a response; a call and its reply; recent times to first token
//! first_bytes, core_counts      what the first bytes of streams take; what one core has counted
//!    ▼
//! chain_model                   a model of a chain, without its own reference count
//! outcome, events               what an error means; the events of a stream
//! call_line                     what the log says about a call
//! conversation                  which conversation a call belongs to
//!    ▼
//! route_status                  where the calls of each route go now
//!    ▼
//! catalog                       names and chains
//!    ▼
//! backoff, wait                 delays between attempts; waiting for circuits
//! balance, in_flight            the order of equals; calls in flight, by which they are balanced
//! pieces, shortage              the pieces of a stream that are kept back; what this machine lacks, in the log
//!    ▼
//! route, stored, translated     the settings of a route; who has stored a response; what a translation left out
//! allowed_models, memory_budget what a caller may ask for; the memory that callers share
//! ```
//!
//! # Errors
//!
//! One scheme for failures, from the wire to the operator; each step is made once:
//!
//! ```text
//! dialects   ErrorCategory                    what the provider's words mean
//!    ▼       providers::classify
//! providers  ProviderError { kind, class }    what happened; who is responsible
//!    ▼       outcome
//! manager    RetryDecision                    what to do next
//!            breaker::Failure                 what the circuit counts
//!            label of the metrics             how the attempt is counted
//!            SkipReason in a CallError        why the model gave no response (status, code, text for the caller)
//!    ▼       breaker::apply
//! breaker    Reason                           why the circuit has its state (text for the operator)
//! ```
//!
//! # Invariants
//!
//! - The order of the chain is kept. A model with an open circuit costs no time (C4).
//! - Until the first token of a stream nothing of it reaches the caller, so the next model can take over without the
//!   caller's notice. After that, a failure is sent in the stream, and never hidden by an end marker (C3).
//! - Everything until the caller has a part of the response keeps within `timeouts.total`, including waits and retries:
//!   until a stream's first token, and until a buffered stream is complete (C4).
//! - Dropping a call or its reply cancels the provider's call and returns the permit without an outcome. Two cases count as
//!   a failure: a stream that is cancelled without a byte of response after [`STALL_TIMEOUT`] and twice its model's usual time
//!   (C1), and a model that had at least half of `timeouts.total` when that expired.
//! - What callers can make the process keep (bodies, buffered streams) comes out of one [`MemoryBudget`] (Q6).
//! - A stream needs no task, no channel and no copy of its events.
//! - Each call that names a model has one line in the log and counts once in the metrics, however it ends. Only a good,
//!   complete response counts as answered, and only its tokens count.
//! - Where caller and provider have the same API format, bodies are passed on unchanged except for the model's name and the
//!   envelopes of reasoning (T5); elsewhere they are translated. They appear in no log and no error (C5).

mod allowed_models;
mod attempt;
mod attempt_failures;
mod attempt_guard;
mod backoff;
mod balance;
mod buffered_stream;
mod call;
mod call_limit;
mod call_line;
mod call_log;
mod candidate;
mod catalog;
mod chain_model;
mod chain_order;
mod conversation;
mod core_counts;
mod error;
mod events;
mod exposition;
mod failover;
mod first_bytes;
#[doc(hidden)]
pub mod fuzzing;
mod in_flight;
mod latency;
mod manager;
mod memory_budget;
mod metrics;
mod outcome;
mod pieces;
mod prepare;
mod relay;
mod reply;
mod route;
mod route_names;
mod route_status;
mod shortage;
mod spans;
mod stored;
mod traffic;
mod translated;
mod wait;

pub use allowed_models::{AllowedModels, ModelPattern, ModelPatternError};
pub use attempt_guard::STALL_TIMEOUT;
pub use call::{Body, Call, FaultInjection, FaultInjectionError, Reply, Response};
pub use call_limit::client_timeout;
pub use call_line::{CallLine, CallLines, LineFields};
pub use catalog::{Catalog, CatalogError, Chain, ChainEntry, Settings, UnknownModel};
pub use chain_model::ChainModel;
pub use error::{CallError, SkipReason, SkippedModel};
pub use events::{Events, StreamAborted};
pub use manager::ModelManager;
pub use memory_budget::{MemoryBudget, MemoryExhausted, MemoryShare};
pub use metrics::CallMetrics;
pub use outcome::Reporter;
pub use route::{BufferLimit, ModelGroup, OnAuthError, Retry, Route, StreamMode};
pub use route_status::{RouteState, RouteStatus, route_statuses};
pub use spans::TracePropagator;
pub use stored::StoredResponseError;
pub use traffic::{BUCKET, BUCKETS, ModelSeries, Series, Traffic, TrafficReport};
pub use translated::Translated;
