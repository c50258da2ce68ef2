//! The circuit breaker as pure functions over one [`Record`].
//!
//! Every decision about a circuit is made here, and only here: the same code decides for the store in memory, for Redis,
//! in the model checker and in the simulation. There is no clock, no I/O, no randomness and no task in this crate. Time
//! and names are arguments, so the same arguments always give the same result.
//!
//! A circuit's life, as its users know it:
//!
//! ```text
//!            consecutive failures, failure rate, a provider's rate limit
//!   CLOSED ────────────────────────────────────────────────────────────▶ OPEN
//!     ▲                                                                  │  the open period ends:
//!     │ probes succeed                                                   │  the first probe gets a lease
//!     └──────────────────────────── HALF-OPEN ◀──────────────────────────┘
//!                                      └───────── a probe fails ─────────▶ OPEN, for longer
//! ```
//!
//! An open circuit may be bound to the source of the failures: one caller, or one request of it (B12). Then all others are
//! admitted as if it were closed. A success of theirs closes it for all but the source; two failures of theirs open it for
//! more.
//!
//! - [`admit`] answers whether a call may be made; it changes nothing.
//! - [`apply`] makes the next record of an [`Event`], and returns the [`Transition`] if there is one.
//! - [`Document`] and [`encode`] read and write the record as it is stored in Redis; [`adopt`] takes over an [`External`] value.
//! - [`merge`] and [`restore`] reconcile what an instance learnt on its own with the store.
//!
//! Each file uses only files to its right:
//!
//! ```text
//!   foreign ──▶ wire ──▶ record
//!   merge ──▶ apply ──▶ admit ──▶ record ──▶ window ──▶ source, reason ──▶ outcome
//!   explain ─────────────────────────▶ record
//!   policy, time and caller are used by most files; key by none
//! ```
//!
//! `apply` is one state machine in six files: `apply/closed`, `bound`, `open`, `probes` and `instance_block` each add methods to
//! its `RecordUpdate`, and those methods call each other. That circle is the state diagram above.
//!
//! Invariants (`docs/guarantees.md` defines the names):
//! - every change of state has an epoch of its own, and an outcome counts only in the epoch it was admitted in (B4);
//! - there are never more active leases than [`Policy::half_open_probes`] (B2), and an ended lease frees its slot (B3);
//! - an automatic write never shortens a deadline, and never ends a forced open state (B8, B10);
//! - a provider's message never enters a record (C5).

mod admit;
mod apply;
mod caller;
mod explain;
mod foreign;
mod key;
mod merge;
mod outcome;
mod policy;
mod reason;
mod record;
mod source;
mod time;
mod window;
mod wire;

pub use admit::{Admission, AdmissionOfAll, admission_of_all, admit, admit_provisionally};
pub use apply::{AdmissionToken, Applied, Context, Event, EventResult, apply};
pub use caller::{CallerName, CallerNameError};
pub use explain::describe;
pub use foreign::{ExternalChange, KnownBefore, adopt};
pub use key::{ModelKey, ModelKeyError};
pub use merge::{merge, restore};
pub use outcome::{Failure, FailureKind, Outcome};
pub use policy::{Mode, Policy};
pub use reason::{InstanceId, Reason, State, Transition, TransitionCause, TripRule};
pub use record::{
    ConsecutiveFailures, InstanceBlock, LEASE_GRACE, Lease, OpenState, Phase, Record, next_epoch,
};
pub use source::{Requester, Source, SourceBlock, SourceCounts, SourceScope};
pub use time::{Timestamp, millis};
pub use window::{Bucket, FailureSources, Window, bucket_at, bucket_start, bucket_width};
pub use wire::{Document, External, Extras, MAX_EPOCH, encode};
