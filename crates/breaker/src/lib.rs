//! The circuit breaker as pure functions over one [`Record`].
//!
//! Whatever decides about a circuit lives here, once: the same code decides for the store in memory, for Redis, in
//! the model checker and in the simulation. There is no clock, no I/O, no chance and no task in this crate; time and
//! names come in as arguments, so the same arguments always give the same answer.
//!
//! A circuit's life, as its users know it:
//!
//! ```text
//!            failures in a row, failure rate, a provider's request to rest
//!   CLOSED ────────────────────────────────────────────────────────────▶ OPEN
//!     ▲                                                                  │  its time has come:
//!     │ probes succeeded                                                 │  the first probe gets a lease
//!     └──────────────────────────── HALF-OPEN ◀──────────────────────────┘
//!                                      └───────── a probe failed ────────▶ OPEN, for longer
//! ```
//!
//! - [`admit`] answers whether a call may be made; it changes nothing.
//! - [`apply`] makes the next record from an [`Event`] and tells of the [`Transition`], if there was one.
//! - [`Document`] and [`encode`] read and write the record as it stands in Redis; [`adopt`] takes over a foreign value.
//! - [`merge`] and [`restore`] bring together what was learnt apart.
//!
//! Invariants (the names are those of DESIGN.md, section 2):
//! - every change of state has an epoch of its own, and an outcome counts only in the epoch it was admitted in (B4);
//! - no more living leases than [`Policy::half_open_probes`] (B2), and an ended one frees its place (B3);
//! - an automatic write never shortens a deadline, and never ends what a person has forced (B8, B10);
//! - a provider's message never enters a record (C5).

mod admit;
mod apply;
mod explain;
mod key;
mod merge;
mod outcome;
mod policy;
mod reason;
mod record;
mod time;
mod window;
mod wire;

pub use admit::{Admission, admit};
pub use apply::{AdmissionToken, Applied, Context, Event, EventResult, apply};
pub use explain::describe;
pub use key::{ModelKey, ModelKeyError};
pub use merge::{merge, restore};
pub use outcome::{Failure, FailureKind, Outcome};
pub use policy::{Mode, Policy};
pub use reason::{InstanceId, Reason, State, Transition, TransitionCause, TripRule};
pub use record::{
    ConsecutiveFailures, InstanceBlock, LEASE_GRACE, Lease, OpenState, Phase, Record, next_epoch,
};
pub use time::{Timestamp, millis};
pub use window::{Bucket, FailureSources, Window, bucket_start};
pub use wire::{Document, Extras, adopt, encode};
