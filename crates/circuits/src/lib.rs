//! Circuits shared by every instance.
//!
//! An instance holds a mirror of all circuits and admits calls from it without I/O. The [`breaker`] crate decides what a
//! call's outcome means. The result is written to the [`Store`] with one compare-and-set; on a conflict the instance reads
//! the current value and decides again. The store notifies all instances of every change, whoever made it. A slow read of
//! everything covers notifications that were lost.
//!
//! ```text
//!   admit ──▶ view ──▶ Permit ──▶ requests ──▶ plan (breaker) ──▶ compare-and-set ──▶ store
//!               ▲                                 ▲          conflict │                │
//!               └──────────── mirror ◀────────────┴───────────────────┘◀──── change ───┘
//!                                                                        notifications
//! ```
//!
//! Each file uses only files below its own line, `redis` and `model` have drawings of their own:
//!
//! ```text
//!   operate  heartbeat                       manual overrides; what instances tell each other of themselves
//!   circuits                                 what callers use: admission, reports, counts
//!   permit   watch   reader   writer         outcomes; events; reading from and writing to the store
//!   shared                                   what an instance's circuits share, and the map of them
//!   refusal                                  what a call gets from an open circuit
//!   reference                                how others hold a circuit
//!   circuit  store_health                    one circuit; whether the store can be reached
//!   view                                     what admission reads of it
//!   expected                                 one circuit as it will be once its requests are written
//!   pending_successes
//!   plan  report  counts  watchers  write_throttle
//!   mirror   memory   redis   settings       one circuit as it is known; the two stores
//!   source                                   whose call it is
//!   store    clock    rng                    what others implement
//! ```
//!
//! `permit` needs no `shared`: a circuit knows its writer by a trait (`circuit::Writer`). `reader` and `writer` are two
//! files of one `impl Shared`, and call each other's methods: a conflict gives the writer a value to apply, and a value may
//! give the reader something to write. Neither is useful without the other, so that circle stays.
//!
//! Invariants:
//! - a call of a closed circuit waits for no I/O, and steady success writes nothing (B6);
//! - nearly every call is admitted or refused by one number (`view::FastPath`), without a clock, a lock or a count that cores
//!   share; a timer takes the number of a refusal back before its end, which the record and the clock decide;
//! - one write is in flight per circuit and instance; requests that come meanwhile are folded into the next;
//! - no lock is held over I/O;
//! - an unreachable store costs a call nothing, but for a probe's [`Timing::store_timeout`] (F3); what was learnt meanwhile
//!   is kept apart and merged when the store is back (F4).

mod circuit;
mod circuits;
mod clock;
mod counts;
mod expected;
mod heartbeat;
mod memory;
mod mirror;
mod operate;
mod pending_successes;
mod permit;
mod plan;
mod reader;
mod redis;
mod reference;
mod refusal;
mod report;
mod rng;
mod settings;
mod shared;
mod source;
mod store;
mod store_health;
mod view;
mod watch;
mod watchers;
mod write_throttle;
mod writer;

#[cfg(test)]
mod model;

pub use circuits::Circuits;
pub use clock::{SystemClock, WallClock};
pub use counts::{CircuitCounts, ProbeCounts, StoreCounts, TransitionKind};
pub use heartbeat::{CallCounts, Heartbeat, HeartbeatRecord};
pub use memory::MemoryStore;
pub use operate::OperateError;
pub use permit::Permit;
#[doc(hidden)]
pub use redis::fuzzing;
pub use redis::{
    ClusterSurvey, RedisAddress, RedisAddressError, RedisDeployment, RedisNode, RedisStore, TimeShift,
};
pub use reference::CircuitSlot;
pub use refusal::Refusal;
pub use report::{Report, Severity};
pub use rng::{Rng, SystemRng};
pub use settings::{Policies, Settings, Timing};
pub use source::{CallSource, TagKey};
pub use store::{
    CLOCK_TOLERANCE, ChangeNotification, Changes, HEARTBEAT_INTERVAL, HistoryTail, Listing, Loaded,
    MAX_VALUE_BYTES, Store, StoreError, StoreInfo, Swap, Value, Write,
};
pub use store_health::StoreStatus;
pub use watch::{CircuitEvent, HistoryReader, Watch};
pub use writer::TRACE_TARGET;
